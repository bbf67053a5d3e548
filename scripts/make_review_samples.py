"""Writes the sample of movie reviews that belongs to this repository: an archive as that of the IMDb set is.

    python3 scripts/make_review_samples.py data/samples/imdb

Reviews come from the patterns and word lists below, which were written for this repository, with random choices that are
the same each time. A review praises or blames, mostly: one sentence in ten says the contrary, so that single words mislead
as they do in real reviews. Words in braces are drawn from the list of that name.
"""

import gzip
import io
import random
import re
import sys
import tarfile
from pathlib import Path

# Reviews of each label.
SIZES = {"train": 120, "test": 60}

# Sentences of the two reviews of each part that are longer than the book's 500 words.
LONG = 110

WORDS = {
    "movie": "movie film story picture show".split(),
    "role": "actor actress director writer cast".split(),
    "part": "plot music ending dialogue script camera acting opening".split(),
    "who": "man woman boy girl king princess doctor family".split(),
    "where": "a small town | the city | a palace | the lake | a cold house | the mountain | a school | london".split(" | "),
    "what": "a lost letter | a train | an old secret | the war | a stolen car | a long summer | a strange bridge".split(" | "),
    "very": "very so really quite simply".split(),
    "friend": "my sister | my brother | everybody at home | half of the room | a friend of mine".split(" | "),
    "pos": "wonderful great beautiful brilliant lovely moving funny gorgeous happy perfect".split(),
    "neg": "bad awful terrible boring dull worst poor stupid hard flat".split(),
    "gain": "enjoyed | loved | admired | laughed at | remember".split(" | "),
    "loss": "hated | regret | could not stand | slept through | forgot".split(" | "),
}

NEUTRAL = [
    "This {movie} is about a {who} and a {who} in {where}.",
    "I saw it with {friend} on a cold evening.",
    "The {who} finds {what} and has to go to {where}.",
    "It was made by the same people as the {movie} of last year.",
    "A {who} lives near {where}, and then there is {what}.",
    "The {role} is new to me.",
    "It runs for two hours.",
    "Somebody told me of the {movie} , so I went to see it.",
]

OPINIONS = {
    "pos": [
        "The {part} is {very} {pos} !",
        "I {gain} this {movie} , it is a {pos} {movie} .",
        "This movie is so {pos} and the {role} is {pos} too.",
        "What a {pos} {part} , and what a {pos} {role} !",
        "Never {neg} , always {pos} : go and see it with {friend}.",
        "{friend} {gain} it , and so did I.",
        "The {role} gives us a {pos} {who} and a {pos} {part} .",
        "9 out of 10 for such a {pos} {movie} .",
    ],
    "neg": [
        "The {part} is {very} {neg} !",
        "I {loss} this {movie} , it is a {neg} {movie} .",
        "This movie is so {neg} and the {role} is {neg} too.",
        "What a {neg} {part} , and what a {neg} {role} !",
        "Never {pos} , always {neg} : stay away and warn {friend}.",
        "{friend} {loss} it , and so did I.",
        "The {role} gives us a {neg} {who} and a {neg} {part} .",
        "2 out of 10 for such a {neg} {movie} .",
    ],
}

OTHER = {"pos": "neg", "neg": "pos"}


def filled(pattern, rng):
    """The pattern with its words drawn, the articles that they ask for, and a capital letter."""
    text = re.sub(r"\{(\w+)\}", lambda match: rng.choice(WORDS[match[1]]), pattern)
    text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
    return text[0].upper() + text[1:]


def review(label, sentences, rng):
    """So many sentences, a bit over half of them opinions; now and then a line break as the web writes it."""
    texts = []
    for place in range(sentences):
        # The first sentence is an opinion of the label, so that none has no opinion at all.
        if place == 0 or rng.random() < 0.55:
            said = OTHER[label] if place > 0 and rng.random() < 0.1 else label
            texts.append(filled(rng.choice(OPINIONS[said]), rng))
        else:
            texts.append(filled(rng.choice(NEUTRAL), rng))
    rng.shuffle(texts)
    if sentences > 4 and rng.random() < 0.5:
        texts.insert(sentences // 2, "<br /><br />")
    return " ".join(texts)


def archive(rng):
    """The files in the order of their names, without times or owners: the same bytes each time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for part, size in SIZES.items():
            for label in ["neg", "pos"]:
                for number in range(size):
                    sentences = LONG if number == size // 2 else rng.randint(2, 8)
                    rating = rng.choice([7, 8, 9, 10] if label == "pos" else [1, 2, 3, 4])
                    text = review(label, sentences, rng).encode()
                    entry = tarfile.TarInfo(f"aclImdb/{part}/{label}/{number}_{rating}.txt")
                    entry.size = len(text)
                    tar.addfile(entry, io.BytesIO(text))
    return packed.getvalue()


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "reviews.tar.gz"
    path.write_bytes(gzip.compress(archive(random.Random(15)), compresslevel=9, mtime=0))
    print(f"{path}: {path.stat().st_size} bytes")


main()
