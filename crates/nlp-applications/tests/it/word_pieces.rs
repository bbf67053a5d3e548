//! How long the word pieces of a large set take.

use std::path::Path;
use std::time::Instant;

use nlp_applications::word_pieces::BertTokenizer;

/// As many sentences as SNLI has, of fourteen words from forty thousand. `cargo test --release -p nlp-applications --test it
/// as_many -- --ignored --nocapture` says how long they take.
#[test]
#[ignore = "a measurement"]
fn as_many_sentences_as_snli_has_take_seconds() -> anyhow::Result<()> {
    const SENTENCES: u64 = 1_140_000;
    let word = |number: u64| -> String {
        let bits = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let letters = (0..3 + number % 8).map(|place| bits.rotate_left(7 * place as u32) % 26);
        letters.map(|letter| char::from(b'a' + letter as u8)).collect()
    };
    let words: Vec<String> = (0..40_000).map(word).collect();
    let sentence = |sentence: u64| -> String {
        let place = |place: u64| (sentence * 14 + place).wrapping_mul(0x2545_F491_4F6C_DD1D) >> 20;
        (0..14).map(|at| words[place(at) as usize % words.len()].as_str()).collect::<Vec<_>>().join(" ")
    };
    let sentences: Vec<String> = (0..SENTENCES).map(sentence).collect();
    let pieces = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/word_pieces.txt");
    let tokenizer = BertTokenizer::read_pieces(&pieces)?;
    let started = Instant::now();
    let ids = tokenizer.encode_all(&sentences.iter().map(String::as_str).collect::<Vec<_>>())?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{} sentences in {seconds:.1} s", ids.len());
    assert!(ids.len() as u64 == SENTENCES && seconds < 60.0, "{seconds} s");
    Ok(())
}
