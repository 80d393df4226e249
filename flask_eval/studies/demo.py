"""The tour: the shipped sample set through the real pipeline, from recorded completions to the page.

The models are sample models, the judge is a sample judge, the raters are simulated: they illustrate, they are no result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from shlex import join
from typing import Any

from flask_eval.analysis.agreeing import AgreementStudy, agree
from flask_eval.analysis.slices import slice_scores
from flask_eval.content import folder, load_slice
from flask_eval.errors import UserError
from flask_eval.judging import Plan, plan, score
from flask_eval.ratings import read_ratings
from flask_eval.reporting import report

BANNER = (
    "Sample data: the models are sample models, the judge is a sample judge and the raters are simulated. "
    "They illustrate the tool; they are no result about any model, judge or person."
)


@dataclass(frozen=True)
class Demo:
    """What the tour wrote.

    Attributes:
        data: the sample set's folder: instances, responses, completions, ratings.
        run: the run of the sample judge.
        baseline: the run of `metric:rouge_l`.
        report: the page.
        table: the judge's means by group of skills, for people.
        study: the sample judge held against the simulated raters.
        results: the result record of each run.
    """

    data: Path
    run: Path
    baseline: Path
    report: Path
    table: str
    study: AgreementStudy
    results: dict[str, dict[str, Any]]


def demo(directory: str | Path, tell: Callable[[str], None] = lambda _: None) -> Demo:
    """Take the tour into `directory`; a repeat goes on where it stopped.

    Args:
        directory: where everything is written.
        tell: called with a line for people at each step, the command among them that does the same.

    Raises:
        UserError: the directory holds something else under the same names.
    """
    root = Path(directory)
    if root.exists() and not root.is_dir():
        raise UserError(f"{root}: is a file; name a folder for the demo")
    data = root / "data"
    _copy(folder("annotations") / "demo", data)
    instances, responses = data / "instances.jsonl", data / "responses"
    tell(
        f"1. sample set: {_lines(instances)} instances, {sum(_lines(f) for f in responses.iterdir())} responses -> {data}/"
    )

    results = {}
    runs = (
        ("run", f"replay:{data / 'sample-judge.jsonl'}", "sample judge, replayed"),
        ("baseline", "metric:rouge_l", "baseline"),
    )
    for number, (name, judge, words) in enumerate(runs, 2):
        line = join(["flask-eval", "score", str(instances), str(responses), "--judge", judge, "-o", str(root / name)])
        tell(f"{number}. {words}: {line}")
        made: Plan = plan(instances, responses, judge=judge)
        results[name] = score(made, out=root / name).result
    hard, page = data / "hard.txt", root / "report.html"
    tell(f"4. slices: {join(['flask-eval', 'slice', str(root / 'run'), '--by', 'group'])}")
    sources = [str(root / "run"), str(root / "baseline"), str(data / "ratings.csv")]
    everybody = read_ratings(*sources)
    table = slice_scores(everybody.only(raters=["sample-judge"]), by=[["group"]])
    tell(f"5. study: {join(['flask-eval', 'agree', *sources])}")
    study = agree(everybody)
    tell(f"6. page: {join(['flask-eval', 'report', *sources, '--slice', str(hard), '-o', str(page)])}")
    report(
        everybody,
        study,
        path=page,
        slices=[load_slice(str(hard))],
        banner=BANNER,
        title="The tour: three sample models",
    )
    return Demo(data, root / "run", root / "baseline", page, table.to_markdown(), study, results)


def _lines(file: Path) -> int:
    return sum(1 for line in file.read_text(encoding="utf-8").splitlines() if line.strip())


def _copy(source: Traversable, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir(), key=lambda e: e.name):
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir():
            _copy(entry, target / entry.name)
            continue
        to = target / entry.name
        if to.exists() and to.read_bytes() != entry.read_bytes():
            raise UserError(f"{to}: is there already and differs from the sample set; name another folder for the demo")
        to.write_bytes(entry.read_bytes())
