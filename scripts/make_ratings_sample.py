"""Writes a sample of ratings in the manner of MovieLens, whose license does not allow parts of it to be passed on.

    python3 scripts/make_ratings_sample.py data/samples/ml-100k

The files are in RecBole's format: `ml-100k.inter` (ratings), `ml-100k.item` (movies), `ml-100k.user` (people). Everything in
them is invented, by a model with the same random numbers each time:

- A movie has one or two of six genres, a quality (normal, 0.45) and a popularity that falls with its rank.
- A person has a taste for each genre (normal, 0.9), a mood (normal, 0.35), and an interest for one genre at a time, which
  moves on to another now and then.
- Movies are chosen by popularity, times the exponential of taste and of interest, each by each person once at most.
- A rating is 3.4 + mood + quality + the mean taste for the movie's genres + normal noise (0.6), rounded, from 1 to 5.
- Ratings of one person come in sittings: some seconds apart within one, days between two.
"""

import math
import random
import sys
from pathlib import Path

USERS, MOVIES, RATINGS = 60, 90, 2500
LEAST = 18  # ratings of a person
GENRES = ["Action", "Comedy", "Drama", "Romance", "Sci-Fi", "Thriller"]
FIRST = "Amber Brass Cobalt Distant Endless Forgotten Gilded Hidden Iron Jagged Last Midnight Northern Paper Quiet".split()
SECOND = {
    "Action": "Convoy Harpoon Pursuit Rampart Squadron".split(),
    "Comedy": "Cousins Honeymoon Mixup Parrot Weekend".split(),
    "Drama": "Harvest Inheritance Orchard Testament Winter".split(),
    "Romance": "Embrace Letters Promenade Serenade Waltz".split(),
    "Sci-Fi": "Asteroid Colony Nebula Satellite Signal".split(),
    "Thriller": "Alibi Cellar Ransom Shadow Witness".split(),
}
OCCUPATIONS = "artist baker clerk doctor engineer farmer gardener lawyer nurse sailor student teacher writer".split()
START = 874_700_000  # seconds: the autumn of 1997


def make_movies(rng):
    """Title, year, genres, quality and popularity of each movie."""
    movies, titles = [], set()
    while len(movies) < MOVIES:
        genres = rng.sample(GENRES, rng.choice([1, 1, 2]))
        title = f"{rng.choice(FIRST)} {rng.choice(SECOND[genres[0]])}"
        if title in titles:
            continue
        titles.add(title)
        year = 1997 - int(rng.expovariate(1 / 8))
        movies.append((title, year, sorted(genres), rng.gauss(0, 0.45)))
    ranks = list(range(1, MOVIES + 1))
    rng.shuffle(ranks)
    return [(*movie, rank ** -0.7) for movie, rank in zip(movies, ranks)]


def make_counts(rng):
    """How many movies each person rates: few rate many."""
    weights = [rng.lognormvariate(0, 0.6) for _ in range(USERS)]
    rest = RATINGS - LEAST * USERS
    counts = [LEAST + round(rest * weight / sum(weights)) for weight in weights]
    return [min(count, MOVIES - 10) for count in counts]


def make_ratings(rng, movies):
    rows = []
    for user, count in enumerate(make_counts(rng), 1):
        taste = {genre: rng.gauss(0, 0.9) for genre in GENRES}
        mood, interest = rng.gauss(0, 0.35), rng.choice(GENRES)
        left = dict(enumerate(movies, 1))
        time = START + rng.randrange(180 * 86_400)
        for _ in range(count):
            if rng.random() < 0.15:
                interest, time = rng.choice(GENRES), time + rng.randrange(1, 10) * 86_400
            time += rng.randrange(0, 90)

            def liking(movie):
                return sum(taste[genre] for genre in movie[2]) / len(movie[2])

            weights = [movie[4] * math.exp(0.8 * liking(movie) + 1.5 * (interest in movie[2])) for movie in left.values()]
            item = rng.choices(list(left), weights)[0]
            movie = left.pop(item)
            stars = round(3.4 + mood + movie[3] + liking(movie) + rng.gauss(0, 0.6))
            rows.append((user, item, min(5, max(1, stars)), time))
    rng.shuffle(rows)
    return rows


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(16)
    movies = make_movies(rng)
    people = [(rng.randrange(15, 70), rng.choice("FM"), rng.choice(OCCUPATIONS)) for _ in range(USERS)]

    def write(ending, header, rows):
        lines = ["\t".join(header), *("\t".join(map(str, row)) for row in rows)]
        (folder / f"ml-100k.{ending}").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")

    ratings = make_ratings(rng, movies)
    write("inter", ["user_id:token", "item_id:token", "rating:float", "timestamp:float"], ratings)
    rows = [(number, title, year, " ".join(genres)) for number, (title, year, genres, *_) in enumerate(movies, 1)]
    write("item", ["item_id:token", "movie_title:token_seq", "release_year:token", "class:token_seq"], rows)
    rows = [(number, *person, f"{10_000 + 37 * number}") for number, person in enumerate(people, 1)]
    write("user", ["user_id:token", "age:token", "gender:token", "occupation:token", "zip_code:token"], rows)
    print(f"{len(ratings)} ratings of {len(movies)} movies by {len(people)} people")


if __name__ == "__main__":
    main()
