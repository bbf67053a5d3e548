//! Sums of products over indices: what the strings of NumPy's and PyTorch's `einsum` stand for, which candle lacks.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor, bail};

/// [`contract`] with a letter for each index, as NumPy and PyTorch write it: the indices of each tensor, parted by
/// commas, and after `->` those of the result, none for a scalar.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use math::einsum::einsum;
///
/// let a = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu)?;
/// let v = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
/// assert_eq!(einsum("ij, j -> i", &[&a, &v])?.to_vec1::<f32>()?, [5.0, 11.0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Where the text has another form, or the letters do not fit the tensors.
pub fn einsum(letters: &str, tensors: &[&Tensor]) -> Result<Tensor> {
    let Some((inputs, output)) = letters.split_once("->") else {
        bail!("\"{letters}\" has no \"->\": write it before the letters of the result");
    };
    let numbers = |text: &str| -> Result<Vec<usize>> {
        let letters = text.chars().filter(|letter| !letter.is_whitespace());
        let number = |letter: char| {
            if !letter.is_ascii_alphabetic() {
                bail!("{letter:?} is no index: each is one letter from a to z or from A to Z");
            }
            Ok(letter as usize)
        };
        letters.map(number).collect()
    };
    let inputs = inputs.split(',').map(numbers).collect::<Result<Vec<_>>>()?;
    if inputs.len() != tensors.len() {
        bail!("\"{letters}\" is for {} tensors, and {} are given", inputs.len(), tensors.len());
    }
    let operands: Vec<(&Tensor, &[usize])> = tensors.iter().copied().zip(inputs.iter().map(Vec::as_slice)).collect();
    contract(&operands, &numbers(output)?)
}

/// The sum, over each index that `output` does not have, of the products of all tensors' elements, where each tensor
/// comes with an index for each of its axes. The result has its axes in the order of `output`.
///
/// It multiplies all before it sums, so it needs memory for an element of each combination of all indices.
///
/// # Errors
/// Where a tensor has another number of axes than indices, an index is along axes of several sizes, or the result has
/// an index that no tensor has, or one twice.
pub fn contract(tensors: &[(&Tensor, &[usize])], output: &[usize]) -> Result<Tensor> {
    let operands = with_deltas(tensors)?;
    let sizes = sizes(&operands)?;
    for (place, index) in output.iter().enumerate() {
        if !sizes.contains_key(index) {
            bail!("the result has the index {}, which no tensor has", name(*index));
        }
        if output[..place].contains(index) {
            bail!("the result has the index {} twice", name(*index));
        }
    }
    let summed = sizes.keys().filter(|index| !output.contains(index));
    // An axis of the products for each index, those that are summed over last.
    let axes: Vec<usize> = output.iter().chain(summed).copied().collect();
    let mut factors = operands.iter().map(|(tensor, indices)| along(tensor, indices, &axes));
    let Some(first) = factors.next() else { bail!("no tensors to multiply") };
    let products = factors.try_fold(first?, |products, factor| products.broadcast_mul(&factor?))?;
    if axes.len() == output.len() {
        return Ok(products);
    }
    products.sum((output.len()..axes.len()).collect::<Vec<usize>>())
}

/// The tensors with no index twice: where one has it twice, along a diagonal, the second axis gets an index of its own,
/// and a Kronecker delta ties both: `a_ii = a_ij δ_ij`.
fn with_deltas(tensors: &[(&Tensor, &[usize])]) -> Result<Vec<(Tensor, Vec<usize>)>> {
    let mut unused = tensors.iter().flat_map(|(_, indices)| *indices).max().map_or(0, |largest| largest + 1);
    let mut operands = Vec::new();
    for &(tensor, indices) in tensors {
        if tensor.rank() != indices.len() {
            bail!("{} indices for the axes of a tensor {:?}: give one for each", indices.len(), tensor.dims());
        }
        let mut distinct = Vec::new();
        for (&index, &size) in indices.iter().zip(tensor.dims()) {
            if distinct.contains(&index) {
                operands.push((Tensor::eye(size, tensor.dtype(), tensor.device())?, vec![index, unused]));
                distinct.push(unused);
                unused += 1;
            } else {
                distinct.push(index);
            }
        }
        operands.push((tensor.clone(), distinct));
    }
    Ok(operands)
}

/// The size of the axes that each index runs along.
fn sizes(operands: &[(Tensor, Vec<usize>)]) -> Result<BTreeMap<usize, usize>> {
    let mut sizes = BTreeMap::new();
    for (tensor, indices) in operands {
        for (&index, &size) in indices.iter().zip(tensor.dims()) {
            let known = *sizes.entry(index).or_insert(size);
            if known != size {
                bail!("the index {} is along an axis of {known} elements and along one of {size}", name(index));
            }
        }
    }
    Ok(sizes)
}

/// The tensor with its axes in the order of `axes`, and an axis of one element for each index that it does not have.
fn along(tensor: &Tensor, indices: &[usize], axes: &[usize]) -> Result<Tensor> {
    let places: Vec<Option<usize>> = axes.iter().map(|axis| indices.iter().position(|index| index == axis)).collect();
    let order: Vec<usize> = places.iter().flatten().copied().collect();
    let shape: Vec<usize> = places.iter().map(|place| place.map_or(1, |place| tensor.dims()[place])).collect();
    tensor.permute(order)?.reshape(shape)
}

/// An index as its letter, where it has one.
fn name(index: usize) -> String {
    let letter = u8::try_from(index).ok().filter(u8::is_ascii_alphabetic);
    letter.map_or_else(|| index.to_string(), |letter| char::from(letter).to_string())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use proptest::prelude::*;

    use super::*;

    fn ascending(shape: &[usize]) -> Result<Tensor> {
        let count: usize = shape.iter().product();
        Tensor::from_iter((1..=count).map(|i| i as f64), &Device::Cpu)?.reshape(shape)
    }

    #[test]
    fn letters_stand_for_the_operations_of_linear_algebra() -> Result<()> {
        let (a, b) = (ascending(&[2, 3])?, ascending(&[3, 4])?);
        let values = |tensor: Tensor| tensor.flatten_all()?.to_vec1::<f64>();
        assert_eq!(values(einsum("ij, jk -> ik", &[&a, &b])?)?, values(a.matmul(&b)?)?);
        assert_eq!(values(einsum("ij->ji", &[&a])?)?, values(a.t()?)?);
        assert_eq!(values(einsum("ij -> j", &[&a])?)?, [5.0, 7.0, 9.0]);
        let v = ascending(&[3])?;
        assert_eq!(values(einsum("i, j -> ij", &[&v, &v])?)?, [1.0, 2.0, 3.0, 2.0, 4.0, 6.0, 3.0, 6.0, 9.0]);
        assert_eq!(einsum("i, i ->", &[&v, &v])?.to_scalar::<f64>()?, 14.0);
        Ok(())
    }

    #[test]
    fn an_index_that_stands_twice_runs_along_the_diagonal() -> Result<()> {
        let a = ascending(&[3, 3])?;
        assert_eq!(einsum("ii ->", &[&a])?.to_scalar::<f64>()?, 15.0);
        assert_eq!(einsum("ii -> i", &[&a])?.to_vec1::<f64>()?, [1.0, 5.0, 9.0]);
        // tr(A²), by letters and by the product.
        let square = einsum("ij, ji ->", &[&a, &a])?.to_scalar::<f64>()?;
        assert_eq!(square, einsum("ii ->", &[&a.matmul(&a)?])?.to_scalar::<f64>()?);
        let cube = ascending(&[2, 2, 2])?;
        assert_eq!(einsum("iii -> i", &[&cube])?.to_vec1::<f64>()?, [1.0, 8.0]);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_told() -> Result<()> {
        let (a, v) = (ascending(&[2, 3])?, ascending(&[2])?);
        let cases: [(&str, &[&Tensor], &str); 8] = [
            ("ij, j", &[&a, &v], "has no \"->\""),
            ("i1 -> i", &[&a], "'1' is no index"),
            ("ij, j -> i", &[&a], "for 2 tensors, and 1 are given"),
            ("ij, j -> i", &[&a, &v], "index j is along an axis of 3 elements and along one of 2"),
            ("i -> i", &[&a], "1 indices for the axes of a tensor [2, 3]"),
            ("ij -> k", &[&a], "index k, which no tensor has"),
            ("ij -> ii", &[&a], "index i twice"),
            ("ii -> i", &[&a], "index i is along"),
        ];
        for (letters, tensors, expected) in cases {
            let message = einsum(letters, tensors).expect_err(letters).to_string();
            assert!(message.contains(expected), "{letters}: {message}");
        }
        assert!(contract(&[], &[]).expect_err("nothing to multiply").to_string().contains("no tensors"));
        Ok(())
    }

    proptest! {
        /// c_kl is the sum of b_ijk a_il v_j over i and j.
        #[test]
        fn a_contraction_is_its_sum(
            [di, dj, dk, dl] in prop::array::uniform4(1usize..4),
            values in prop::collection::vec(-5i8..=5, 27 + 9 + 3),
        ) {
            let tensor = |from: usize, shape: &[usize]| -> Result<Tensor> {
                let count: usize = shape.iter().product();
                let elements = values[from..from + count].iter().map(|&x| f64::from(x));
                Tensor::from_iter(elements, &Device::Cpu)?.reshape(shape)
            };
            let (b, a, v) = (tensor(0, &[di, dj, dk])?, tensor(27, &[di, dl])?, tensor(36, &[dj])?);
            let at = |i: usize, j: usize, k: usize, l: usize| {
                let places = [(i * dj + j) * dk + k, 27 + i * dl + l, 36 + j];
                places.map(|place| f64::from(values[place])).iter().product::<f64>()
            };
            let element = |(k, l): (usize, usize)| -> f64 {
                (0..di).flat_map(|i| (0..dj).map(move |j| (i, j))).map(|(i, j)| at(i, j, k, l)).sum()
            };
            let expected: Vec<f64> = (0..dk).flat_map(|k| (0..dl).map(move |l| (k, l))).map(element).collect();
            let found = contract(&[(&b, &[0, 1, 2]), (&a, &[0, 3]), (&v, &[1])], &[2, 3])?;
            prop_assert_eq!(found.dims(), &[dk, dl]);
            prop_assert_eq!(found.flatten_all()?.to_vec1::<f64>()?, expected);
        }
    }
}
