//! Every section runs at smoke scale, and what trains learns; what the crate offers to other programs works.

use cnn::{CHAPTER, lenet, xavier};
use d2l::data::Source;
use d2l::data::fashion_mnist::{FashionMnist, ImageLoader};
use d2l::notebook::{DataOrigin, RunRecord};
use d2l::prelude::*;
use d2l::random;
use d2l::train::TrainError;
use tempfile::TempDir;

use d2l_testing::smoke;

use d2l_testing::smoke::{by_epoch, figures, text, value};

fn run(section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    smoke::run(&CHAPTER, section, flags)
}

#[test]
fn the_table_names_every_section_with_its_number() {
    let numbers: Vec<_> = CHAPTER.sections.iter().map(|section| section.heading().0).collect();
    assert_eq!(numbers, ["6.1", "6.2", "6.3", "6.4", "6.5", "6.6", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "7.7"]);
}

#[test]
fn convolutions_commute_with_shifts_and_dense_layers_do_not() -> anyhow::Result<()> {
    let record = run("why-conv", &["--down", "2"])?;
    assert_eq!((value(&record, "dense_parameters"), value(&record, "conv_parameters")), (615_440.0, 26.0));
    assert!(value(&record, "difference_convolution") < 1e-5 && value(&record, "difference_dense") > 0.1);
    assert!(
        text(&record, "A convolution is a dense layer with few distinct weights").contains("576 weights, of which 144")
    );
    assert_eq!(figures(&record), 2);
    Ok(())
}

#[test]
fn an_edge_detector_is_learned() -> anyhow::Result<()> {
    let record = run("conv-layer", &[])?;
    assert!(text(&record, "The cross-correlation operation").contains("19"));
    assert!(value(&record, "loss_after_steps") < 5.0 && value(&record, "kernel_error") < 0.02, "{:?}", record.metrics);
    let fields = text(&record, "Feature map and receptive field");
    assert!(fields.contains("layer 1 sees 3 x 3") && fields.contains("layer 4 sees 9 x 9"), "{fields}");
    let diverged = run("conv-layer", &["--lr", "10"]).expect_err("a rate far too large");
    assert!(diverged.to_string().contains("training has diverged"), "{diverged}");
    Ok(())
}

#[test]
fn paddings_strides_channels_and_pools_agree_with_the_operations() -> anyhow::Result<()> {
    let record = run("padding-and-strides", &[])?;
    assert!(value(&record, "largest_difference") < 1e-5);
    assert!(text(&record, "Stride").contains("[4, 4]") && text(&record, "Stride").contains("[2, 2]"));
    let record = run("channels", &[])?;
    assert!(value(&record, "difference_from_conv2d") < 1e-4 && value(&record, "difference_pointwise") < 1e-5);
    let record = run("pooling", &["--window", "3"])?;
    assert!(value(&record, "difference_max") < 1e-6 && value(&record, "difference_average") < 1e-5);
    Ok(())
}

#[test]
fn lenet_learns_and_is_looked_into() -> anyhow::Result<()> {
    // LeNet learns nothing in its first hundreds of steps, and with small noisy ones for longer.
    let record = run("lenet", &["--batch-size", "256", "--num-epochs", "25"])?;
    assert_eq!(record.data, DataOrigin::Sample);
    assert!(text(&record, "LeNet").contains("61,706"));
    let losses = by_epoch(&record, "train_loss");
    assert!(losses[losses.len() - 1] < losses[0] - 0.5, "{losses:?}");
    assert!(value(&record, "test_acc") > 0.5, "{:?}", record.metrics);
    let fields = text(&record, "Receptive fields");
    assert!(fields.contains("5 x 5") && fields.contains("14 x 14") && fields.contains("16 x 16"), "{fields}");
    assert_eq!(figures(&record), 7);
    Ok(())
}

#[test]
fn batch_normalisation_learns_and_both_versions_agree() -> anyhow::Result<()> {
    let record = run("batch-norm", &[])?;
    for version in ["scratch", "concise"] {
        let losses = by_epoch(&record, &format!("train_loss_{version}"));
        assert!(losses[1] < losses[0] && losses[1] < 0.9, "{version}: {losses:?}");
    }
    let difference = value(&record, "train_loss_scratch") - value(&record, "train_loss_concise");
    assert!(difference.abs() < 0.1, "{difference}");
    Ok(())
}

/// Runs a deep net on the sample at a size of its own, and gives the first and the last training loss.
fn losses(section: &str, flags: &[&str]) -> anyhow::Result<(f64, f64)> {
    let record = run(section, flags)?;
    assert_eq!(record.data, DataOrigin::Sample);
    let losses = by_epoch(&record, "train_loss");
    assert!(losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
    Ok((losses[0], losses[losses.len() - 1]))
}

#[test]
fn alexnet_learns() -> anyhow::Result<()> {
    let (first, last) = losses("alexnet", &["--examples", "1000", "--num-epochs", "10", "--lr", "0.05"])?;
    assert!(first > 2.0 && last < 1.5, "{first}, {last}");
    Ok(())
}

#[test]
fn vgg_learns() -> anyhow::Result<()> {
    let wide = ["--narrowing", "8", "--units", "512"];
    let (first, last) =
        losses("vgg", &[&["--examples", "1000", "--num-epochs", "12", "--lr", "0.1"][..], &wide].concat())?;
    assert!(last < first - 0.02, "{first}, {last}");
    Ok(())
}

#[test]
fn nin_begins_to_learn() -> anyhow::Result<()> {
    // Twelve convolutions from Xavier's weights: more than a thousand steps pass before more can be seen.
    let (first, last) = losses("nin", &[])?;
    assert!(last < first, "{first}, {last}");
    Ok(())
}

#[test]
fn googlenet_learns() -> anyhow::Result<()> {
    // It leaves its plateau early or late: one machine's tenth epoch ended at 1.72, its fourteenth at 1.25.
    let (first, last) = losses("googlenet", &["--examples", "1000", "--num-epochs", "14"])?;
    assert!(first > 1.9 && last < 1.7, "{first}, {last}");
    Ok(())
}

#[test]
fn resnet_and_densenet_learn_and_so_do_the_plain_nets() -> anyhow::Result<()> {
    for section in ["resnet", "densenet"] {
        let record = run(section, &[])?;
        for metric in ["train_loss", "train_loss_plain"] {
            let losses = by_epoch(&record, metric);
            assert!(losses[1] < losses[0] - 0.3, "{section}, {metric}: {losses:?}");
        }
        assert_eq!(figures(&record), 2);
    }
    Ok(())
}

#[test]
fn a_deep_net_that_diverges_says_where_and_at_which_rate() {
    let error = run("vgg", &["--lr", "1e30"]).expect_err("a rate far too large");
    let diverged = matches!(error.downcast_ref(), Some(TrainError::Diverged { epoch: 1, .. }));
    assert!(diverged, "{error:#}");
    assert!(format!("{error:#}").contains("learning rate 1e30") || format!("{error:#}").contains("1000000000"));
}

fn parameters(seed: u64) -> Parameters {
    Parameters::new(&Random::new(seed), &Device::Cpu)
}

fn train(
    net: &impl ModuleT,
    parameters: &Parameters,
    images: &mut ImageLoader,
    test: &mut ImageLoader,
    num_epochs: usize,
) -> Result<History, TrainError> {
    let mut optimizer = Sgd::new(parameters, 0.9);
    Trainer::new(num_epochs).with(parameters).fit_classifier(net, images, test, &mut optimizer)
}

#[test]
fn a_saved_lenet_loads_and_trains_on() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("lenet.safetensors");
    let mut set = FashionMnist::sample()?;
    (set.train, set.test) = (set.train.first(640)?, set.test.first(100)?);
    let (mut images, mut test) =
        set.loaders(64, None, Random::new(1).stream(Purpose::Shuffling, "test"), &Device::Cpu)?;
    let first = parameters(1);
    let net = lenet(&first.builder())?;
    xavier(&first)?;
    train(&net, &first, &mut images, &mut test, 1)?;
    first.save(&file)?;

    let second = parameters(2);
    let loaded = lenet(&second.builder())?;
    second.load(&file)?;
    let (x, _) = test.dataset().batch(&[0, 1], &Device::Cpu)?;
    let scores = [net.forward_t(&x, false)?, loaded.forward_t(&x, false)?];
    assert_eq!(scores[0].to_vec2::<f32>()?, scores[1].to_vec2::<f32>()?);
    let before = evaluate_accuracy(&loaded, &mut test)?;
    let history = train(&loaded, &second, &mut images, &mut test, 2)?;
    assert!(before >= 0.0 && history.metric("train_loss").iter().all(|loss| loss.is_finite() && *loss < 2.5));
    Ok(())
}

#[test]
fn training_that_diverges_says_where_and_at_which_rate() -> anyhow::Result<()> {
    let mut set = FashionMnist::sample()?;
    (set.train, set.test) = (set.train.first(64)?, set.test.first(10)?);
    let (mut images, mut test) =
        set.loaders(32, None, Random::new(1).stream(Purpose::Shuffling, "test"), &Device::Cpu)?;
    let parameters = parameters(1);
    let net = lenet(&parameters.builder())?;
    let broken = |x: &Tensor| net.forward_t(x, true)? / 0.0;
    let error = train(&broken, &parameters, &mut images, &mut test, 1).expect_err("no number");
    let shown = format!("{error:#}");
    assert!(shown.contains("learning rate 0.9") && shown.contains("epoch 1, step 1"), "{shown}");
    Ok(())
}

#[test]
fn every_parameter_of_lenet_gets_a_finite_gradient() -> anyhow::Result<()> {
    let parameters = parameters(1);
    let net = lenet(&parameters.builder())?;
    let x =
        random::uniform(&mut Random::new(2).stream(Purpose::Sampling, "test"), 0.0, 1.0, (4, 1, 28, 28), &Device::Cpu)?;
    let labels = Tensor::new(&[0u32, 3, 9, 3], &Device::Cpu)?;
    let grads = backward(&cross_entropy(&net.forward_t(&x, true)?, &labels, Reduction::Mean)?)?;
    for (name, parameter) in parameters.named() {
        let size = grads.get(&parameter)?.abs()?.sum_all()?.to_scalar::<f32>()?;
        assert!(size.is_finite() && size > 0.0, "{name}: {size}");
    }
    Ok(())
}

#[test]
fn flags_that_mean_nothing_are_refused() {
    for (section, flags) in [
        ("lenet", ["--lr", "-1"]),
        ("lenet", ["--num-epochs", "0"]),
        ("batch-norm", ["--batch-size", "1"]),
        ("alexnet", ["--side", "9"]),
        ("vgg", ["--units", "0"]),
        ("resnet", ["--narrowing", "99"]),
        ("densenet", ["--examples", "0"]),
        ("pooling", ["--window", "9"]),
        ("channels", ["--inputs", "0"]),
    ] {
        let error = run(section, &flags).expect_err("a refusal").to_string();
        assert!(error.contains(flags[0]), "{section}: {error}");
    }
}

#[test]
fn a_last_minibatch_of_one_is_refused_before_training_under_batch_normalization() {
    let flags = ["--examples", "33", "--batch-size", "32", "--num-epochs", "1"];
    for section in ["resnet", "densenet"] {
        let told = smoke::message(&CHAPTER, section, &flags);
        assert!(told.contains("--batch-size 32 leaves a last minibatch of one of 33 images"), "{section}: {told}");
    }
    // The sample has 6,000 images to train on: seven minibatches of 857, and one image.
    assert!(smoke::message(&CHAPTER, "batch-norm", &["--batch-size", "857"]).contains("--batch-size 857"));
    // Without the norm one image is as good as any other number.
    assert!(run("googlenet", &flags).is_ok());
}

#[test]
fn a_side_that_a_net_does_not_bear_is_refused_by_its_flag() {
    for section in ["nin", "alexnet"] {
        let told = smoke::message(&CHAPTER, section, &["--side", "64"]);
        assert!(told.contains("--side 64 is too small: 67 is the least"), "{section}: {told}");
    }
}
