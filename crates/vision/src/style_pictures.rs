//! The two pictures of section 13.12.

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};

use crate::picture::Picture;

/// The book's pictures for style transfer.
#[derive(Debug, Clone)]
pub struct StylePictures {
    /// Mount Rainier's surroundings, a photograph of 2048 x 1365 pixels.
    pub content: Picture,
    /// An oak in autumn, an oil painting, 1717 x 1200 pixels.
    pub style: Picture,
}

impl Source for StylePictures {
    const SAMPLE_NOTICE: &'static str = "the book's pictures could not be had, so this run has drawings that come with the \
         repository in their place.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        let open = |name: &str| -> Result<Picture, DataError> { Ok(Picture::open(&hub.fetch(name)?)?) };
        Ok(Self { content: open("rainier")?, style: open("autumn-oak")? })
    }

    /// Smaller drawings by `scripts/make_vision_samples.py`.
    fn sample() -> Result<Self, DataError> {
        let open = |name: &str| -> Result<Picture, DataError> { Ok(Picture::open(&hub::sample(name)?)?) };
        Ok(Self { content: open("images/rainier.jpg")?, style: open("images/autumn-oak.jpg")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_have_the_shapes_of_the_pictures() -> Result<(), Box<dyn std::error::Error>> {
        let StylePictures { content, style } = StylePictures::sample()?;
        assert_eq!((content.width(), content.height()), (512, 341));
        assert_eq!((style.width(), style.height()), (429, 300));
        Ok(())
    }
}
