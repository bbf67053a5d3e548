//! Measuring time.

use std::time::{Duration, Instant};

/// A stopwatch that keeps each measured span (section 3.1). It runs from its creation on.
///
/// ```
/// let mut timer = d2l::train::Timer::new();
/// timer.stop();
/// timer.start();
/// timer.stop();
/// assert_eq!(timer.spans().len(), 2);
/// assert!(timer.sum() >= timer.average());
/// ```
#[derive(Debug, Clone)]
pub struct Timer {
    started: Instant,
    spans: Vec<Duration>,
}

impl Default for Timer {
    fn default() -> Self {
        Self::new()
    }
}

impl Timer {
    /// A running timer.
    pub fn new() -> Self {
        Self { started: Instant::now(), spans: Vec::new() }
    }

    /// Starts a new span.
    pub fn start(&mut self) {
        self.started = Instant::now();
    }

    /// Ends the span, keeps it and gives its length.
    pub fn stop(&mut self) -> Duration {
        let span = self.started.elapsed();
        self.spans.push(span);
        span
    }

    /// The spans measured so far.
    pub fn spans(&self) -> &[Duration] {
        &self.spans
    }

    /// The mean span; zero before the first.
    #[doc(alias = "avg")]
    pub fn average(&self) -> Duration {
        self.sum().checked_div(self.spans.len() as u32).unwrap_or_default()
    }

    /// All spans together.
    pub fn sum(&self) -> Duration {
        self.spans.iter().sum()
    }

    /// The time up to the end of each span.
    #[doc(alias = "cumsum")]
    pub fn cumulative(&self) -> Vec<Duration> {
        let add = |total: &mut Duration, span: &Duration| {
            *total += *span;
            Some(*total)
        };
        self.spans.iter().scan(Duration::ZERO, add).collect()
    }
}
