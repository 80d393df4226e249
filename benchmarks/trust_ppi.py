"""Prediction-powered means cover what they claim, and are on average no wider than the labels alone.

Several models answer the same instances; people label some of the instances, a judge scores all. Each model's mean and
each difference of two models is compared with the truth. Lines differ in how good the judge is, in the scores (whole
points in the middle of the scale, or 60% at its top), in clusters and in how the labelled instances were chosen.

    python benchmarks/trust_ppi.py [--draws 2000]
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd

from flask_eval.analysis.trust.ppi import calibrated_differences, calibrated_means

MODELS = 4
JUDGED = 400
SETTINGS = [
    # scores, labelled, quality of the judge, instances a cluster, choice
    ("points", 20, 0.6, 1, "random"),
    ("points", 50, 0.0, 1, "random"),
    ("points", 50, 0.3, 1, "random"),
    ("points", 50, 0.6, 1, "random"),
    ("points", 50, 0.9, 1, "random"),
    ("points", 200, 0.0, 1, "random"),
    ("points", 200, 0.6, 1, "random"),
    ("points", 200, 0.9, 1, "random"),
    ("ceiling", 50, 0.0, 1, "random"),
    ("ceiling", 50, 0.6, 1, "random"),
    ("ceiling", 200, 0.6, 1, "random"),
    ("points", 100, 0.0, 4, "random"),
    ("points", 100, 0.6, 4, "random"),
    ("points", 200, 0.6, 4, "random"),
    ("points", 100, 0.0, 1, "unequal"),
    ("points", 100, 0.6, 1, "unequal"),
    ("points", 200, 0.6, 1, "unequal"),
]
LEVEL = {"points": 3.2, "ceiling": 4.45}


def draw(rng, scores, quality, size, instances):
    """People's scores, the judge's (both instances by models), and how easy each instance is."""
    clusters = -(-instances // size)
    share = 0.5 if size > 1 else 0.0
    in_cluster = np.repeat(rng.normal(size=clusters), size)[:instances]
    easy = np.sqrt(share) * in_cluster + np.sqrt(1 - share) * rng.normal(size=instances)
    own = 0.6 * easy[:, None] + 0.8 * rng.normal(size=(instances, MODELS)) + 0.2 * np.arange(MODELS)
    taste = np.repeat(rng.normal(size=(clusters, MODELS)), size, axis=0)[:instances]
    judged = quality * own + np.sqrt(1 - quality**2) * (
        np.sqrt(share) * taste + np.sqrt(1 - share) * rng.normal(size=(instances, MODELS))
    )
    points = [np.clip(np.round(LEVEL[scores] + shift + values), 1, 5) for shift, values in ((0, own), (0.4, judged))]
    return points[0], points[1], easy


def table(human, judge, there):
    instances = np.array([f"i{k}" for k in range(len(human))])
    frames = [
        pd.DataFrame(
            {
                "instance": instances[rows],
                "model": f"m{model}",
                "skill": "s",
                "rater": kind,
                "kind": kind,
                "score": values[rows, model],
            }
        )
        for kind, values, rows in (("human", human, there), ("judge", judge, there | True))
        for model in range(MODELS)
    ]
    return pd.concat(frames, ignore_index=True)


def chosen(rng, n, size, choice, easy):
    """Which instances are labelled, and their probabilities."""
    if choice == "random":
        picked = rng.choice(JUDGED // size, n // size, replace=False)
        there = np.isin(np.arange(JUDGED) // size, picked)
        return there, "random"
    chance = np.clip(n / JUDGED * np.exp(0.6 * easy) / np.mean(np.exp(0.6 * easy)), 0.02, 0.95)
    return rng.random(JUDGED) < chance, {f"i{k}": float(p) for k, p in enumerate(chance)}


def truth_of(scores):
    rng = np.random.default_rng(5)
    return np.mean([draw(rng, scores, 0.5, 1, 200_000)[0].mean(axis=0) for _ in range(10)], axis=0)


def line(scores, n, quality, size, choice, draws):
    truth, rng, found = truth_of(scores), np.random.default_rng(3), []
    clusters = {f"i{k}": f"c{k // size}" for k in range(JUDGED)} if size > 1 else None
    for _ in range(draws):
        human, judge, easy = draw(rng, scores, quality, size, JUDGED)
        there, labelled = chosen(rng, n, size, choice, easy)
        ratings = table(human, judge, there)
        alone = ratings[
            (ratings["kind"] == "human") | ratings["instance"].isin(ratings.loc[ratings["kind"] == "human", "instance"])
        ]
        rows = calibrated_means(ratings, clusters, labelled=labelled)
        base = calibrated_means(alone, clusters, labelled=labelled)
        pairs = calibrated_differences(ratings, clusters, labelled=labelled)
        number = [int(row.model[1:]) for row in rows]
        covers = [row.low <= truth[k] <= row.high for row, k in zip(rows, number, strict=True)]
        apart = [row.low <= truth[int(row.a[1:])] - truth[int(row.b[1:])] <= row.high for row in pairs]
        widths = [(row.high - row.low, other.high - other.low) for row, other in zip(rows, base, strict=True)]
        found.append((np.mean(covers), np.mean(apart), *np.mean(widths, axis=0)))
    cover, difference, width, width_alone = np.mean(found, axis=0)
    text = (
        f"| {scores:7} | {n:8} | {quality:7.1f} | {size:7} | {choice:7} | {cover:8.3f} | {difference:11.3f} "
        f"| {width / width_alone:11.3f} |"
    )
    return text, cover, difference, width / width_alone


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2000)
    draws = parser.parse_args().draws
    start = time.perf_counter()
    print(
        f"{draws} draws a line, {MODELS} models on {JUDGED} instances; coverage to be 0.93-0.97, width ratio at most 1"
    )
    print("| scores  | labelled | judge r | cluster | choice  | coverage | differences | width ratio |")
    print("|---------|----------|---------|---------|---------|----------|-------------|-------------|")
    lows, widths = [], []
    with ProcessPoolExecutor() as pool:
        for text, cover, apart, ratio in pool.map(line, *zip(*SETTINGS, strict=True), [draws] * len(SETTINGS)):
            print(text, flush=True)
            lows += [cover, apart]
            widths.append(ratio)
    print(
        f"coverage {min(lows):.3f}-{max(lows):.3f}, widest ratio {max(widths):.3f}; {time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
