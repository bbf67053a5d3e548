//! Training keeps nothing of the minibatches that are done: alone in its file, since it looks at the whole process.

#![cfg(target_os = "linux")]

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::Result;
use d2l::data::{Source, TimeMachine};
use d2l::nn::Parameters;
use d2l::optim::{Optimizer, Sgd};
use d2l::prelude::{Device, Trainer};
use d2l::random::{Purpose, Random};
use d2l::text::{Sampling, SequenceLoader};
use d2l::train::{Monitor, Progress};
use rnn::sections::rnn_scratch::train;
use rnn::{LstmCell, RnnModelScratch};

const MIB: u64 = 1 << 20;

/// The memory that is resident, in bytes.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096
}

/// Trains a small net on so many minibatches an epoch, listened to by `monitor`.
fn run(batches: usize, epochs: usize, monitor: Memory) -> Result<()> {
    let corpus: Vec<u32> = (0..(batches as u32 * 20 + 7)).map(|i| (i * i / 7) % 6).collect();
    let random = Random::new(1);
    let stream = random.stream(Purpose::Shuffling, "test");
    let mut loader = SequenceLoader::new(corpus, 4, 5, Sampling::Sequential, stream, &Device::Cpu)?;
    let parameters = Parameters::new(&random, &Device::Cpu);
    let (_, vocab) = TimeMachine::sample()?.corpus(None);
    let net = RnnModelScratch::<LstmCell>::new(vocab.len(), 16, &parameters.builder())?;
    let mut optimizer = Sgd::new(&parameters, 0.5).clip_norm(1.0);
    let trainer = Trainer::new(epochs).monitor(monitor).with(&parameters).with(&optimizer);
    train(trainer, &net, &vocab, &mut loader, |loss| optimizer.minimize(loss))?;
    Ok(())
}

/// The resident memory early in training and at its end.
#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Seen>>);

#[derive(Default)]
struct Seen {
    steps: usize,
    early: u64,
    late: u64,
}

impl Monitor for Memory {
    fn step(&mut self, _: &Progress<'_>) {
        let mut seen = self.0.borrow_mut();
        seen.steps += 1;
        if seen.steps == 300 {
            seen.early = resident();
        }
        seen.late = resident();
    }
}

#[test]
fn memory_grows_neither_over_500_epochs_nor_over_a_long_one() -> Result<()> {
    for (batches, epochs) in [(4, 500), (2000, 1)] {
        let memory = Memory::default();
        run(batches, epochs, memory.clone())?;
        let seen = memory.0.borrow();
        assert!(seen.steps > 1400 && seen.early > MIB, "{} minibatches, {} bytes", seen.steps, seen.early);
        let grown = seen.late.saturating_sub(seen.early);
        assert!(grown < 6 * MIB, "{epochs} epochs of {batches} minibatches: {grown} bytes more at the end");
    }
    Ok(())
}
