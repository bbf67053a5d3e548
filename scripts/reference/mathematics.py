"""SciPy 1.17.1's values for the sections of chapter 18, as JSON for `crates/math/tests/it/golden.rs`.

One function a section makes one file; a new one joins `SECTIONS`. Points reach far into the tails, where a distribution
function that is computed as one minus another has no digit left.
"""

import json
from pathlib import Path

import numpy as np
import scipy
from scipy import special, stats

FOLDER = Path(__file__).resolve().parents[2] / "crates" / "math" / "tests" / "golden"


def numbers(values):
    """Plain numbers, whose shortest form Python writes and any reader gets back to the last bit."""
    return [value.item() for value in np.asarray(values)]


def masses(name, law, parameters, points):
    """A discrete distribution at whole numbers: its masses, how probable it is to be at most, and above, each."""
    points = np.asarray(points)
    values = {"mass": law.pmf(points), "cumulative": law.cdf(points), "survival": law.sf(points)}
    return {"name": name, "parameters": parameters, "x": numbers(points)} | {
        key: numbers(value) for key, value in values.items()
    }


def densities(name, law, parameters, points):
    """A continuous distribution at points: its density, how probable it is to be below, and above, each."""
    points = np.asarray(points, dtype=np.float64)
    values = {"density": law.pdf(points), "cumulative": law.cdf(points), "survival": law.sf(points)}
    return {"name": name, "parameters": parameters, "x": numbers(points)} | {
        key: numbers(value) for key, value in values.items()
    }


def quantiles(name, law, parameters, shares):
    """Where a continuous distribution's function has given values."""
    shares = np.asarray(shares)
    return {"name": name, "parameters": parameters, "p": numbers(shares), "x": numbers(law.ppf(shares))}


def entropy(name, law, parameters):
    """The entropy in nats, and the first two moments."""
    mean, variance = law.stats(moments="mv")
    return {
        "name": name,
        "parameters": parameters,
        "entropy": float(law.entropy()),
        "mean": float(mean),
        "variance": float(variance),
    }


def distributions():
    """Sections 18.5 to 18.8, 18.10 and 18.11: all distributions that they take from statrs."""
    spread = np.linspace(-8, 8, 65)
    heavy = np.concatenate([np.linspace(-5, 5, 21), [-1e6, -1e3, -40.0, 40.0, 1e3, 1e6]])
    shares = [1e-9, 1e-4, 0.005, 0.025, 0.1, 0.3, 0.5, 0.7, 0.9, 0.975, 0.995, 0.9999]
    return {
        "discrete": [
            masses("bernoulli", stats.bernoulli(0.3), [0.3], [0, 1]),
            masses("discrete_uniform", stats.randint(1, 6), [1, 5], range(1, 6)),
            masses("binomial", stats.binom(10, 0.2), [10, 0.2], range(11)),
            masses("binomial", stats.binom(13, 9 / 13), [13, 9 / 13], range(14)),
            masses("binomial", stats.binom(100, 0.2), [100, 0.2], range(0, 101, 5)),
            masses("binomial", stats.binom(1000, 0.2), [1000, 0.2], range(100, 320, 10)),
            masses("binomial", stats.binom(10_000, 0.0005), [10_000, 0.0005], range(0, 31, 3)),
            masses("poisson", stats.poisson(5.0), [5.0], range(0, 41, 2)),
            masses("poisson", stats.poisson(0.5), [0.5], range(12)),
            masses("poisson", stats.poisson(100.0), [100.0], range(40, 200, 10)),
        ],
        "continuous": [
            densities("uniform", stats.uniform(1, 2), [1, 3], np.linspace(0.05, 3.95, 27)),
            densities("normal", stats.norm(), [0, 1], spread),
            densities("normal", stats.norm(), [0, 1], [-37.0, -30.0, -20.0, -12.0, 12.0, 20.0, 30.0, 37.0]),
            densities("normal", stats.norm(1, 2), [1, 2], spread),
            densities("cauchy", stats.cauchy(), [0, 1], heavy),
            densities("laplace", stats.laplace(0, 0.5**0.5), [0, 0.5**0.5], spread),
            densities("students_t", stats.t(4), [0, 1, 4], heavy),
            densities("students_t", stats.t(9), [0, 1, 9], np.linspace(-6, 6, 25)),
        ],
        "quantiles": [
            quantiles("normal", stats.norm(), [0, 1], shares),
            quantiles("students_t", stats.t(1), [0, 1, 1], shares[2:-2]),
            quantiles("students_t", stats.t(4), [0, 1, 4], shares[2:-2]),
            quantiles("students_t", stats.t(999), [0, 1, 999], shares[2:-2]),
        ],
        "entropies": [
            entropy("bernoulli", stats.bernoulli(9 / 13), [9 / 13]),
            entropy("uniform", stats.uniform(1, 2), [1, 3]),
            entropy("normal", stats.norm(1, 2), [1, 2]),
            entropy("laplace", stats.laplace(0, 0.5**0.5), [0, 0.5**0.5]),
        ],
        "erf": {"x": numbers(spread / 2), "y": numbers(special.erf(spread / 2))},
    }


SECTIONS = [distributions]


def text(values):
    """JSON with a line for each entry of a list."""
    parts = []
    for key, value in values.items():
        entries = ",\n".join(map(json.dumps, value)) if isinstance(value, list) else None
        parts.append(f"{json.dumps(key)}: " + (json.dumps(value) if entries is None else f"[\n{entries}\n]"))
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for section in SECTIONS:
        values = {"made_with": f"SciPy {scipy.__version__}"} | section()
        (FOLDER / f"{section.__name__}.json").write_text(text(values))
