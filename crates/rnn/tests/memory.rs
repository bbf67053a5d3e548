//! Training keeps nothing of the minibatches that are done: alone in its file, since it looks at the whole process.

#![cfg(target_os = "linux")]

use anyhow::Result;
use d2l::prelude::Device;
use d2l::random::{Purpose, Random};
use d2l::text::{Sampling, SequenceLoader};
use d2l::train::{Monitor, Progress};
use rnn::language_model::clipped_descent;
use rnn::lstm::LstmScratch;
use rnn::rnn_scratch::train;

const MIB: u64 = 1 << 20;

/// The memory that is resident, in bytes.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096
}

/// Trains a small net on so many minibatches an epoch, listened to by `monitor`.
fn run(batches: usize, epochs: usize, monitor: &mut dyn Monitor) -> Result<()> {
    let corpus: Vec<u32> = (0..(batches as u32 * 20 + 7)).map(|i| (i * i / 7) % 6).collect();
    let stream = Random::new(1).fork(Purpose::Shuffling);
    let mut loader = SequenceLoader::new(corpus, (4, 5), Sampling::Sequential, stream, &Device::Cpu)?;
    let net = LstmScratch::new(6, 16, &mut Random::new(2).fork(Purpose::Initialization), &Device::Cpu)?;
    let mut updater = clipped_descent(net.variables(), 0.5);
    train(&net, &mut loader, epochs, &mut updater, monitor, |_| Ok(()))?;
    Ok(())
}

/// The resident memory early in training and at its end.
#[derive(Default)]
struct Sizes {
    batches: usize,
    early: u64,
    late: u64,
}

impl Monitor for Sizes {
    fn batch(&mut self, _: &Progress) {
        self.batches += 1;
        if self.batches == 300 {
            self.early = resident();
        }
        self.late = resident();
    }
}

#[test]
fn memory_grows_neither_over_500_epochs_nor_over_a_long_one() -> Result<()> {
    for (batches, epochs) in [(4, 500), (2000, 1)] {
        let mut sizes = Sizes::default();
        run(batches, epochs, &mut sizes)?;
        assert!(sizes.batches > 1400 && sizes.early > MIB, "{} minibatches, {} bytes", sizes.batches, sizes.early);
        let grown = sizes.late.saturating_sub(sizes.early);
        assert!(grown < 6 * MIB, "{epochs} epochs of {batches} minibatches: {grown} bytes more at the end");
    }
    Ok(())
}
