"""Do the comparison's error rates, its power and its rank ranges hold? A simulation, printed as Markdown rows.

    python benchmarks/comparing.py [--draws 1000] [--fast] [--only identical|power|ranks|equivalence]

Scores are latent qualities cut at four points into 1-5. A quality is the sum of what is shared by all models on an instance
(.35 of the variance), what a model does on a cluster (.1 where instances are clustered) and on an instance, over all its skills (.2), and noise.
"Benign" cuts give shares of .1 .2 .4 .2 .1; "ceiling" 60% of fives; "heavy ceiling" 85%.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from scipy.special import ndtri

from flask_eval.analysis.coding import Coded, coded
from flask_eval.analysis.comparing import Comparison, compare
from flask_eval.ratings import RatingTable

Array = npt.NDArray[np.float64]
SHARES = {
    "benign": (0.1, 0.3, 0.7, 0.9),
    "ceiling": (0.04, 0.10, 0.20, 0.40),
    "heavy ceiling": (0.01, 0.03, 0.06, 0.15),
}
LEFT = ["instance", "model", "response_sample", "skill", "rater", "kind", "sample"]


@dataclass(frozen=True)
class Design:
    """Who is rated on what, and how scores come about."""

    models: int = 15
    skills: int = 12
    instances: int = 200
    per_instance: int = 3
    """Skills that an instance is rated on."""
    cuts: str = "ceiling"
    cluster: str = "none"
    """`none`, `pairs`, or `unequal` (sizes of 1 to 8)."""
    popular: bool = False
    """Whether skills differ in how many instances they have, as FLASK's do."""
    missing: float = 0.0

    def __str__(self) -> str:
        rated = "all skills" if self.per_instance == self.skills else f"{self.per_instance} of {self.skills} skills"
        parts = [f"{self.instances} instances", rated if self.skills > 1 else "1 skill", self.cuts]
        parts += [f"clusters: {self.cluster}"] if self.cluster != "none" else []
        parts += ["skills of unequal size"] if self.popular else []
        parts += [f"{self.missing:.0%} missing"] if self.missing else []
        return ", ".join(parts)


@dataclass
class Simulation:
    """A design with its table; each draw gives it new scores."""

    design: Design
    quality: Array
    """[models]: added to the latent quality."""
    seed: int = 1
    data: Coded = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.cuts = ndtri(np.array(SHARES[self.design.cuts]))
        self.data = coded(_table(self.design, self.random))

    def draw(self, *, seed: int | None = None) -> Coded:
        """The ratings with new scores."""
        random = self.random if seed is None else np.random.default_rng(seed)
        data, d = self.data, self.design
        shared = random.normal(0, np.sqrt(0.35), d.instances)[data.instance]
        both = 0.0 if d.cluster == "none" else 0.1
        model = data.model
        of_cluster = random.normal(0, np.sqrt(both), (d.models, data.n_clusters))[model, data.cluster]
        of_instance = random.normal(0, np.sqrt(0.2), (d.models, d.instances))[model, data.instance]
        noise = random.normal(0, np.sqrt(0.45 - both), data.score.size)
        # models of the table come by name
        latent = shared + of_cluster + of_instance + noise + self.quality[model]
        score = np.digitize(latent, self.cuts) + 1.0
        outcome = np.zeros(score.size, np.int64)
        if d.missing:
            gone = random.random(score.size) < d.missing
            score[gone], outcome[gone] = np.nan, 2
        return replace(data, score=score, outcome=outcome)


def _table(design: Design, random: np.random.Generator) -> RatingTable:
    ids = [str(i) for i in range(design.instances)]
    chance = np.arange(1, design.skills + 1) ** -1.0 if design.popular else np.ones(design.skills)
    chosen = [random.choice(design.skills, design.per_instance, replace=False, p=chance / chance.sum()) for _ in ids]
    rows = [
        (i, f"m{m:02d}", f"s{s:02d}")
        for m in range(design.models)
        for i, own in zip(ids, chosen, strict=True)
        for s in own
    ]
    ratings = pd.DataFrame(rows, columns=["instance", "model", "skill"]).assign(
        response_sample=0, versus="", item="", rater="j", kind="judge", sample=0, variant="", score=1.0, outcome="scored", rationale=""
    )  # fmt: skip
    sizes = {"none": [1], "pairs": [2], "unequal": [1, 1, 2, 8]}[design.cluster]
    cluster = np.repeat(np.arange(design.instances), np.resize(sizes, design.instances))[: design.instances]
    instances = pd.DataFrame(
        {
            "instance": ids,
            "cluster": [str(c) for c in cluster],
            "source": "",
            "difficulty": [1 + int(i) % 5 for i in ids],
        }
    ).assign(skills=[()] * len(ids), domains=[()] * len(ids))
    return RatingTable(ratings, instances, pd.DataFrame(columns=LEFT), scales={"j": (1.0, 5.0)})


def repeated(
    simulation: Simulation, draws: int, tell: Callable[[Comparison], Sequence[float]], **options: object
) -> Array:
    """[draws, facts]: what is told of each draw's comparison."""
    return np.array([tell(compare(simulation.draw(), resamples=1, **options)) for _ in range(draws)], float)  # type: ignore[arg-type]


# ---- identical models ---------------------------------------------------------------------------------------------

IDENTICAL = (
    Design(per_instance=12, cuts="benign"),
    Design(),
    Design(per_instance=12),
    Design(cuts="heavy ceiling"),
    Design(cluster="pairs"),
    Design(cluster="unequal"),
    Design(popular=True),
    Design(missing=0.1),
    Design(instances=40),
    Design(instances=40, cuts="heavy ceiling"),
    Design(instances=20, per_instance=12),
)


def identical(draws: int) -> Iterator[list[str]]:
    """Reports that tell models apart that are the same."""
    yield ["15 identical models", "any overall pair", "any (pair, skill)", "any model best", "any interaction", "single overall intervals hold", "single skill intervals hold", "Bradley-Terry intervals hold"]  # fmt: skip
    for design in IDENTICAL:
        found = repeated(Simulation(design, np.zeros(design.models)), draws, _told, by="difficulty").mean(axis=0)
        yield [str(design), *(f"{100 * share:.1f}" for share in found)]


def _told(found: Comparison) -> Sequence[float]:
    overall = [row for row in found.pairs if row.skill is None and row.slice is None]
    rows = [row for row in found.pairs if row.skill is not None]
    parts = [row for row in found.pairs if row.slice is not None]
    best = [row for row in found.models if row.skill is None and row.slice is None and row.rank_high == 1]
    return [
        any(map(found.separated, overall)),
        any(map(found.separated, [*rows, *parts])),
        bool(best),
        any(map(found.separated, found.interactions)),
        _holds([(row.low, row.high) for row in overall]),
        _holds([(row.low, row.high) for row in rows]),
        _holds([(row.bradley_terry_low, row.bradley_terry_high) for row in found.strengths]),
    ]


def _holds(ends: Sequence[tuple[float | None, float | None]]) -> float:
    known = [(low, high) for low, high in ends if low is not None and high is not None]
    return float(np.mean([low <= 0 <= high for low, high in known])) if known else float("nan")


# ---- power --------------------------------------------------------------------------------------------------------

POWER = (
    Design(models=2, skills=1, per_instance=1, cuts="benign"),
    Design(models=2, skills=1, per_instance=1),
    Design(models=2),
    Design(skills=1, per_instance=1, cuts="benign"),
    Design(),
)


def power(draws: int) -> Iterator[list[str]]:
    """A planted difference of 0.3 points: how often it is found, and how often the formula says."""
    yield ["one model is 0.3 better", "models", "difference", "sd of a difference", "found", "nominal power"]
    for design in POWER:
        quality = np.zeros(design.models)
        quality[0] = _shift(design, 0.3)
        told = repeated(Simulation(design, quality), draws, _first_pair)
        difference, error, hit, tests, degrees = told.T
        spread = float(error.mean())
        t = stats.t.ppf(1 - 0.05 / (2 * tests[0]), degrees[0])
        nominal = stats.nct.sf(t, degrees[0], difference.mean() / spread)
        yield [str(design), str(design.models), f"{difference.mean():.3f}", f"{spread * np.sqrt(design.instances):.2f}", f"{100 * hit.mean():.1f}", f"{100 * nominal:.1f}"]  # fmt: skip


def _first_pair(found: Comparison) -> Sequence[float]:
    """The better model against the second by name: difference, standard error, found or not, tests at the first step, df."""
    row = next(r for r in found.pairs if r.skill is None and {r.a, r.b} == {"m00", "m01"})
    sign = 1 if row.a == "m00" else -1
    difference = sign * float(row.difference or 0)
    degrees = row.n - 1
    error = (float(row.high or 0) - float(row.low or 0)) / 2 / stats.t.ppf(0.975, degrees)
    return [difference, error, found.separated(row) and difference > 0, found.families["overall"], degrees]


def _shift(design: Design, points: float) -> float:
    """The latent shift that moves the mean score by so many points."""
    cuts = ndtri(np.array(SHARES[design.cuts]))
    low, high = 0.0, 5.0
    base = stats.norm.sf(cuts).sum()
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if stats.norm.sf(cuts - middle).sum() - base < points else (low, middle)
    return low


# ---- rank ranges --------------------------------------------------------------------------------------------------

RANKS = {
    "15 distinct, 0.1 latent apart": np.arange(15) * -0.1,
    "15 distinct, 0.02 latent apart": np.arange(15) * -0.02,
    "three groups of 5, 0.3 latent apart": np.repeat([0.0, -0.3, -0.6], 5),
    "three groups of 5, 0.1 latent apart": np.repeat([0.0, -0.1, -0.2], 5),
}


def rank_ranges(draws: int) -> Iterator[list[str]]:
    """Whether all rank ranges hold the true ranks at once; of tied models, all ranks of their group."""
    yield [
        "models",
        "design",
        "all overall ranges hold",
        "all ranges of all skills hold",
        "mean width of overall ranges",
    ]
    for name, quality in RANKS.items():
        for design in (Design(), Design(cluster="unequal")):
            first = 1 + (quality[:, None] < quality[None, :]).sum(axis=1)
            last = len(quality) - (quality[:, None] > quality[None, :]).sum(axis=1)

            def told(found: Comparison, first: Array = first, last: Array = last) -> Sequence[float]:
                held: dict[bool, list[bool]] = {True: [], False: []}
                width = []
                for row in found.models:
                    m = int(row.model[1:])
                    if row.rank_low is None or row.rank_high is None:
                        continue
                    held[row.skill is None].append(row.rank_low <= first[m] and row.rank_high >= last[m])
                    if row.skill is None:
                        width.append(row.rank_high - row.rank_low + 1)
                return [all(held[True]), all(held[False]), float(np.mean(width))]

            shares = repeated(Simulation(design, quality), draws, told).mean(axis=0)
            yield [name, str(design), f"{100 * shares[0]:.1f}", f"{100 * shares[1]:.1f}", f"{shares[2]:.1f}"]


# ---- equivalence --------------------------------------------------------------------------------------------------


def equivalence(draws: int) -> Iterator[list[str]]:
    """Two models that differ by just the margin must not be called tied; two that are the same should be."""
    yield ["two models, margin 0.2", "called tied at a difference of 0.2", "called tied at 0"]
    for design in (
        Design(models=2, skills=1, per_instance=1, cuts="benign"),
        Design(models=2, skills=1, per_instance=1),
        Design(models=2, skills=1, per_instance=1, cuts="heavy ceiling"),
        Design(models=2, skills=1, per_instance=1, cuts="heavy ceiling", instances=40),
        Design(models=2, cuts="heavy ceiling"),
        Design(models=2, instances=400),
        Design(models=2, instances=1700, popular=True),
    ):
        shares = []
        for points in (0.2, 0.0):
            quality = np.array([0.0, -_drop(design, points)])
            shares.append(repeated(Simulation(design, quality), draws, _tied, margin=0.2).mean())
        yield [str(design), *(f"{100 * share:.1f}" for share in shares)]


def _tied(found: Comparison) -> Sequence[float]:
    return [float(next(row for row in found.pairs if row.skill is None).equivalent is True)]


def _drop(design: Design, points: float) -> float:
    """The latent shift that lowers the mean score by so many points."""
    if not points:
        return 0.0
    cuts = ndtri(np.array(SHARES[design.cuts]))
    low, high = 0.0, 5.0
    for _ in range(60):
        middle = (low + high) / 2
        fallen = stats.norm.sf(cuts).sum() - stats.norm.sf(cuts + middle).sum()
        low, high = (middle, high) if fallen < points else (low, middle)
    return low


TABLES = {"identical": identical, "power": power, "ranks": rank_ranges, "equivalence": equivalence}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--fast", action="store_true", help="50 draws")
    parser.add_argument("--only", choices=list(TABLES))
    options = parser.parse_args()
    draws = 50 if options.fast else options.draws
    for name, table in TABLES.items():
        if options.only in (None, name):
            start = time.perf_counter()
            for k, cells in enumerate(table(draws)):
                print("| " + " | ".join(cells) + " |", flush=True)
                if not k:
                    print("|" + " --- |" * len(cells), flush=True)
            print(f"\n{name}: {draws:,} draws a row, {time.perf_counter() - start:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()
