//! The reader of the novel: UTF-8 or an error with the line; what is read becomes ids and comes back from them.
#![no_main]

use d2l::data::TimeMachine;
use d2l::text::{self, TextError, TokenKind, Vocab, tokenize};
use d2l_fuzz::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let input = Input::new("novel.txt", data);
    match text::read(input.path()) {
        Ok(text) => {
            assert_eq!(text.as_bytes(), data);
            let lines: Vec<&str> = text.lines().collect();
            for kind in [TokenKind::Word, TokenKind::Char] {
                let tokens = tokenize(&lines, kind).concat();
                let vocab = Vocab::new(tokens.iter().copied(), 0, &[]);
                let ids = vocab.ids(&tokens);
                assert_eq!(vocab.tokens(&ids).expect("ids of the vocabulary"), tokens);
            }
        }
        Err(error) => {
            input.named_in(&error.to_string());
            if let TextError::NotUtf8 { line, byte, .. } = error {
                let start = data.split_inclusive(|&byte| byte == b'\n').take(line - 1).map(<[u8]>::len).sum::<usize>();
                assert!(std::str::from_utf8(&data[..start + byte - 1]).is_ok(), "line {line}, byte {byte}");
            }
        }
    }
    match TimeMachine::read(input.path()) {
        Ok(novel) => {
            let (corpus, vocab) = novel.corpus(None);
            assert!(vocab.len() <= 28 && corpus.iter().all(|&id| (id as usize) < vocab.len()));
        }
        Err(error) => input.named_in(&format!("{error:#}")),
    }
});
