//! A short name for what a section's code does, kept with each recorded run: when the two differ, the output is older
//! than the code.
//!
//! The rule works line by line, so that it is the same for everyone who reads it and needs no parser:
//!
//! 1. the source ends where `#[cfg(test)]` stands directly above `mod …`;
//! 2. what follows `//` outside of double quotes goes, doc comments included;
//! 3. white space at both ends of a line goes, and so do lines that are then empty.
//!
//! What remains is hashed with SHA-256. Quotes are matched within one line only, so inside a string that spans lines
//! a `//` is taken for a comment; block comments count as code.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// How many of the hash's 32 bytes are kept: enough to tell the versions of one file apart.
const BYTES: usize = 8;

/// The first 16 hexadecimal digits of the SHA-256 of the source's code, which comments, blank lines, indentation and
/// the tests at the end do not change.
pub fn fingerprint(source: &str) -> String {
    let mut hash = Sha256::new();
    let mut lines = source.lines().map(|line| without_comment(line).trim()).filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.starts_with("mod ")) {
            break;
        }
        hash.update(line);
        hash.update("\n");
    }
    hash.finalize().iter().take(BYTES).fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

fn without_comment(line: &str) -> &str {
    let bytes = line.as_bytes();
    let mut quoted = false;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'/' if !quoted && bytes.get(at + 1) == Some(&b'/') => return &line[..at],
            _ => {}
        }
        at += 1;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    const SOURCE: &str = "//! 3.6 Title\n\npub fn f() -> f64 {\n    2.0\n}\n";

    #[test]
    fn sixteen_hexadecimal_digits() {
        let name = fingerprint(SOURCE);
        assert_eq!(name.len(), 16);
        assert!(name.chars().all(|c| c.is_ascii_hexdigit()));
        assert_eq!(fingerprint(""), "e3b0c44298fc1c14", "the known SHA-256 of nothing");
    }

    #[test]
    fn comments_blank_lines_indentation_and_tests_do_not_count() {
        let dressed = "//! 3.6 Other title\r\n/// Two.\r\npub fn f() -> f64 { // opens\r\n\r\n  // why\r\n\t2.0\r\n}\r\n\
                       \r\n#[cfg(test)]\r\nmod tests {\r\n    fn t() {}\r\n}\r\n";
        assert_eq!(fingerprint(dressed), fingerprint(SOURCE));
    }

    #[test]
    fn code_counts() {
        assert_ne!(fingerprint(&SOURCE.replace("2.0", "3.0")), fingerprint(SOURCE));
        assert_ne!(fingerprint("a\nb"), fingerprint("ab"));
        assert_ne!(fingerprint("#[cfg(test)]\nuse a;\nb"), fingerprint("#[cfg(test)]\nuse a;\nc"));
    }

    #[test]
    fn two_slashes_in_a_string_are_no_comment() {
        assert_ne!(fingerprint(r#"get("https://a")"#), fingerprint(r#"get("https://b")"#));
        assert_ne!(fingerprint(r#"say("\" // a")"#), fingerprint(r#"say("\" // b")"#));
        assert_eq!(fingerprint(r#"say("a") // "quoted""#), fingerprint(r#"say("a")"#));
    }
}
