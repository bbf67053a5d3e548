//! A program that times steps of one workload as it is told, a number of steps a line, an answer a line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What a worker says first.
#[derive(Debug, Clone, Deserialize)]
pub struct Greeting {
    pub name: String,
    /// How many numbers are trained.
    pub parameters: u64,
    pub threads: usize,
    /// Peak memory before there was a net.
    #[serde(default)]
    pub start_mb: Option<f64>,
    /// PyTorch's version, of its worker.
    #[serde(default)]
    pub torch: Option<String>,
}

/// What a worker answers.
#[derive(Debug, Clone, Deserialize)]
pub struct Round {
    /// The time of each step, in milliseconds.
    pub ms: Vec<f64>,
    /// The loss of the last step; nothing where it is no number.
    pub loss: Option<f64>,
    /// Peak memory so far.
    pub peak_mb: Option<f64>,
}

/// Something that takes steps and times them.
pub trait Worker {
    fn greeting(&self) -> &Greeting;

    /// Takes `steps` steps.
    fn round(&mut self, steps: usize) -> Result<Round>;
}

/// The two ends of a conversation.
pub trait Channel {
    fn input(&mut self) -> &mut dyn Write;
    fn output(&mut self) -> &mut dyn BufRead;
}

/// A running program. It ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Channel for Process {
    fn input(&mut self) -> &mut dyn Write {
        &mut self.input
    }

    fn output(&mut self) -> &mut dyn BufRead {
        &mut self.output
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A worker that has already ended is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A worker behind a channel of lines.
#[derive(Debug)]
pub struct LineWorker<C> {
    channel: C,
    /// As in messages.
    who: &'static str,
    pub greeting: Greeting,
}

impl LineWorker<Process> {
    /// Starts a program; what it writes to standard error goes to ours.
    pub fn start(mut command: Command, who: &'static str) -> Result<Self> {
        let program = command.get_program().to_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{who}: cannot start {}", program.display()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{who}: {} gives no pipes", program.display());
        };
        Self::new(Process { child, input, output: BufReader::new(output) }, who)
    }
}

impl<C: Channel> LineWorker<C> {
    /// Reads the greeting of a worker.
    pub fn new(mut channel: C, who: &'static str) -> Result<Self> {
        let greeting = read(&mut channel, who)?;
        Ok(Self { channel, who, greeting })
    }
}

impl<C: Channel> Worker for LineWorker<C> {
    fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    fn round(&mut self, steps: usize) -> Result<Round> {
        let Self { channel, who, greeting } = self;
        let input = channel.input();
        let sent = writeln!(input, "{steps}").and_then(|()| input.flush());
        sent.with_context(|| format!("{who} for {} is gone", greeting.name))?;
        let round: Round = read(channel, who).with_context(|| format!("timing {}", greeting.name))?;
        if round.ms.len() != steps {
            bail!("{who} for {} was asked for {steps} steps and timed {}", greeting.name, round.ms.len());
        }
        if round.loss.is_none() {
            bail!("{who} for {}: the loss is no longer a number, so its time says nothing", greeting.name);
        }
        Ok(round)
    }
}

fn read<T: DeserializeOwned>(channel: &mut impl Channel, who: &str) -> Result<T> {
    let mut line = String::new();
    channel.output().read_line(&mut line).with_context(|| format!("{who} cannot be read"))?;
    if line.is_empty() {
        bail!("{who} ended without an answer: what it says is above");
    }
    serde_json::from_str(&line).with_context(|| format!("{who} answers what is not understood: {line}"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const HELLO: &str = r#"{"name": "mlp", "parameters": 10, "threads": 2, "torch": "2.15"}"#;

    /// Answers what was prepared, and keeps what was asked.
    struct Script {
        asked: Vec<u8>,
        answers: Cursor<String>,
    }

    impl Channel for Script {
        fn input(&mut self) -> &mut dyn Write {
            &mut self.asked
        }

        fn output(&mut self) -> &mut dyn BufRead {
            &mut self.answers
        }
    }

    fn script(answers: &[&str]) -> Result<LineWorker<Script>> {
        let answers = Cursor::new(answers.iter().map(|line| format!("{line}\n")).collect());
        LineWorker::new(Script { asked: Vec::new(), answers }, "the worker")
    }

    #[test]
    fn asks_for_steps_and_reads_their_times() {
        let mut worker = script(&[HELLO, r#"{"ms": [1.5, 2.5], "loss": 0.3, "peak_mb": null}"#]).unwrap();
        assert_eq!((worker.greeting().parameters, worker.greeting().torch.as_deref()), (10, Some("2.15")));
        let round = worker.round(2).unwrap();
        assert_eq!((round.ms, round.peak_mb), (vec![1.5, 2.5], None));
        assert_eq!(worker.channel.asked, b"2\n");
        let error = format!("{:#}", worker.round(1).unwrap_err());
        assert!(error.contains("timing mlp") && error.contains("ended without an answer"), "{error}");
    }

    #[test]
    fn wrong_answers_are_told() {
        let error = |answers: &[&str]| format!("{:#}", script(answers).and_then(|mut w| w.round(2)).unwrap_err());
        assert!(error(&[]).contains("the worker ended without an answer"));
        assert!(error(&["oh"]).contains("not understood: oh"));
        assert!(error(&[HELLO, r#"{"ms": [1.0], "loss": 0.1}"#]).contains("asked for 2 steps and timed 1"));
        assert!(error(&[HELLO, r#"{"ms": [1.0, 1.0], "loss": null}"#]).contains("no longer a number"));
    }

    #[test]
    fn a_program_that_cannot_be_started_is_named() {
        let error = format!("{:#}", LineWorker::start(Command::new("no-such-program"), "the worker").unwrap_err());
        assert!(error.contains("the worker: cannot start no-such-program"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn talks_with_a_program() {
        let mut command = Command::new("sh");
        let answer = r#"{"ms": [4], "loss": 1, "peak_mb": 7}"#;
        command.arg("-c").arg(format!("echo '{HELLO}'; read steps; test $steps = 1 && echo '{answer}'"));
        let mut worker = LineWorker::start(command, "the worker").unwrap();
        assert_eq!(worker.round(1).unwrap().peak_mb, Some(7.0));
        assert!(worker.round(1).is_err(), "it has ended");
    }
}
