//! What a generator makes of the same noise in the course of a training.

use std::iter;

use candle_core::Shape;
use d2l::prelude::*;
use d2l::train::Kept;

use crate::adversarial::generate;

/// The epochs after which examples are kept.
pub const EPOCHS: [usize; 5] = [1, 2, 5, 10, 20];

/// What a generator makes of the same noise after each of [`EPOCHS`]. Checkpoints hold it with the training, so that one
/// that was broken off shows all of them in the end.
pub struct Album {
    noise: Tensor,
    /// Zeros until their epoch.
    pages: Vec<(usize, Var)>,
}

impl Album {
    /// An album of examples, which are of `shape` all together, made from `noise`.
    pub fn new(noise: &Tensor, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        let page = |epoch| Ok((epoch, Var::zeros(&shape, DType::F32, noise.device())?));
        Ok(Self { noise: noise.clone(), pages: EPOCHS.into_iter().map(page).collect::<Result<_>>()? })
    }

    /// What the generator makes of the noise now.
    pub fn draw(&self, generator: &impl ModuleT) -> Result<Tensor> {
        generate(generator, &self.noise)
    }

    /// Keeps what the generator makes now if this is one of the epochs.
    pub fn keep(&self, epoch: usize, generator: &impl ModuleT) -> Result<()> {
        match self.pages.iter().find(|(known, _)| *known == epoch) {
            Some((_, page)) => page.set(&self.draw(generator)?),
            None => Ok(()),
        }
    }

    /// The epochs before the last with what was kept, and the last with what the generator makes now.
    pub fn pages(&self, last: usize, generator: &impl ModuleT) -> Result<Vec<(usize, Tensor)>> {
        let kept = self.pages.iter().filter(|(epoch, _)| *epoch < last);
        let kept = kept.map(|(epoch, page)| Ok((*epoch, page.as_detached_tensor())));
        kept.chain(iter::once_with(|| Ok((last, self.draw(generator)?)))).collect()
    }
}

impl Trained for Album {
    fn kept(&self) -> Kept {
        Kept::variables(self.pages.iter().map(|(epoch, page)| (epoch.to_string(), page.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_of_their_epochs() -> Result<()> {
        let noise = Tensor::new(&[[1f32], [2.0]], &Device::Cpu)?;
        let album = Album::new(&noise, (2, 1))?;
        for epoch in 1..=6 {
            album.keep(epoch, &|z: &Tensor| z * epoch as f64)?;
        }
        let pages = album.pages(7, &|z: &Tensor| z * 7.0)?;
        let pages: Vec<(usize, Vec<Vec<f32>>)> =
            pages.into_iter().map(|(epoch, page)| Ok((epoch, page.to_vec2()?))).collect::<Result<_>>()?;
        let page = |epoch: usize| (epoch, vec![vec![epoch as f32], vec![2.0 * epoch as f32]]);
        assert_eq!(pages, [page(1), page(2), page(5), page(7)]);
        Ok(())
    }
}
