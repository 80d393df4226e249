"""The steps of a study that conclude: agreement, comparison, page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from flask_eval.analysis.agreeing import AgreementStudy, agree
from flask_eval.analysis.coding import coded
from flask_eval.analysis.comparing import compare
from flask_eval.analysis.comparing.gates import beside_baseline, fail_under, thresholds_of, worse_than
from flask_eval.judging import read_instances
from flask_eval.ratings import RatingTable, read_ratings
from flask_eval.records import replacing
from flask_eval.studies.study.checked import Checked
from flask_eval.studies.study.digests import of_file, of_output, of_records, of_source, of_value
from flask_eval.studies.study.rating import responses_of
from flask_eval.studies.study.steps import Ended, Session, Step


@dataclass
class _Found:
    """What one step worked out and the next can use, as long as nothing behind it has changed."""

    key: str = ""
    table: RatingTable | None = None
    study: AgreementStudy | None = None


@dataclass(frozen=True)
class Concluding:
    """The last steps of a study, on the same ratings."""

    checked: Checked
    asked: Mapping[str, Path]
    """The file of each model's responses that the study asks for."""
    runs: Mapping[str, Path]
    """The folder of each judge's run."""
    needs: tuple[str, ...]
    """The steps that write the ratings."""
    _found: _Found = field(default_factory=_Found)

    def steps(self) -> list[Step]:
        """Agreement where there are people, comparison where there are two models (or thresholds), and the page."""
        out, plain = self.checked.out, (*self.needs,)
        found = []
        if self.checked.ratings:
            found.append(Step("agree", plain, _pair(out, "agree"), partial(self._inputs, "agree"), self._agree))
        if len(self._models()) > 1 or self._gated():
            found.append(Step("compare", plain, _pair(out, "compare"), partial(self._inputs, "compare"), self._compare))
        page = (self.checked.page, out / "report.json")
        found.append(Step("report", plain, page, partial(self._inputs, "report"), self._report))
        return found

    def _models(self) -> set[str]:
        found = {one.model for one in self.checked.responses} | {one.card.name for one in self.checked.models}
        if not self.checked.judges:
            found |= set(read_ratings(*self.checked.ratings).models)
        return found

    def _gated(self) -> bool:
        part = self.checked.study.compare
        return part.fail_under is not None or part.fail_if_worse_than is not None

    # ---- what shapes them ------------------------------------------------------------------------------------------

    def _shared(self) -> dict[str, str]:
        checked = self.checked
        return {
            "instances": of_file(checked.out / "instances.jsonl"),
            "rubrics": of_records([checked.rubrics]),
            "slices": of_records(checked.slices),
            "people": of_value([[Path(name).name, of_source(name)] for name in checked.ratings]),
            **{f"ratings of {name}": of_output(folder) or "" for name, folder in self.runs.items()},
        }

    def _inputs(self, stage: str) -> dict[str, str]:
        study = self.checked.study
        options = getattr(study, stage).model_dump(mode="json")
        found = self._shared() | {
            "options": of_value([options, study.seed, study.resamples, study.confidence]),
        }
        if stage == "compare" and study.compare.fail_if_worse_than:
            found["baseline"] = of_output(Path(self.checked.beside(study.compare.fail_if_worse_than))) or ""
        if stage == "report":
            found["options"] = of_value(
                [found["options"], study.name, study.agree.model_dump(mode="json"), study.compare.margin]
            )
            found["responses"] = of_records(self.checked.responses)
            if study.report.models_table is not None:
                found["models table"] = of_source(self.checked.beside(study.report.models_table))
        return found

    def _table(self) -> RatingTable:
        """The ratings of judges and people, about the study's instances."""
        key = of_value(self._shared())
        if self._found.key != key or self._found.table is None:
            self._found.key, self._found.study = key, None
            self._found.table = self._read()
        return self._found.table

    def _read(self) -> RatingTable:
        checked = self.checked
        known = read_instances(str(checked.out / "instances.jsonl"))
        people: list[Any] = list(checked.ratings)
        if people and (checked.study.instances.slice or checked.study.instances.limit):
            rated = read_ratings(*people).ratings
            people = [rated[rated["instance"].isin([one.id for one in known])]]
        table = read_ratings(*map(str, self.runs.values()), *people, instances=known, rubrics=checked.rubrics)
        scale = checked.rubrics.scale
        if scale.min is None or scale.max is None:
            return replace(table, scales={**dict.fromkeys(_unscaled(table), scale.labels), **table.scales})
        ends = (float(scale.min), float(scale.max))
        return replace(table, scales={**dict.fromkeys(_unscaled(table), ends), **table.scales})

    # ---- what they do ----------------------------------------------------------------------------------------------

    def _settings(self) -> dict[str, Any]:
        study = self.checked.study
        return {"confidence": study.confidence, "resamples": study.resamples, "seed": study.seed}

    def _study(self) -> AgreementStudy:
        table, part = self._table(), self.checked.study.agree
        if self._found.study is None:
            self._found.study = agree(
                table,
                by=_tables(part.by),
                slices=self.checked.slices,
                kappa_weights=part.kappa_weights,
                epsilon=part.epsilon,
                labelled=part.labelled,
                curve=part.curve,
                **self._settings(),
            )
        return self._found.study

    def _agree(self, _: Session) -> Ended:
        from flask_eval.reporting.study_text import markdown

        study, table = self._study(), self._table()
        result = study.to_dict()
        _write(self.checked.out, "agree", result, markdown(study, table))
        people = [name for name, kind in table.raters.items() if kind == "human"]
        words = (
            f"{len(people)} people, {len(table.raters) - len(people)} judges and metrics -> {self.checked.out}/agree.md"
        )
        return Ended(words, {"file": "agree.json"}, notes=tuple(study.notes))

    def _compare(self, _: Session) -> Ended:
        from flask_eval.reporting.comparison_text import markdown

        table, part = self._table(), self.checked.study.compare
        found = compare(
            coded(table),
            by=_tables(part.by),
            slices=self.checked.slices,
            margin=part.margin,
            adjust=part.adjust,
            **self._settings(),
        )
        gates = self._gates(table)
        _write(
            self.checked.out,
            "compare",
            found.to_dict() | {"gates": [asdict(gate) for gate in gates]},
            markdown(found, table),
        )
        missed = tuple(gate.reason for gate in gates if not gate.passed)
        words = f"{len(table.models)} models -> {self.checked.out}/compare.md"
        return Ended(words, {"file": "compare.json"}, missed=missed)

    def _gates(self, table: RatingTable) -> list[Any]:
        """Every threshold, by the first judge's ratings (or those of the rater that is named)."""
        part = self.checked.study.compare
        if not self._gated():
            return []
        rater = part.rater or next(iter(self.runs), None)
        table = table if rater is None else table.only(raters=[rater])
        gates: list[Any] = []
        if part.fail_under is not None:
            text = ",".join(f"{skill}={least!r}" for skill, least in part.fail_under.items())
            gates += fail_under(table, thresholds_of(text, table.skills))
        if part.fail_if_worse_than is not None:
            before = read_ratings(self.checked.beside(part.fail_if_worse_than), rubrics=self.checked.rubrics)
            both, matched = beside_baseline(table, before)
            gates += worse_than(both, matched, margin=part.margin, adjust=part.adjust, **self._settings())
        return gates

    def _report(self, _: Session) -> Ended:
        from flask_eval.reporting import report
        from flask_eval.reporting.items import LIMIT
        from flask_eval.reporting.models_table import read_models_table

        checked, part, table = self.checked, self.checked.study.report, self._table()
        kinds = set(table.raters.values())
        studies = [self._study()] if "human" in kinds and kinds != {"human"} else []
        listed = LIMIT if part.items is True else (part.items or None)
        known = read_instances(str(checked.out / "instances.jsonl"))
        page = report(
            table,
            *studies,
            path=checked.page,
            title=part.title or checked.study.name,
            banner=part.banner,
            slices=checked.slices,
            data=checked.out / "report.json",
            margin=checked.study.compare.margin,
            items=listed,
            responses=responses_of(checked, dict(self.asked), known) if listed else (),
            weights=part.weights,
            models_table=None if part.models_table is None else read_models_table(checked.beside(part.models_table)),
            interactive=part.interactive,
            svg=checked.out / "figures" if part.svg else None,
            png=checked.out / "pictures" if part.png else None,
            csv=checked.out / "tables" if part.csv else None,
            markdown=checked.out / "tables.md" if part.markdown else None,
            **self._settings(),
        )
        return Ended(f"{page} ({page.stat().st_size / 1000:,.0f} kB)", {"page": str(page)})


def _unscaled(table: RatingTable) -> list[str]:
    """Raters whose scale no run tells; metrics have scales of their own."""
    return [name for name, kind in table.raters.items() if kind != "metric" and name not in table.scales]


def _tables(by: tuple[str, ...]) -> list[list[str]]:
    return [[part.strip() for part in one.split(",") if part.strip()] for one in by]


def _pair(out: Path, name: str) -> tuple[Path, ...]:
    return out / f"{name}.md", out / f"{name}.json"


def _write(out: Path, name: str, result: dict[str, Any], text: str) -> None:
    for suffix, body in (("json", json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)), ("md", text)):
        with replacing(out / f"{name}.{suffix}") as handle:
            handle.write(body.rstrip("\n") + "\n")
