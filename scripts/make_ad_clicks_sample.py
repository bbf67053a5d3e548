"""Writes the sample of clicks on advertisements that belongs to this repository: two files in the book's format.

    python3 scripts/make_ad_clicks_sample.py data/samples/ctr

No row comes from a data set of clicks. Categories are drawn from the lists below, and whether there is a click depends on
pairs of them, by the tables below: on whether an advertisement's topic suits the section of the site, and on the device and
the time of day. The same files come out each time. Needs Python's standard library only.
"""

import math
import random
import sys
from pathlib import Path

TRAINING, TEST = 300, 60

# The usual categories first, each next one rarer.
SITES = (
    "daily-crane lake-news market-street old-town evening-post harbor-times hill-radio river-weekly north-journal tea-house "
    "south-gate mill-pond stone-arch windmill orchard lantern ferry-log paper-kite"
).split()
# Sites that no training row has.
NEW_SITES = "bridge-letter garden-notes".split()
SECTIONS = "sports travel food money science".split()
ADVERTISERS = "alder birch cedar elm hazel juniper".split()
TOPICS = "shoes flights cookware loans telescopes".split()
DEVICES = "phone laptop tablet".split()
POSITIONS = "top side bottom".split()
WEEKDAYS = "mon tue wed thu fri sat sun".split()
TIMES = "morning noon evening night".split()
FIELDS = "site section advertiser topic device position weekday time".split()

# Each topic suits the section at its place.
SUITS = dict(zip(TOPICS, SECTIONS))
# When a device is looked at without haste.
QUIET = {("phone", "evening"), ("phone", "morning"), ("laptop", "noon"), ("tablet", "night")}


def drawn(rng, categories):
    """One of the categories, the first the most often."""
    return rng.choices(categories, [1 / (place + 1.5) for place in range(len(categories))])[0]


def row(rng, is_test):
    sites = NEW_SITES if is_test and rng.random() < 0.1 else SITES
    lists = [sites, SECTIONS, ADVERTISERS, TOPICS, DEVICES, POSITIONS, WEEKDAYS, TIMES]
    values = dict(zip(FIELDS, (drawn(rng, categories) for categories in lists)))
    suits = SUITS[values["topic"]] == values["section"]
    quiet = (values["device"], values["time"]) in QUIET
    score = -3.5 + 5.0 * suits + 2.0 * quiet + 0.5 * (values["position"] == "top")
    clicked = rng.random() < 1 / (1 + math.exp(-score))
    return "\t".join([str(int(clicked)), *(values[field] for field in FIELDS)])


def main(target):
    rng = random.Random(16)
    target.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", TRAINING), ("test", TEST)):
        rows = ["\t".join(["clicked", *FIELDS]), *(row(rng, part == "test") for _ in range(count))]
        (target / f"{part}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        clicks = sum(line.startswith("1\t") for line in rows)
        print(f"{part}: {count} rows, {clicks} clicks")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
