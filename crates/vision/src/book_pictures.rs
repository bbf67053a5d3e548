//! The book's own photographs.

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};

use crate::picture::Picture;

const SAMPLE_NOTICE: &str =
    "the book's photograph could not be had, so this run shows a drawing that comes with the repository in its place.";

/// A photograph of the book's, by its name in the hub.
macro_rules! photograph {
    ($(#[$about:meta])* $name:ident, $file:literal) => {
        $(#[$about])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Picture);

        impl Source for $name {
            const SAMPLE_NOTICE: &'static str = SAMPLE_NOTICE;

            fn fetch(hub: &Hub) -> Result<Self, DataError> {
                Ok(Self(Picture::open(&hub.fetch($file)?)?))
            }

            /// A drawing by `scripts/make_vision_samples.py`, of the same size.
            fn sample() -> Result<Self, DataError> {
                Ok(Self(Picture::open(&hub::sample(concat!("images/", $file, ".jpg"))?)?))
            }
        }
    };
}

photograph! {
    /// A dog and a cat side by side, 728 x 561 pixels (sections 13.3 to 13.5).
    CatAndDog, "catdog"
}
photograph! {
    /// A cat, 500 x 400 pixels (section 13.1).
    Cat, "cat1"
}
photograph! {
    /// Bananas, 256 x 256 pixels (section 13.7).
    Bananas, "banana"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_have_the_photographs_sizes() -> Result<(), Box<dyn std::error::Error>> {
        let size = |picture: &Picture| (picture.width(), picture.height());
        assert_eq!(size(&CatAndDog::sample()?.0), (728, 561));
        assert_eq!(size(&Cat::sample()?.0), (500, 400));
        assert_eq!(size(&Bananas::sample()?.0), (256, 256));
        Ok(())
    }
}
