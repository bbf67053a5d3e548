//! The IDX reader: whatever the bytes, a set of the promised size or an error that names the file.
#![no_main]

use d2l::data::idx::Idx;
use d2l_fuzz::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The first byte chooses between plain and gzipped, images and labels.
    let Some((&choice, data)) = data.split_first() else { return };
    let name = if choice & 1 == 0 { "images" } else { "images.gz" };
    let axes = if choice & 2 == 0 { 3 } else { 1 };
    let input = Input::new(name, data);
    match Idx::read(input.path(), axes) {
        Ok(idx) => {
            assert_eq!(idx.dims.len(), axes);
            assert_eq!(idx.dims.iter().product::<usize>(), idx.values.len());
        }
        Err(error) => input.named_in(&error.to_string()),
    }
});
