//! The reader of sentence pairs, up to the minibatches of a training.
#![no_main]

use candle_core::Device;
use d2l::data::FraEng;
use d2l::random::{Purpose, Random};
use d2l_fuzz::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let input = Input::new("fra.txt", data);
    let set = match FraEng::read(input.path()) {
        Ok(set) => set,
        Err(error) => return input.named_in(&format!("{error:#}")),
    };
    let pairs = set.pairs(None).expect("a file that was read has a tab in each line");
    assert_eq!(pairs.source.len(), pairs.target.len());
    let shuffle = Random::new(1).fork(Purpose::Shuffling);
    let mut loader = set.load(3, 5, None, shuffle, &Device::Cpu).expect("a file that was read has pairs");
    let mut seen = 0;
    for batch in loader.epoch() {
        let batch = batch.expect("a minibatch");
        let (rows, steps) = batch.target.dims2().expect("a matrix");
        assert_eq!(steps, 5);
        for len in batch.target_lens.to_vec1::<u32>().expect("lengths") {
            assert!((1..=5).contains(&len));
        }
        seen += rows;
    }
    assert_eq!(seen, pairs.len());
});
