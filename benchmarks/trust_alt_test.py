"""The alternative annotator test holds its error rate: simulations on the border of its null hypothesis.

The judge is made as much worse than people as epsilon allows (for each person the shares differ by exactly epsilon), so
that every win is an error. Under that null the chance of any win, and so of "replaces", is to be at most q = 5%.

    python benchmarks/trust_alt_test.py [--draws 2000]
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd

from flask_eval.analysis.trust.alt_test import closeness, replaceability

EPSILON = 0.15
SETTINGS = [
    # kind, people, instances, responses an instance
    ("scores", 3, 30, 1),
    ("scores", 3, 50, 1),
    ("scores", 3, 200, 1),
    ("scores", 5, 50, 1),
    ("scores", 10, 50, 1),
    ("ceiling", 3, 50, 1),
    ("ceiling", 3, 200, 1),
    ("labels", 3, 50, 1),
    ("labels", 5, 200, 1),
    ("scores", 3, 50, 4),
    ("scores", 3, 200, 4),
    ("ceiling", 5, 50, 4),
]


def draw(rng, kind, people, instances, responses, badness):
    """Scores (units, people) and the judge's (units,); half of each error is shared within the instance."""
    units = instances * responses

    def noise():
        shared = np.repeat(rng.normal(size=instances), responses)
        return shared if responses == 1 else np.sqrt(0.5) * shared + np.sqrt(0.5) * rng.normal(size=units)

    if kind == "labels":
        truth = np.repeat(rng.integers(0, 3, instances), responses)

        def say(right):
            return np.where(rng.random(units) < right, truth, rng.integers(0, 3, units)).astype(float)

        return np.column_stack([say(0.7) for _ in range(people)]), say(0.7 - badness)
    middle = {"scores": 3.0, "ceiling": 5.2}[kind]
    truth = middle + noise()
    persons = [np.clip(np.round(truth + 0.8 * noise()), 1, 5) for _ in range(people)]
    return np.column_stack(persons), np.clip(np.round(truth + (0.8 + badness) * noise()), 1, 5)


def border(kind, people):
    """How much worse the judge must be for the shares to differ by epsilon; by bisection on one large draw."""
    low, high = 0.0, 0.69 if kind == "labels" else 8.0
    for _ in range(30):
        middle = (low + high) / 2
        scores, judge = draw(np.random.default_rng(7), kind, people, 200_000, 1, middle)
        rest = scores[:, 1:]
        nominal = kind == "labels"
        theirs, own = closeness(scores[:, 0], rest, nominal=nominal), closeness(judge, rest, nominal=nominal)
        gap = float((theirs >= own - 1e-9).mean() - (own >= theirs - 1e-9).mean())
        low, high = (middle, high) if gap < EPSILON else (low, middle)
    return (low + high) / 2


def table(scores, judge, responses, kind):
    units, people = scores.shape
    columns = [(f"p{k}", "human", scores[:, k]) for k in range(people)] + [("judge", "judge", judge)]
    frames = []
    for rater, of_kind, column in columns:
        frames.append(
            pd.DataFrame(
                {
                    "instance": [str(u // responses) for u in range(units)],
                    "model": [f"m{u % responses}" for u in range(units)],
                    "skill": "s",
                    "rater": rater,
                    "kind": of_kind,
                    "score": [f"label {v:g}" for v in column] if kind == "labels" else column,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def rates(kind, people, instances, responses, draws):
    badness = border(kind, people)
    rng = np.random.default_rng(11)
    found = []
    for _ in range(draws):
        scores, judge = draw(rng, kind, people, instances, responses, badness)
        row = replaceability(table(scores, judge, responses, kind), epsilon=EPSILON, confidence=None)[0]
        wins = [person.wins for person in row.persons]
        found.append((np.mean([person.p <= 0.05 for person in row.persons]), any(wins), row.replaces))
    return np.array(found, float).mean(axis=0)


def line(kind, people, instances, responses, draws):
    single, some, replaces = rates(kind, people, instances, responses, draws)
    return (
        f"| {kind:8} | {people:6} | {instances:9} | {responses:9} | {single:13.3f} | {some:7.3f} | {replaces:8.3f} |",
        max(some, replaces),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2000)
    draws = parser.parse_args().draws
    start = time.perf_counter()
    print(f"{draws} draws a line on the border of the null, epsilon {EPSILON}, q 0.05; to be at most 0.05")
    print("| scores   | people | instances | responses | p <= .05 each | any win | replaces |")
    print("|----------|--------|-----------|-----------|---------------|---------|----------|")
    worst = 0.0
    with ProcessPoolExecutor() as pool:
        for text, rate in pool.map(line, *zip(*SETTINGS, strict=True), [draws] * len(SETTINGS)):
            print(text, flush=True)
            worst = max(worst, rate)
    print(
        f"worst: {worst:.3f} (Monte Carlo error {np.sqrt(0.05 * 0.95 / draws):.3f}); {time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
