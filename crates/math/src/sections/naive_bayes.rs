//! 18.9 Naive Bayes
//!
//! A classifier of digits that only counts: how often each pixel is lit in each class, as if pixels knew nothing of
//! each other.
//!
//! `cargo run --release -p math -- naive-bayes`
//! In a second: 8,427 of MNIST's 10,000 test images right (0.843), as many and the same as by NumPy.

use std::iter::Product;

use candle_core::WithDType;
use d2l::data::fashion_mnist::Images;
use d2l::ops::softmax;
use d2l::plot::{Image, ImageGrid};
use d2l::prelude::*;
use d2l::random::uniform;

use crate::mnist::Mnist;

/// There is nothing to set.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {}

defaults! { Config }

const CLASSES: usize = 10;

/// The images at these places with pixels of 0 and 1, `(images, height, width)`: each byte over 128, rounded down.
///
/// As all of this section's arithmetic it is in `f64`, on the CPU: there the order of a sum's terms flips no prediction.
pub fn binarize(images: &Images, places: impl IntoIterator<Item = usize>) -> Result<Tensor> {
    let (height, width) = images.size();
    let mut pixels = Vec::new();
    for place in places {
        pixels.extend(images.pixels(place).iter().map(|byte| f64::from(byte / 128)));
    }
    Tensor::from_vec(pixels, ((), height, width), &Device::Cpu)
}

/// A naive Bayes classifier of images whose pixels are 0 or 1.
#[derive(Debug, Clone)]
pub struct NaiveBayes {
    /// `P(y)`, `(classes)`.
    pub p_y: Tensor,
    /// `P(xᵢ = 1 | y)`, `(classes, height, width)`.
    pub p_xy: Tensor,
}

impl NaiveBayes {
    /// Counts images, and lit pixels, of each class. To every pixel's count one lit and one dark image are added, so that
    /// no probability is 0 or 1 (Laplace smoothing).
    pub fn fit(images: &Images) -> Result<Self> {
        let (height, width) = images.size();
        let (mut n_y, mut n_x) = (vec![0u32; CLASSES], vec![vec![0u32; height * width]; CLASSES]);
        for (index, &y) in images.labels().iter().enumerate() {
            let y = usize::from(y);
            n_y[y] += 1;
            n_x[y].iter_mut().zip(images.pixels(index)).for_each(|(n, byte)| *n += u32::from(byte / 128));
        }
        let n_y = Tensor::new(n_y, &Device::Cpu)?.to_dtype(DType::F64)?; // (classes)
        let n_x = Tensor::new(n_x, &Device::Cpu)?.to_dtype(DType::F64)?; // (classes, height · width)
        let p_xy = (n_x + 1.0)?.broadcast_div(&(&n_y + 2.0)?.unsqueeze(1)?)?;
        Ok(Self { p_y: (n_y / images.len() as f64)?, p_xy: p_xy.reshape((CLASSES, height, width))? })
    }

    /// `P(x, y)` of one image `(height, width)` for each class, as the plain product of its factors in numbers `T`.
    pub fn joint<T: WithDType + Product>(&self, x: &Tensor) -> Result<Vec<T>> {
        let lit = self.p_xy.broadcast_mul(x)?; // (classes, height, width)
        let dark = (1.0 - &self.p_xy)?.broadcast_mul(&(1.0 - x)?)?;
        let p_xy = (lit + dark)?.flatten_from(1)?; // (classes, pixels)
        let factors = Tensor::cat(&[&p_xy, &self.p_y.unsqueeze(1)?], 1)?.to_dtype(T::DTYPE)?; // (classes, pixels + 1)
        Ok(factors.to_vec2::<T>()?.into_iter().map(|factors| factors.into_iter().product()).collect())
    }

    /// `log P(x, y)` of images `(images, height, width)` for each class, `(images, classes)`.
    ///
    /// `Σᵢ xᵢ log p + (1 - xᵢ) log (1 - p)` is `Σᵢ xᵢ (log p - log (1 - p)) + Σᵢ log (1 - p)`: a product of matrices and a
    /// constant.
    pub fn log_joint(&self, x: &Tensor) -> Result<Tensor> {
        let (lit, dark) = (self.p_xy.log()?.flatten_from(1)?, (1.0 - &self.p_xy)?.log()?.flatten_from(1)?);
        let constant = (dark.sum(1)? + self.p_y.log()?)?; // (classes)
        x.flatten_from(1)?.matmul(&(lit - dark)?.t()?)?.broadcast_add(&constant) // (images, classes)
    }

    /// The most probable class of each image.
    pub fn predict(&self, images: &Images) -> Result<Vec<u32>> {
        let some = |first: usize| {
            let x = binarize(images, first..(first + 1000).min(images.len()))?;
            self.log_joint(&x)?.argmax(1)?.to_vec1::<u32>() // (images, classes) -> (images)
        };
        Ok((0..images.len()).step_by(1000).map(some).collect::<Result<Vec<_>>>()?.concat())
    }

    /// Draws an image of each class as the model has them, every pixel for itself: `(classes, height, width)`.
    pub fn draw(&self, stream: &mut Stream) -> Result<Tensor> {
        let chances = uniform(stream, 0.0, 1.0, self.p_xy.dims(), &Device::Cpu)?.to_dtype(DType::F64)?;
        chances.lt(&self.p_xy)?.to_dtype(DType::F64)
    }
}

/// How many images of each digit (rows) were taken for each digit (columns).
pub fn confusion(labels: &[u8], predicted: &[u32]) -> [[u32; CLASSES]; CLASSES] {
    let mut counts = [[0; CLASSES]; CLASSES];
    labels.iter().zip(predicted).for_each(|(&label, &class)| counts[usize::from(label)][class as usize] += 1);
    counts
}

/// Of the lit pixels of images `(images, height, width)`, the share whose right neighbor is lit too.
pub fn lit_neighbors(x: &Tensor) -> Result<f64> {
    let pairs = x.dim(2)? - 1;
    let (left, right) = (x.narrow(2, 0, pairs)?, x.narrow(2, 1, pairs)?); // (images, height, width - 1)
    let lit = left.sum_all()?;
    ((left * right)?.sum_all()? / lit)?.to_scalar()
}

/// Images `(images, height, width)` of values from 0 to 1 as pictures.
fn grid(columns: usize, x: &Tensor) -> anyhow::Result<ImageGrid> {
    let pictures = (0..x.dim(0)?).map(|i| Ok(Image::from_tensor(&x.get(i)?)?)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(ImageGrid::new(columns, pictures))
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(T::to_string).collect()
}

/// The section up to the model.
fn learn(nb: &mut Notebook, train: &Images) -> anyhow::Result<NaiveBayes> {
    nb.cell("One example")?;
    let (image, label) = (binarize(train, [2])?.get(0)?, train.labels()[2]); // (height, width)
    nb.say(format!("shape {:?}, label {label}", image.dims()))?;

    nb.cell("The type of an image")?;
    nb.say(format!("{:?} of {:?}, all of them 0 or 1", image.dims(), image.dtype()))?;

    nb.cell("The type of a label")?;
    nb.say(format!("{label} in {} bits", 8 * size_of_val(&label)))?;

    nb.cell("Several examples")?;
    let (images, labels) = (binarize(train, 10..38)?, &train.labels()[10..38]); // (28, height, width)
    nb.say(format!("images {:?}, labels ({})", images.dims(), labels.len()))?;

    nb.cell("Pictures of the examples")?;
    let shown = grid(9, &images.narrow(0, 0, 18)?)?.titles(texts(&labels[..18]));
    nb.figure("digits", "Eighteen training images in black and white, each with its label", shown)?;

    nb.cell("The probabilistic model for classification")?;
    let pixels = image.elem_count();
    nb.say(format!("30 features of two values: {} patterns", 2u64.pow(30)))?;
    nb.say(format!("{pixels} features: 10 to the power of {:.0}", pixels as f64 * 2f64.log10()))?;

    nb.cell("The naive Bayes classifier")?;
    nb.say(format!("with independent features: {} probabilities to learn", CLASSES * pixels + CLASSES))?;

    nb.cell("Training: how often each digit occurs")?;
    let model = NaiveBayes::fit(train)?;
    nb.show("P(y)", &model.p_y)?;

    nb.cell("Training: how often each pixel is lit")?;
    nb.say(format!("P(x | y) {:?}", model.p_xy.dims()))?;
    let shown = grid(5, &model.p_xy)?.titles((0..CLASSES).map(|class| class.to_string()));
    nb.figure("classes", "For each digit the probability of its pixels to be lit: the mean of its images", shown)?;
    Ok(model)
}

/// One image by the product and by the sum of logarithms.
fn predict_one(nb: &mut Notebook, model: &NaiveBayes, test: &Images) -> anyhow::Result<()> {
    nb.cell("The plain product")?;
    let (image, label) = (binarize(test, [0])?, u32::from(test.labels()[0])); // (1, height, width)
    nb.show("in 32 bits", format!("{:?}", model.joint::<f32>(&image.get(0)?)?))?;
    let wide = model.joint::<f64>(&image.get(0)?)?;
    let (low, high) = wide.iter().fold((f64::INFINITY, 0f64), |(low, high), &p| (low.min(p), high.max(p)));
    nb.say(format!("in 64 bits from {low:.1e} to {high:.1e}, the least number being 4.9e-324"))?;

    nb.cell("Underflow and logarithms")?;
    let a = 0.1f64;
    nb.show("underflow", format!("{:?}", a.powi(784)))?;
    nb.show("logarithm is normal", 784.0 * a.ln())?;
    nb.metric("log_product", 784.0 * a.ln())?;

    nb.cell("A sum of logarithms")?;
    let py = model.log_joint(&image)?.get(0)?; // (1, classes) -> (classes)
    nb.show("log P(x, y)", &py)?;
    nb.metric("log_joint", py.max(0)?.to_scalar::<f64>()?)?;

    nb.cell("Whether the prediction is right")?;
    let predicted = py.argmax(0)?.to_scalar::<u32>()?;
    nb.say(format!("predicted {predicted}, label {label}: {}", predicted == label))
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Optical character recognition")?;
    let Mnist { train, test } = nb.load()?;
    nb.say(format!("{} training and {} test images", train.len(), test.len()))?;
    let model = learn(nb, &train)?;
    predict_one(nb, &model, &test)?;

    nb.cell("Predictions")?;
    let (predicted, labels) = (model.predict(&test)?, test.labels());
    let shown = grid(9, &binarize(&test, 0..18)?)?.predictions(&texts(&labels[..18]), &texts(&predicted[..18]));
    nb.figure("predictions", "Eighteen test images, each with its label and below it the prediction", shown)?;

    nb.cell("Accuracy on all test images")?;
    let counts = confusion(labels, &predicted);
    let correct: u32 = (0..CLASSES).map(|class| counts[class][class]).sum();
    let accuracy = f64::from(correct) / test.len() as f64;
    nb.say(format!("{correct} of {} right: {accuracy:.4}", test.len()))?;
    nb.metric("test_acc", accuracy)?;
    nb.metric("test_correct", f64::from(correct))?;
    nb.write("predictions.txt", texts(&predicted).join("\n").as_bytes())?;

    nb.cell("Which digits are taken for which")?;
    let digits = (0..CLASSES).map(|class| class.to_string());
    let mut table = Table::new(["digit".to_string()].into_iter().chain(digits));
    for (digit, row) in counts.iter().enumerate() {
        table.row([digit.to_string()].into_iter().chain(texts(row)));
    }
    nb.say(table)?;

    nb.cell("Images that are taken for others")?;
    let wrong = (0..test.len()).filter(|&i| predicted[i] != u32::from(labels[i])).take(18).collect::<Vec<_>>();
    if !wrong.is_empty() {
        let (right, taken_for): (Vec<u8>, Vec<u32>) = wrong.iter().map(|&i| (labels[i], predicted[i])).unzip();
        let shown = grid(9, &binarize(&test, wrong)?)?.predictions(&texts(&right), &texts(&taken_for));
        nb.figure("mistakes", "The first test images that are classified wrongly, with label and prediction", shown)?;
    }

    nb.cell("What the model believes")?;
    let images = binarize(&test, 0..test.len().min(1000))?; // (images, height, width)
    let confidence = softmax(&model.log_joint(&images)?, 1)?.max(1)?.mean_all()?.to_scalar::<f64>()?;
    nb.say(format!("mean probability of the predicted class: {confidence:.3}"))?;
    nb.metric("mean_confidence", confidence)?;
    let drawn = model.draw(nb.sampling())?; // (classes, height, width)
    nb.figure("drawn", "A draw of each digit from the model: specks where strokes should be", grid(5, &drawn)?)?;
    let (real, drawn) = (lit_neighbors(&images)?, lit_neighbors(&drawn)?);
    nb.say(format!("share of lit pixels whose right neighbor is lit: {real:.3} in images, {drawn:.3} in draws"))?;
    nb.metric("lit_neighbors_images", real)?;
    nb.metric("lit_neighbors_drawn", drawn)
}

#[cfg(test)]
mod tests {
    use d2l::data::Source;

    use super::*;

    #[test]
    fn probabilities_are_smoothed_counts() -> anyhow::Result<()> {
        let Mnist { train, .. } = Mnist::sample()?;
        let model = NaiveBayes::fit(&train)?;
        assert_eq!(model.p_y.to_vec1::<f64>()?, [0.1; CLASSES]);
        let (x, threes) = (binarize(&train, 0..train.len())?, (0..train.len()).filter(|&i| train.labels()[i] == 3));
        let lit = threes.map(|i| x.get(i)?.get(14)?.get(13)?.to_scalar::<f64>()).sum::<Result<f64>>()?;
        let p = model.p_xy.get(3)?.get(14)?.get(13)?.to_scalar::<f64>()?;
        assert_eq!(p, (lit + 1.0) / 102.0);
        let p = model.p_xy.flatten_all()?.to_vec1::<f64>()?;
        assert!(p.iter().all(|&p| (1.0 / 102.0..=101.0 / 102.0).contains(&p)));
        Ok(())
    }

    #[test]
    fn the_logarithm_is_that_of_the_product() -> anyhow::Result<()> {
        let Mnist { train, test } = Mnist::sample()?;
        let model = NaiveBayes::fit(&train)?;
        let x = binarize(&test, 0..20)?;
        let logarithms = model.log_joint(&x)?.to_vec2::<f64>()?;
        for (i, logarithms) in logarithms.iter().enumerate() {
            for (product, logarithm) in model.joint::<f64>(&x.get(i)?)?.into_iter().zip(logarithms) {
                assert!((product.ln() - logarithm).abs() < 1e-9 * logarithm.abs(), "{product} {logarithm}");
            }
        }
        Ok(())
    }

    /// By the book's formula in NumPy on the same files: 186 of 200, the least lead of a prediction over the next 1.13.
    #[test]
    fn the_sample_is_classified_as_by_numpy() -> anyhow::Result<()> {
        let Mnist { train, test } = Mnist::sample()?;
        let predicted = NaiveBayes::fit(&train)?.predict(&test)?;
        let counts = confusion(test.labels(), &predicted);
        assert_eq!((0..CLASSES).map(|class| counts[class][class]).sum::<u32>(), 186);
        assert!(counts.iter().all(|row| row.iter().sum::<u32>() == 20));
        Ok(())
    }

    #[test]
    fn a_byte_of_128_is_lit() -> anyhow::Result<()> {
        let Mnist { test, .. } = Mnist::sample()?;
        let bits = binarize(&test, [5, 3])?;
        assert_eq!(bits.dims(), [2, 28, 28]);
        let expected: Vec<f64> =
            [5, 3].into_iter().flat_map(|i| test.pixels(i)).map(|&byte| f64::from(u8::from(byte >= 128))).collect();
        assert_eq!(bits.flatten_all()?.to_vec1::<f64>()?, expected);
        Ok(())
    }

    #[test]
    fn a_product_of_784_tenths_underflows() {
        assert_eq!(0.1f64.powi(784), 0.0);
        assert_eq!((784.0 * 0.1f64.ln()).to_string(), "-1805.2267129073316");
    }

    #[test]
    fn neighbors_of_lit_pixels_are_counted() -> anyhow::Result<()> {
        let x = Tensor::new(&[[[1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 1.0f64]]], &Device::Cpu)?;
        // Pairs whose left pixel is lit: (1, 1), (1, 0), (1, 1), (1, 1).
        assert_eq!(lit_neighbors(&x)?, 0.75);
        Ok(())
    }

    #[test]
    fn draws_follow_the_probabilities() -> anyhow::Result<()> {
        let p_xy = Tensor::new(&[[[0.0, 1.0], [0.25, 0.75f64]]], &Device::Cpu)?; // one class
        let model = NaiveBayes { p_y: Tensor::new(&[1.0f64], &Device::Cpu)?, p_xy };
        let mut stream = Random::new(1).stream(Purpose::Sampling, "test");
        let mut sums = [0.0; 4];
        for _ in 0..2000 {
            let drawn = model.draw(&mut stream)?.flatten_all()?.to_vec1::<f64>()?;
            sums.iter_mut().zip(drawn).for_each(|(sum, x)| *sum += x / 2000.0);
        }
        assert_eq!(sums[0], 0.0);
        assert!((sums[1] - 1.0).abs() < 1e-9, "{sums:?}");
        assert!((sums[2] - 0.25).abs() < 0.04 && (sums[3] - 0.75).abs() < 0.04, "{sums:?}");
        Ok(())
    }
}
