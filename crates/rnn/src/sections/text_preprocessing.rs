//! 8.2 Text Preprocessing
//!
//! A novel becomes a list of whole numbers: lines, tokens, a vocabulary, ids.
//!
//! `cargo run --release -p rnn -- text-preprocessing`
//! 3,221 lines, 4,580 ids for words, 28 for characters, 170,580 characters.

use d2l::data::TimeMachine;
use d2l::prelude::*;
use d2l::text::{TokenKind, Vocab, tokenize};

/// Settings.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Lines whose tokens are shown
    #[arg(long, default_value_t = 11, value_parser = count)]
    pub show_lines: usize,
}

defaults! { Config }

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let text = nb.load::<TimeMachine>()?;
    let lines = text.lines();
    nb.say(format!("{} lines of text", lines.len()))?;
    nb.show("the first", &lines[0])?;
    if let Some(line) = lines.get(10) {
        nb.show("the eleventh", line)?;
    }
    nb.metric("lines", lines.len() as f64)?;

    nb.cell("Tokenization")?;
    let tokens = tokenize(lines, TokenKind::Word);
    for line in tokens.iter().take(config.show_lines) {
        nb.say(format!("{line:?}"))?;
    }

    nb.cell("Vocabulary")?;
    let words = tokens.concat();
    let vocab = Vocab::new(words.iter().copied(), 0, &[]);
    let mut table = Table::new(["id", "token", "count"]);
    table.row(["0".into(), vocab.token(0)?.to_string(), "none".into()]);
    for (id, (token, count)) in (1..).zip(vocab.frequencies().iter().take(9)) {
        table.row([id.to_string(), token.clone(), count.to_string()]);
    }
    nb.say(table)?;
    nb.metric("word_ids", vocab.len() as f64)?;

    nb.cell("From words to ids and back")?;
    for line in tokens.iter().filter(|line| !line.is_empty()).take(3) {
        let ids = vocab.ids(line);
        nb.say(format!("{} → {ids:?} → {}", line.join(" "), vocab.tokens(&ids)?.join(" ")))?;
    }
    nb.show("the id of a word that the book does not have", vocab.id("candle-flame"))?;

    nb.cell("Putting all things together")?;
    let (corpus, vocab) = text.corpus(None);
    nb.say(format!("{} characters, {} ids", corpus.len(), vocab.len()))?;
    nb.say(format!("{:?} → {:?}", vocab.tokens(&corpus[..16])?.concat(), &corpus[..16]))?;
    nb.metric("characters", corpus.len() as f64)?;
    nb.metric("character_ids", vocab.len() as f64)
}
