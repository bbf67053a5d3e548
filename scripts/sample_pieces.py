"""A small vocabulary of word pieces, made from the texts that were written for this repository."""

import re
from collections import Counter
from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "samples"
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def sample_words():
    """The words of the English samples, lower-cased, and how often each occurs."""
    english = [line.split("\t")[0] for line in (SAMPLES / "fra-eng/fra.txt").read_text("utf-8").splitlines()]
    files = ["ptb/ptb.train.txt", "wikitext-2/wiki.train.tokens", "time_machine/sample.txt"]
    texts = [(SAMPLES / file).read_text("utf-8") for file in files]
    return Counter(re.findall(r"[a-z]+", "\n".join([*english, *texts]).lower()))


def most(counts, number):
    """The most frequent, those of equal frequency by the alphabet."""
    return [entry for entry, _ in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:number]]


def pieces(characters, words, endings):
    """The marks; each of `characters` as a beginning and as a continuation; so many frequent words and endings."""
    counts = sample_words()
    tails = Counter()
    for word, count in counts.items():
        for length in range(2, min(5, len(word))):
            tails["##" + word[-length:]] += count
    long = Counter({word: count for word, count in counts.items() if len(word) > 1})
    single = [*characters, *("##" + character for character in characters)]
    every = [*MARKS, *single, *most(long, words), *most(tails, endings)]
    return list(dict.fromkeys(every))
