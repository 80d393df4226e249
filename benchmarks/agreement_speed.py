"""How fast resamples of alpha and whole agreement studies are, against a loop over the krippendorff package.

    python benchmarks/agreement_speed.py [--quick]

Prints Markdown. "package" is 1,000 resamples by its function, extrapolated from a few; "same draws" resamples clusters
with the very draws of that loop; "patterns" draws the number of units of each pattern; "jackknife" is the interval that
the product gives (all four levels at once, no resampling).
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import krippendorff
import numpy as np
import numpy.typing as npt
import pandas as pd

from flask_eval.analysis.agreement import inter_rater, judge_versus_human
from flask_eval.analysis.agreement.alphas import alphas
from flask_eval.analysis.agreement.intervals import interval_of
from flask_eval.analysis.agreement.resampling import alpha_draws, alpha_draws_of_units, draw_clusters
from flask_eval.analysis.agreement.sheet import sheet_of_table

RESAMPLES = 1000


def best(work: Callable[[], Any], times: int = 5) -> float:
    """Milliseconds of the fastest of several runs."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return 1000 * min(found)


def ratings(units: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """(3, units) scores from 1 to 5."""
    rng = np.random.default_rng(seed)
    quality = rng.standard_normal(units)
    return np.clip(np.round(3 + 0.8 * quality + 0.8 * rng.standard_normal((3, units))), 1, 5)


def resamples(units: int, level: str, few: int) -> str:
    """A row of the table: times in ms, ratios, and the largest difference on the same draws."""
    table = ratings(units)
    draws = draw_clusters(units, RESAMPLES, seed=1)
    wanted = np.zeros(few)

    def loop() -> None:
        for place in range(few):
            wanted[place] = krippendorff.alpha(table[:, draws[place]], level_of_measurement=level)

    package = best(loop, 2) * RESAMPLES / few
    ours = best(lambda: alpha_draws(sheet_of_table(table), level, draw_clusters(units, RESAMPLES, seed=1)))
    patterns = best(lambda: alpha_draws_of_units(sheet_of_table(table), level, resamples=RESAMPLES, seed=1))
    jackknife = best(lambda: [interval_of(found) for found in alphas(sheet_of_table(table)).values()])
    gap = np.abs(alpha_draws(sheet_of_table(table), level, draws[:few]) - wanted).max()
    cells = [f"{units:,}", level, f"{package:,.0f}", f"{ours:.0f}", f"x{package / ours:.0f}", f"{patterns:.1f}"]
    return "| " + " | ".join([*cells, f"x{package / patterns:,.0f}", f"{jackknife:.1f}", f"{gap:.1e}"]) + " |"


def study(instances: int, models: int, skills: int, seed: int = 0) -> pd.DataFrame:
    """A long table: three people and two judges."""
    rng = np.random.default_rng(seed)
    quality = rng.standard_normal(instances * models * skills)
    place = np.arange(quality.size)
    parts = [
        pd.DataFrame(
            {
                "instance": "i" + pd.Series(place // (models * skills)).astype("str"),
                "model": "m" + pd.Series(place // skills % models).astype("str"),
                "skill": "s" + pd.Series(place % skills).astype("str"),
                "rater": rater,
                "kind": "human" if rater.startswith("person") else "judge",
                "score": np.digitize(quality + rng.standard_normal(quality.size), [-2, -1, 0, 1]) + 1.0,
            }
        )
        for rater in ("person 1", "person 2", "person 3", "judge 1", "judge 2")
    ]
    return pd.concat(parts, ignore_index=True)


def whole(table: pd.DataFrame, resamples: int) -> str:
    """A row of the table of whole studies."""
    start = time.perf_counter()
    among = inter_rater(table, resamples=resamples)
    middle = time.perf_counter()
    against = judge_versus_human(table, resamples=resamples)
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cells = [f"{len(table):,}", f"{resamples:,}", f"{len(among) + len(against):,}"]
    return "| " + " | ".join([*cells, f"{middle - start:.2f}", f"{end - middle:.2f}", f"{peak:.0f}"]) + " |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave out what takes long")
    quick = parser.parse_args().quick
    print("Whole studies: `inter_rater` and `judge_versus_human`, three people and two judges; seconds, MB at most.\n")
    print("| ratings | resamples | rows | among raters | against people | peak MB |")
    print("| ---: |" + " ---: |" * 5)
    for instances, wanted in ((500, 1000), *(() if quick else ((8334, 0), (8334, 1000)))):
        print(whole(study(instances, 4, 6), wanted))
    print(f"\n{RESAMPLES:,} resamples of alpha, 3 raters, scores 1-5; ms, fastest of 5; ratios to the package.\n")
    print(
        "| units | level | package | same draws | ratio | patterns | ratio | jackknife, 4 levels | largest difference |"
    )
    print("| ---: | --- |" + " ---: |" * 7)
    for units, few in ((1740, 20), (10_000, 10), *(() if quick else ((100_000, 3),))):
        for level in ("nominal", "ordinal", "interval", "ratio"):
            print(resamples(units, level, few))


if __name__ == "__main__":
    main()
