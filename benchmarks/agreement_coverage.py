"""How often 95% intervals of agreement measures hold the true value: a simulation, printed as a Markdown table.

    python benchmarks/agreement_coverage.py [--draws 2000] [--strength 0.6]

Each draw is a study of n instances: three people and a judge score a response from 1 to 5, as a latent quality with
noise, cut at fixed points ("benign": shares .1 .2 .4 .2 .1; "ceiling": 60% of all scores are 5). "Clustered": each
instance has one to four responses that share half of their quality. The truth is the measure of 400,000 instances.
The system level has eight models with fixed qualities; its truth is that of these models.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from flask_eval.analysis.agreement.alphas import alphas
from flask_eval.analysis.agreement.concordance import kendall
from flask_eval.analysis.agreement.correlation import pearson, spearman
from flask_eval.analysis.agreement.icc import icc
from flask_eval.analysis.agreement.intervals import IDENTITY, Estimate, cluster_mean, difference_of, interval_of
from flask_eval.analysis.agreement.kappa import point_measures
from flask_eval.analysis.agreement.levels import Points, instance_level, system_level
from flask_eval.analysis.agreement.nominal import category_measures
from flask_eval.analysis.agreement.paired import paired
from flask_eval.analysis.agreement.resampling import Weights
from flask_eval.analysis.agreement.sheet import sheet_of

Array = npt.NDArray[np.float64]
CUTS = {"benign": ndtri([0.1, 0.3, 0.7, 0.9]), "ceiling": ndtri([0.04, 0.10, 0.20, 0.40])}
REQUIRED = (
    "mean",
    "alpha",
    "alpha (ordinal)",
    "alpha (nominal)",
    "r",
    "rho",
    "tau",
    "kappa",
    "kappa (linear)",
    "kappa (quadratic)",
)
TRUTH = 400_000


@dataclass(frozen=True)
class Case:
    """What is simulated."""

    scores: str
    n: int
    clustered: bool
    strength: float

    def draw(self, rng: np.random.Generator, n: int | None = None) -> tuple[Array, npt.NDArray[np.int64]]:
        """(responses, 5) scores of three people and two judges, and the instance of each response."""
        n = n or self.n
        sizes = rng.integers(1, 5, n) if self.clustered else np.ones(n, np.int64)
        cluster = np.repeat(np.arange(n), sizes)
        shared = rng.standard_normal(n)[cluster]
        quality = np.sqrt(0.5) * (shared + rng.standard_normal(cluster.size)) if self.clustered else shared
        noise = rng.standard_normal((cluster.size, 5))
        noise[:, 4] = 0.6 * noise[:, 3] + 0.8 * noise[:, 4]
        latent = np.sqrt(self.strength) * quality[:, None] + np.sqrt(1 - self.strength) * noise
        return np.digitize(latent, CUTS[self.scores]) + 1.0, cluster

    def __str__(self) -> str:
        return f"{self.scores}, n = {self.n}" + (", clustered" if self.clustered else "")


def measures(table: Array, cluster: npt.NDArray[np.int64], *, spread: bool = True) -> dict[str, Estimate]:
    """Every measure of one study."""
    people, judge, other = table[:, :3], table[:, 3], table[:, 4]
    unit, rater = (part.reshape(-1) for part in np.indices(people.shape))
    sheet = sheet_of(unit, rater, people.reshape(-1), cluster[unit])
    alpha = alphas(sheet, ["interval", "ordinal", "nominal"], spread=spread)
    pairs, mean = paired(judge, people[:, 0], cluster), people.mean(axis=1)
    points = point_measures(pairs, spread=spread)
    against_mean = paired(judge, mean, cluster)
    found = {
        "mean": cluster_mean(judge, cluster, transform=IDENTITY, spread=spread),
        "alpha": alpha["interval"],
        "alpha (ordinal)": alpha["ordinal"],
        "alpha (nominal)": alpha["nominal"],
        "r": pearson(pairs, spread=spread),
        "rho": spearman(pairs, spread=spread),
        "tau": kendall(pairs, spread=spread),
        "kappa": points["kappa"],
        "kappa (linear)": points["kappa_linear"],
        "kappa (quadratic)": points["kappa_quadratic"],
        "r with the mean": pearson(against_mean, spread=spread),
        "rho with the mean": spearman(against_mean, spread=spread),
        "tau with the mean": kendall(against_mean, spread=spread),
        "exact": points["exact"],
        "within one": points["within_one"],
        "mean difference": cluster_mean(judge - mean, cluster, spread=spread),
        "two judges: r": difference_of(
            pearson(against_mean, spread=spread), pearson(paired(other, mean, cluster), spread=spread)
        ),
    }
    categories = category_measures(sheet, n_categories=5, spread=spread)
    found |= {name: categories[name] for name in ("percent", "fleiss", "conger", "ac1", "brennan_prediger")}
    return found | icc(sheet, spread=spread)


def coverage(case: Case, draws: int, seed: int = 1) -> dict[str, tuple[float, float]]:
    """For each measure the share of draws whose interval holds the truth, and the share without an interval."""
    rng = np.random.default_rng(seed)
    truth = {name: found.value for name, found in measures(*case.draw(rng, TRUTH), spread=False).items()}
    held = dict.fromkeys(truth, 0)
    missing = dict.fromkeys(truth, 0)
    for _ in range(draws):
        for name, found in measures(*case.draw(rng)).items():
            ends = interval_of(found).ends
            missing[name] += ends is None
            held[name] += ends is not None and ends[0] <= truth[name] <= ends[1]
    return {name: (held[name] / max(draws - missing[name], 1), missing[name] / draws) for name in truth}


def levels(n: int, spread: float, draws: int, seed: int = 1) -> dict[str, float]:
    """Coverage at the levels instance and system with eight models whose qualities have a standard deviation."""
    rng = np.random.default_rng(seed)
    held: dict[str, list[bool]] = {}
    fixed = 12
    for _ in range(fixed):
        people = rng.standard_normal(8) * spread
        judge = 0.8 * people + 0.4 * spread * rng.standard_normal(8)
        big = _points(rng, people, judge, 60_000)
        truth = {f"system: {name}": e.value for name, e in system_level(big).estimates.items()}
        truth |= {f"instance: {name}": e.value for name, e in instance_level(big).estimates(spread=False).items()}
        for draw in range(max(draws // fixed // 5, 1)):
            points = _points(rng, people, judge, n)
            weights = Weights(n, 1000, draw)
            found = {f"system: {name}": e for name, e in system_level(points, weights).estimates.items()}
            found |= {f"instance: {name}": e for name, e in instance_level(points).estimates().items()}
            for name, estimate in found.items():
                ends = interval_of(estimate).ends
                value = truth[name]
                held.setdefault(name, []).append(ends is not None and ends[0] - 1e-9 <= value <= ends[1] + 1e-9)
    return {name: float(np.mean(row)) for name, row in held.items()}


def _points(rng: np.random.Generator, people: Array, judge: Array, n: int) -> Points:
    shared = rng.standard_normal((n, 1))
    quality = shared + rng.standard_normal((n, 8))
    y, x = (
        np.digitize((effect + quality + rng.standard_normal((n, 8))) / np.sqrt(3), CUTS["benign"]) + 1.0
        for effect in (people, judge)
    )
    instance = np.repeat(np.arange(n), 8)
    return Points(x.reshape(-1), y.reshape(-1), instance, np.tile(np.arange(8), n), instance)


def cases(strength: float) -> Iterator[Case]:
    """Benign and ceiling scores, 50 and 200 instances, by themselves and clustered."""
    for scores in CUTS:
        for n in (50, 200):
            for clustered in (False, True):
                yield Case(scores, n, clustered, strength)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--strength", type=float, default=0.6, help="correlation of the latent qualities of two raters")
    asked = parser.parse_args()
    start = time.perf_counter()
    found = {str(case): coverage(case, asked.draws) for case in cases(asked.strength)}
    print(f"Coverage of 95% intervals in %, {asked.draws:,} draws, latent correlation {asked.strength:g}.\n")
    print("| measure | " + " | ".join(found) + " |")
    print("| --- |" + " ---: |" * len(found))
    for name in next(iter(found.values())):
        cells = [
            f"{100 * share:.1f}" + (f" ({100 * none:.1f} none)" if none else "")
            for share, none in (row[name] for row in found.values())
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    worst = {
        kind: min(
            (row[name][0], name, case) for case, row in found.items() if case.startswith(kind) for name in REQUIRED
        )
        for kind in CUTS
    }
    best = max(
        (row[name][0], name, case) for case, row in found.items() if case.startswith("benign") for name in REQUIRED
    )
    print(f"\nRequired at item level: benign 92.5 to 97.5, ceiling at least 91. Lowest: {worst}. Highest: {best}.\n")
    studies = {
        f"n = {n}, models' spread {spread}": levels(n, spread, asked.draws) for n in (50, 200) for spread in (0.3, 0.6)
    }
    print("Levels instance and system, eight models; the system's intervals are conditional on these models.\n")
    print("| measure | " + " | ".join(studies) + " |")
    print("| --- |" + " ---: |" * len(studies))
    for name in next(iter(studies.values())):
        print(f"| {name} | " + " | ".join(f"{100 * row[name]:.1f}" for row in studies.values()) + " |")
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
