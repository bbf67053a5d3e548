//! Words whose nearest ones sections 14.4 and 14.5 show, and which of those are right.

use d2l::text::Vocab;

/// Words of different kinds.
pub const QUERIES: [&str; 6] = ["chip", "oil", "bank", "president", "monday", "three"];

/// Those of [`QUERIES`] that the vocabulary has, else its three most frequent words.
pub fn queries(vocab: &Vocab) -> Vec<String> {
    let known: Vec<String> =
        QUERIES.into_iter().filter(|word| vocab.id(word) != Vocab::UNKNOWN).map(String::from).collect();
    let frequent = (1..vocab.len() as u32).filter_map(|id| vocab.token(id).ok()).take(3).map(String::from);
    if known.is_empty() { frequent.collect() } else { known }
}

/// Words of the treebank's vocabulary for computers, their parts and programs, and companies that make them. These are 56
/// words of 6,719: of ten drawn by chance, not one would be among them in eleven cases of twelve.
const COMPUTING_WORDS: &str = "apple chips circuit compaq computer computers conner cray data dell desktop digital disk \
     disks drives electronics fujitsu graphics hardware hewlett-packard hitachi ibm instructions intel laptop lotus \
     machine machines mainframe mainframes memory microprocessor microsoft microsystems mips motorola nec networks pc \
     pcs printer processing processors programming semiconductor semiconductors silicon software supercomputer tandem \
     tandy terminals toshiba unisys wang workstations";

/// How many of these words have to do with computers: what the words nearest to "chip" should.
pub fn count_computing_words(words: &[(String, f64)]) -> usize {
    words.iter().filter(|(word, _)| COMPUTING_WORDS.split(' ').any(|known| known == word)).count()
}

/// Words in their order, without their cosines.
pub fn listed(words: &[(String, f64)]) -> String {
    words.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>().join(" ")
}

/// How many words are in both lists.
pub fn count_shared(words: &[(String, f64)], others: &[(String, f64)]) -> usize {
    words.iter().filter(|(word, _)| others.iter().any(|(other, _)| other == word)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computing_words_are_counted() {
        let words = ["intel", "the", "chips", "work", ""].map(|word| (word.to_string(), 0.5));
        assert_eq!((count_computing_words(&words), listed(&words[..3])), (2, "intel the chips".to_string()));
        assert_eq!((count_shared(&words, &words[2..4]), count_shared(&words, &[])), (2, 0));
        let words: Vec<&str> = COMPUTING_WORDS.split(' ').collect();
        assert!(words.len() == 56 && words.windows(2).all(|pair| pair[0] < pair[1]), "sorted, none twice");
    }

    #[test]
    fn there_is_always_a_query() {
        assert_eq!(queries(&Vocab::new("a a bank b".split(' '), 0, &[])), ["bank"]);
        assert_eq!(queries(&Vocab::new("a a c b".split(' '), 0, &[])), ["a", "c", "b"]);
    }
}
