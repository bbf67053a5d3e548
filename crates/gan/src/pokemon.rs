//! Sprites of Pokemon: small pictures of creatures (section 17.2).

use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};
use d2l::prelude::*;
use rand::seq::index;
use rayon::prelude::*;
use vision::picture::Picture;
use zip::ZipArchive;

/// Pixels a side, to which all sprites are brought.
pub const SIDE: usize = 64;

/// The book's archive has some forty thousand files in eight hundred folders.
const MAX_ENTRIES: usize = 200_000;
/// The largest sprites have some ten thousand bytes.
const MAX_SPRITE: u64 = 1 << 22;
/// All of the book's together have less than a tenth of this.
const MAX_BYTES: u64 = 1 << 30;

/// 40,597 sprites, or 6,190 where those cannot be had, of 64 x 64 pixels in color on white.
#[derive(Debug, Clone)]
pub struct Pokemon {
    sprites: Vec<Picture>,
    stands_in: bool,
}

impl Pokemon {
    /// Reads the pictures of a zip archive without unpacking it, in the order of their folders' names and of their own. Each is
    /// brought to 64 x 64 pixels; what is transparent shows white.
    ///
    /// # Errors
    /// Where the archive cannot be read, is damaged, too large, or has no pictures; where a picture is at fault, which the
    /// error names.
    pub fn read(archive: &Path) -> Result<Self, DataError> {
        let mut files = pictures_of(archive)?;
        files.sort_by(|(a, _), (b, _)| a.split('/').cmp(b.split('/')));
        let sprite = |(name, bytes): &(String, Vec<u8>)| -> Result<Picture, DataError> {
            Ok(Picture::decode(bytes, &archive.join(name))?.resized(SIDE, SIDE)?)
        };
        let sprites = files.par_iter().map(sprite).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { sprites, stands_in: false })
    }

    /// So many of the sprites, drawn at random, in their order; all where there are no more.
    pub fn chosen(mut self, count: usize, stream: &mut Stream) -> Self {
        if count < self.len() {
            let mut places = index::sample(stream, self.len(), count).into_vec();
            places.sort_unstable();
            self.sprites = places.into_iter().map(|place| self.sprites[place].clone()).collect();
        }
        self
    }

    /// A sprite.
    pub fn sprite(&self, index: usize) -> &Picture {
        &self.sprites[index]
    }
}

/// Pictures `(batch, 3, 64, 64)` from -1 for black to 1 for white, as a generator's hyperbolic tangent gives them.
impl Dataset for Pokemon {
    type Batch = Tensor;

    fn len(&self) -> usize {
        self.sprites.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<Tensor> {
        let mut values = vec![0f32; indices.len() * 3 * SIDE * SIDE];
        values.par_chunks_exact_mut(3 * SIDE * SIDE).zip(indices).for_each(|(planes, &index)| {
            self.sprites[index].write_planes(planes, |_, byte| f32::from(byte) / 127.5 - 1.0);
        });
        Tensor::from_vec(values, (indices.len(), 3, SIDE, SIDE), device)
    }
}

/// The pictures in a zip archive: their names and bytes. Files that are none by their names are passed over.
fn pictures_of(archive: &Path) -> Result<Vec<(String, Vec<u8>)>, DataError> {
    let failed = |what: &str| DataError::invalid(format!("{}: {what}", archive.display()));
    let damaged =
        |error: &dyn Display| failed(&format!("damaged or cut short ({error}); delete it and fetch it again"));
    let file = File::open(archive).map_err(|reason| DataError::read(archive, reason))?;
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(&error))?;
    if zip.len() > MAX_ENTRIES {
        return Err(failed(&format!("more than {MAX_ENTRIES} entries: this is another archive")));
    }
    let (mut files, mut total) = (Vec::new(), 0);
    for place in 0..zip.len() {
        let entry = zip.by_index(place).map_err(|error| damaged(&error))?;
        let name = entry.name().map_err(|error| damaged(&error))?.into_owned();
        if !entry.is_file() || !is_picture(&name) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.take(MAX_SPRITE + 1).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        let size = bytes.len() as u64;
        total += size;
        if size > MAX_SPRITE {
            return Err(failed(&format!("entry `{name}`: more than {MAX_SPRITE} bytes: this is no sprite")));
        }
        if total > MAX_BYTES {
            return Err(failed(&format!("more than {MAX_BYTES} bytes of pictures: this is another archive")));
        }
        files.push((name, bytes));
    }
    if files.is_empty() {
        return Err(failed("no picture in it: is it another archive?"));
    }
    Ok(files)
}

fn is_picture(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
    // What a Mac leaves beside each file of an archive begins with a dot.
    !file.starts_with('.') && ["png", "jpg", "jpeg"].iter().any(|known| ending.eq_ignore_ascii_case(known))
}

impl Source for Pokemon {
    const SAMPLE_NOTICE: &'static str = "the sprites of Pokemon could not be had, so this run uses 120 drawn ones that come \
         with the repository; its results say nothing of the book's.";

    /// The book's archive, or else a smaller one of the same creatures.
    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        match hub.fetch("pokemon") {
            Ok(archive) => Self::read(&archive),
            // The error of the book's set says more.
            Err(error) => {
                let archive = hub.fetch("pokemon/sprites").map_err(|_| error)?;
                Ok(Self { stands_in: true, ..Self::read(&archive)? })
            }
        }
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.stands_in.then_some(
            "the book's 40,597 sprites of Pokemon could not be had: 6,190 others are used, two frames of each of the \
             animations that a game of 2010 has, on white.",
        )
    }

    /// Creatures that `scripts/make_sprites_sample.py` draws.
    fn sample() -> Result<Self, DataError> {
        Self::read(&hub::sample("pokemon/sprites.zip")?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Cursor, Write as _};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn pack(path: &Path, entries: &[(&str, &[u8])]) -> Outcome {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            writer.start_file(*name, SimpleFileOptions::default())?;
            writer.write_all(content)?;
        }
        fs::write(path, writer.finish()?.into_inner())?;
        Ok(())
    }

    /// A picture of the detection sample, of 256 x 256 pixels.
    fn large_picture() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        Ok(fs::read(hub::sample("detection/bananas_val/images/0.jpg")?)?)
    }

    #[test]
    fn the_sample_is_read_in_color() -> Outcome {
        let set = Pokemon::sample()?;
        assert_eq!((set.len(), set.stand_in()), (120, None));
        let batch = set.batch(&[7, 3], &Device::Cpu)?;
        assert_eq!(batch.dims(), [2, 3, SIDE, SIDE]);
        // The corners are white.
        assert_eq!(batch.i((.., .., 0, SIDE - 1))?.to_vec2::<f32>()?, [[1.0; 3]; 2]);
        let values = batch.get(1)?.flatten_all()?.to_vec1::<f32>()?;
        assert!(values.iter().all(|value| (-1.0..=1.0).contains(value)) && values.iter().any(|value| *value < -0.5));
        let red = f32::from(set.sprite(3).pixels()[3 * (SIDE * 30 + 30)]) / 127.5 - 1.0;
        assert_eq!(values[SIDE * 30 + 30], red);
        Ok(())
    }

    #[test]
    fn folders_are_in_order_and_other_files_passed_over() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.zip");
        let (large, small) = (large_picture()?, Pokemon::sample()?);
        let file = fs::read(hub::sample("detection/bananas_val/images/1.jpg")?)?;
        pack(
            &path,
            &[
                ("p/2/a.JPG", &large),
                ("__MACOSX/p/2/._a.jpg", b"a Mac's"),
                ("p/list.txt", b"a list"),
                ("p/10/b.jpg", &file),
            ],
        )?;
        let set = Pokemon::read(&path)?;
        let wanted = |bytes: &[u8]| Picture::decode(bytes, &path)?.resized(SIDE, SIDE).map_err(DataError::from);
        assert_eq!((set.len(), set.sprite(0), set.sprite(1)), (2, &wanted(&file)?, &wanted(&large)?));
        assert_eq!(small.sprite(0).width(), SIDE);
        Ok(())
    }

    #[test]
    fn archives_at_fault_are_named() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("odd.zip");
        let message = || Pokemon::read(&path).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message().contains("odd.zip"), "{}", message());
        let whole = fs::read(hub::sample("pokemon/sprites.zip")?)?;
        fs::write(&path, &whole[..whole.len() / 2])?;
        assert!(message().contains("odd.zip") && message().contains("damaged"), "{}", message());
        let mut changed = whole;
        changed[60..200].fill(0);
        fs::write(&path, changed)?;
        assert!(message().contains("odd.zip"), "{}", message());
        pack(&path, &[("p/list.txt", b"a list")])?;
        assert!(message().contains("odd.zip") && message().contains("no picture"), "{}", message());
        pack(&path, &[("p/1/a.png", b"a text")])?;
        assert!(message().contains("odd.zip/p/1/a.png") && message().contains("neither"), "{}", message());
        pack(&path, &[("p/1/a.png", &vec![0; MAX_SPRITE as usize + 1])])?;
        assert!(message().contains("`p/1/a.png`") && message().contains("no sprite"), "{}", message());
        Ok(())
    }

    #[test]
    fn a_choice_follows_from_the_seed() -> Outcome {
        let choose = |seed, count| {
            let set = Pokemon::sample()?.chosen(count, &mut Random::new(seed).stream(Purpose::Sampling, "sprites"));
            Ok::<_, DataError>((0..set.len()).map(|place| set.sprite(place).clone()).collect::<Vec<_>>())
        };
        let (one, again, other) = (choose(1, 20)?, choose(1, 20)?, choose(2, 20)?);
        assert_eq!((one.len(), &one), (20, &again));
        assert_ne!(one, other);
        assert_eq!(choose(1, 500)?.len(), 120);
        Ok(())
    }
}
