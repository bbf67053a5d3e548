"""Writes the sample of premises and hypotheses that belongs to this repository: two files in one of SNLI's formats.

    python3 scripts/make_sentence_inference_samples.py data/samples/snli

The pairs come from the patterns and lists below, which were written for this repository, with random choices that are the
same each time.
"""

import random
import sys
from pathlib import Path

TRAIN, TEST = 134, 40  # pairs of each label

# Someone, the same one again, the verb, and what can be said of them instead.
PEOPLE = [
    ("A man", "The man", "is", "A person"),
    ("A woman", "The woman", "is", "A person"),
    ("A boy", "The boy", "is", "A child"),
    ("A girl", "The girl", "is", "A child"),
    ("An old man", "The man", "is", "A man"),
    ("A young woman", "The woman", "is", "A woman"),
    ("Two men", "The men", "are", "Two people"),
    ("Two girls", "The girls", "are", "Two children"),
]

# What they do, and what follows from that.
DEEDS = [
    ("playing a guitar", "making music"),
    ("playing the drums", "making music"),
    ("riding a brown horse", "riding a horse"),
    ("riding a red bicycle", "riding a bicycle"),
    ("swimming in a lake", "in the water"),
    ("jumping into a pool", "in the water"),
    ("eating an apple", "eating fruit"),
    ("eating soup at a table", "eating soup"),
    ("reading a book on a bench", "reading a book"),
    ("reading a letter", "reading"),
    ("cooking soup in a kitchen", "making food"),
    ("baking bread in a kitchen", "making food"),
    ("singing on a stage", "singing"),
    ("dancing in the street", "outside"),
    ("walking a dog in a park", "outside"),
    ("washing a blue car", "washing a car"),
]

# What nobody does at the same time.
OTHERS = ["sleeping", "sleeping in a bed", "watching television at home", "flying a plane"]

# What may be so or not.
UNKNOWN = ["famous", "tired", "hungry", "from another city", "waiting for a friend", "here for the first time"]

# What cannot be said of one and the same.
OPPOSITES = [
    ("good", "bad"),
    ("happy", "sad"),
    ("young", "old"),
    ("rich", "poor"),
    ("tall", "small"),
    ("awake", "asleep"),
]
SUBJECTS = ["he is", "she is", "the man is", "the woman is", "they are"]

# The pair that section 15.5 asks about at its end.
BOOKS = ("contradiction", "he is good.", "he is bad.")


def pairs_of_deeds():
    for someone, again, verb, kind in PEOPLE:
        for deed, general in DEEDS:
            premise = f"{someone} {verb} {deed}."
            for hypothesis in (f"{kind} {verb} {deed}.", f"{someone} {verb} {general}.", f"{kind} {verb} {general}."):
                yield "entailment", premise, hypothesis
            for other in OTHERS:
                yield "contradiction", premise, f"{again} {verb} {other}."
            yield "contradiction", premise, f"Nobody is {deed}."
            for unknown in UNKNOWN:
                yield "neutral", premise, f"{again} {verb} {unknown}."


def pairs_of_opposites():
    for subject in SUBJECTS:
        for pair in OPPOSITES:
            for one, other in (pair, pair[::-1]):
                yield "contradiction", f"{subject} {one}.", f"{subject} {other}."
                yield "entailment", f"{subject} very {one}.", f"{subject} {one}."
                for unknown in UNKNOWN:
                    yield "neutral", f"{subject} {one}.", f"{subject} {unknown}."


def sets(rng):
    """The pairs to train on and those to test with, as many of each label and a third of them opposites, shuffled."""
    train, test = [], []
    for label in ("neutral", "contradiction", "entailment"):
        opposites = sorted({pair for pair in pairs_of_opposites() if pair[0] == label} - {BOOKS})
        deeds = sorted({pair for pair in pairs_of_deeds() if pair[0] == label})
        chosen = [BOOKS] if label == BOOKS[0] else []
        chosen += rng.sample(opposites, (TRAIN + TEST) // 3 - len(chosen))
        chosen += rng.sample(deeds, TRAIN + TEST - len(chosen))
        rest = chosen[1:]
        rng.shuffle(rest)
        train += chosen[:1] + rest[: TRAIN - 1]
        test += rest[TRAIN - 1 :]
    rng.shuffle(train)
    rng.shuffle(test)
    # Whoever prints the first three pairs sees each relation.
    first = [next(pair for pair in train if pair[0] == label) for label in ("neutral", "contradiction", "entailment")]
    return first + [pair for pair in train if pair not in first], test


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, pairs in zip(("train", "test"), sets(random.Random(15))):
        lines = ["sentence1\tsentence2\tgold_label\n"]
        lines += [f"{premise}\t{hypothesis}\t{label}\n" for label, premise, hypothesis in pairs]
        (folder / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
        print(f"{name}: {len(pairs)} pairs")
