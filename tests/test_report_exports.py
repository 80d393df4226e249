"""The same numbers and figures as files: CSV and Markdown hold what JSON holds, pictures hold text, and errors come first."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_report import hostile, many, ratings

from flask_eval.analysis.text import number
from flask_eval.errors import UserError
from flask_eval.reporting import images, report
from flask_eval.reporting.chart_parts import blank
from flask_eval.reporting.exports import Exports, frames
from flask_eval.reporting.filenames import FileNames, slug
from flask_eval.reporting.markdown import escaped
from flask_eval.schema import Slice

HARD = [Slice(name="hard", where={"difficulty": 5})]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exports")
    report(
        many(3, raters=("judge", "other")), path=folder / "page.html", slices=HARD, data=folder / "page.json",
        csv=folder / "csv", svg=folder / "svg", markdown=folder / "tables.md",
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def record(made: Path) -> dict:
    return json.loads((made / "page.json").read_text())


def read(file: Path) -> pd.DataFrame:
    """Cells as text, so that no reader of numbers rounds them."""
    return pd.read_csv(file, dtype=str, keep_default_na=False)


def rows_of(record: dict) -> dict[str, list[dict]]:
    """The record's rows under the names of the CSV files, told here once more."""
    return {
        "coverage": record["coverage"],
        "macro": record["macro"],
        "scores": record["scores"]["rows"],
        "by_domain": record["by"]["domain"]["rows"],
        "by_difficulty": record["by"]["difficulty"]["rows"],
        "by_skill_and_domain": record["crosses"]["domain"]["rows"],
        "by_skill_and_difficulty": record["crosses"]["difficulty"]["rows"],
        "slices": record["slices"][0]["scores"]["rows"],
        "drops": record["slices"][0]["drops"],
        "models": record["comparison"]["models"],
        "pairs": record["comparison"]["pairs"],
        "strengths": record["comparison"]["strengths"],
        "selection": record["selection"]["choices"],
    }


# ---- CSV ----------------------------------------------------------------------------------------------------------


def test_every_number_of_a_csv_is_that_of_the_json(made: Path, record: dict) -> None:
    for name, rows in rows_of(record).items():
        table = read(made / "csv" / f"{name}.csv")
        assert len(table) == len(rows) > 0, name
        compared = 0
        for (_, line), row in zip(table.iterrows(), rows, strict=True):
            for key, value in row.items():
                if isinstance(value, bool) or not isinstance(value, int | float):
                    continue
                assert float(line[key]) == value, (name, key)
                compared += 1
        assert compared >= len(rows), name


def test_what_is_null_is_an_empty_cell_and_says_why(made: Path, record: dict) -> None:
    table = read(made / "csv" / "scores.csv")
    rows = record["scores"]["rows"]
    absent = [k for k, row in enumerate(rows) if row["mean"] is None]
    assert absent
    for place in absent:
        assert table.loc[place, "mean"] == ""
        assert table.loc[place, "undefined.mean"] == rows[place]["undefined"]["mean"]


def test_outcomes_and_dimensions_are_columns_and_lists_are_json(made: Path, record: dict) -> None:
    coverage = read(made / "csv" / "coverage.csv")
    assert coverage["outcomes.refused"].astype(int).tolist() == [
        row["outcomes"]["refused"] for row in record["coverage"]
    ]
    domains = read(made / "csv" / "by_domain.csv")
    assert domains["by.domain"].tolist() == [row["by"]["domain"] for row in record["by"]["domain"]["rows"]]
    macro = read(made / "csv" / "macro.csv")
    assert [json.loads(text) for text in macro["skills"]] == [row["skills"] for row in record["macro"]]


def test_a_file_of_an_earlier_report_does_not_stay_behind(tmp_path: Path) -> None:
    table = ratings({"a": [1, 2, 3], "b": [3, 4, 5]})
    everything = [Slice(name="some", ids=frozenset({"0", "1"}))]
    report(table, path=tmp_path / "p.html", csv=tmp_path, slices=everything)
    assert len(read(tmp_path / "drops.csv")) == 2
    report(table, path=tmp_path / "p.html", csv=tmp_path)
    text = (tmp_path / "drops.csv").read_text()
    assert text.startswith("rater,kind,model,skill,slice,full,part,difference")
    assert text.count("\n") == 1


def test_frames_come_from_the_record_alone(made: Path, record: dict) -> None:
    for name, table in frames(record).items():
        buffer = io.StringIO()
        table.to_csv(buffer, index=False, lineterminator="\n")
        assert buffer.getvalue() == (made / "csv" / f"{name}.csv").read_text(), name


# ---- Markdown -----------------------------------------------------------------------------------------------------


def tables_of(text: str) -> dict[str, list[dict[str, str]]]:
    """Tables by the last heading, each line by the heads of its columns; the first of a name counts."""
    found: dict[str, list[dict[str, str]]] = {}
    heading, heads = "", None
    for line in text.splitlines():
        if line.startswith("#"):
            heading, heads = line.lstrip("# "), None
        elif line.startswith("| "):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if heads is None:
                heads = cells if heading not in found else []
                found.setdefault(heading, [])
            elif heads and not set(cells) <= {"---", "---:"}:
                assert len(cells) == len(heads), line
                found[heading].append(dict(zip(heads, cells, strict=True)))
    return found


def test_every_mean_of_the_markdown_is_that_of_the_json(made: Path, record: dict) -> None:
    tables = tables_of((made / "tables.md").read_text(encoding="utf-8"))
    titles = {row["Skill"].lower().replace(" ", "_"): row for row in tables["By skill and model"]}
    compared = 0
    for row in record["scores"]["rows"]:
        if row["rater"] == "judge" and row["skill"]:
            cell = titles[row["skill"]][row["model"]]
            if row["mean"] is None:
                assert cell == ("\u2013" if row["n_missing"] else "N/A")
                continue
            found = re.fullmatch(r"(\S+)( \u2020)? \((?:(\S+)\u2013(\S+) \u00b7 )?n ([\d,]+)\)", cell)
            assert found, cell
            assert found[1] == number(row["mean"])
            assert (found[2] is not None) == row["sparse"]
            assert int(found[5].replace(",", "")) == row["n"]
            if found[3]:
                assert (found[3], found[4]) == (number(row["low"]), number(row["high"]))
            compared += 1
    assert compared >= 30
    macro = {row["model"]: row for row in record["macro"] if row["rater"] == "judge"}
    standings = tables["Mean over skills"]
    assert {line["Model"]: line["Mean"].removesuffix(" \u2020") for line in standings} == {
        model: number(row["mean"]) for model, row in macro.items()
    }
    drops = {row["model"]: row for row in record["slices"][0]["drops"] if row["rater"] == "judge"}
    for line in tables["Slice hard"]:
        change = line["Difference"].split(" ")[0].lstrip("+")
        assert change == number(drops[line["Model"]]["difference"])


def test_markdown_says_how_the_numbers_were_made_and_speaks_of_no_colour(made: Path) -> None:
    text = (made / "tables.md").read_text(encoding="utf-8")
    assert "## Method" in text
    assert "(seed 0)" in text
    assert "\u2020 fewer than 10 instances" in text
    assert not re.search(r"grey|shaded|small:", text, re.IGNORECASE)


def test_no_name_is_markup_in_markdown(tmp_path: Path) -> None:
    report(hostile(), path=tmp_path / "p.html", markdown=tmp_path / "t.md", title="[x](javascript:y) *z*")
    text = (tmp_path / "t.md").read_text(encoding="utf-8")
    assert "<script" not in text
    assert text.startswith("# \\[x\\](javascript:y) \\*z\\*\n")
    assert "\u202e" not in text
    assert escaped("a|b <i> `c` $d$ e_f _g_ & \\") == "a\\|b &lt;i&gt; \\`c\\` \\$d\\$ e_f \\_g\\_ &amp; \\\\"


# ---- SVG of the page ----------------------------------------------------------------------------------------------


def test_each_figure_of_the_page_is_a_file_that_stands_alone(made: Path) -> None:
    files = {file.name: file.read_text(encoding="utf-8") for file in (made / "svg").iterdir()}
    assert {f"{r}-radar-model-{k}.svg" for r in ("judge", "other") for k in range(3)} <= set(files)
    assert {"judge-skill-factuality.svg", "judge-slice-hard.svg"} <= set(files)
    for name, text in files.items():
        root = ET.fromstring(text)
        assert root.tag == f"{SVG}svg", name
        assert root.find(f"{SVG}rect").get("fill") == "#ffffff"
        assert not re.search(r"var\(|href|<script|url\(|<image| id=", text), name
        classes = {name for tag in root.iter() for name in (tag.get("class") or "").split()}
        styled = set(re.findall(r"\.([a-z]\w*)", root.find(f"{SVG}style").text))
        assert {"heading"} <= styled <= classes, name


def test_a_radar_on_its_own_names_model_skills_and_counts(made: Path) -> None:
    root = ET.fromstring((made / "svg" / "judge-radar-model-0.svg").read_text(encoding="utf-8"))
    words = " ".join(text for tag in root.iter(f"{SVG}text") for text in tag.itertext())
    assert words.startswith("model-0")
    assert "Factuality" in words
    assert re.search(r"n \d+", words)


# ---- pictures through plotly --------------------------------------------------------------------------------------


def test_without_kaleido_nothing_is_written_and_one_line_says_what_to_do(tmp_path: Path, monkeypatch, run) -> None:
    source = tmp_path / "r.csv"
    source.write_text("instance,model,skill,rater,kind,score\n1,a,factuality,j,judge,4\n1,b,factuality,j,judge,3\n")
    before = {file.name for file in tmp_path.iterdir()}
    monkeypatch.setattr(images, "find_spec", lambda name: None if name == "kaleido" else find_spec(name))
    code, out, err = run(
        "report", source, "-o", tmp_path / "p.html", "--png", tmp_path / "png", "--csv", tmp_path / "csv"
    )
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "--png: pictures need kaleido" in err
    assert "pip install 'flask-eval[images]'" in err
    assert {file.name for file in tmp_path.iterdir()} == before


def test_folders_that_cannot_be_are_refused_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for exports, said in (
        (Exports(csv=tmp_path / "file"), "--csv .*file: is a file; name a folder"),
        (Exports(markdown=tmp_path), "--markdown .*: is a folder; name a file"),
        (Exports(png=tmp_path / "a", svg=tmp_path / "a"), "their files would mix"),
    ):
        with pytest.raises(UserError, match=said):
            exports.check()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    pytest.importorskip("kaleido", reason="the extra 'images' is not installed")
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome", "chrome")):
        if os.environ.get("CI"):
            pytest.fail("CI is set and no Chromium is found: install the package chromium")
        pytest.skip("no Chrome or Chromium on this machine")
    folder = tmp_path_factory.mktemp("png")
    table = many(2)
    report(table, path=folder / "page.html", slices=HARD, png=folder / "figures")
    return folder / "figures"


def test_each_figure_is_written_as_png_and_as_svg(drawn: Path) -> None:
    stems = {
        "judge-overall", "judge-radar-model-0", "judge-radar-model-1", "judge-skills", "judge-heat-skill",
        "judge-heat-domain", "judge-heat-difficulty", "judge-slice-hard",
    }  # fmt: skip
    assert {file.name for file in drawn.iterdir()} == {f"{stem}.{form}" for stem in stems for form in ("png", "svg")}


def ink(file: Path, box: tuple[float, float, float, float]) -> float:
    """The share of dark pixels in a part of a picture, given in shares of its width and height."""
    image = pytest.importorskip("PIL.Image").open(file).convert("L")
    width, height = image.size
    left, top, right, bottom = box
    return float(
        (
            np.asarray(image.crop((int(left * width), int(top * height), int(right * width), int(bottom * height))))
            < 110
        ).mean()
    )


def test_pictures_are_white_large_and_their_labels_are_drawn(drawn: Path) -> None:
    image = pytest.importorskip("PIL.Image").open(drawn / "judge-radar-model-0.png")
    assert image.size[0] >= 2000
    assert image.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
    assert ink(drawn / "judge-radar-model-0.png", (0, 0, 0.25, 0.08)) > 0.002  # the model's name
    assert ink(drawn / "judge-radar-model-0.png", (0.02, 0.4, 0.22, 0.6)) > 0.002  # skills on the left
    assert ink(drawn / "judge-radar-model-0.png", (0.78, 0.4, 0.98, 0.6)) > 0.002  # and on the right
    assert ink(drawn / "judge-heat-skill.png", (0, 0.2, 0.25, 0.7)) > 0.002
    assert ink(drawn / "judge-heat-skill.png", (0, 0, 0.002, 1)) == 0  # nothing is cut off at the edge


def test_the_svg_by_plotly_holds_its_text_as_text(drawn: Path) -> None:
    text = (drawn / "judge-radar-model-1.svg").read_text(encoding="utf-8")
    assert "model-1" in text
    assert "Factuality" in text


def test_a_browser_that_is_not_there_is_told_before_the_page_is_written(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("kaleido", reason="the extra 'images' is not installed")
    from choreographer.browsers.chromium import Chromium

    monkeypatch.setattr(Chromium, "find_browser", classmethod(lambda *_, **__: None))
    monkeypatch.setenv("BROWSER_PATH", "")
    with pytest.raises(UserError, match="no Chrome or Chromium is found") as caught:
        report(ratings({"a": [1, 2, 3]}), path=tmp_path / "p.html", png=tmp_path / "png")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_of_nothing_is_white() -> None:
    assert blank().layout.paper_bgcolor == "#ffffff"


def test_file_names_are_plain_and_each_stands_once() -> None:
    names = FileNames()
    assert [names.name("J", "radar", one) for one in ("GPT 4", "gpt-4", "../../x", "\u6a21\u578b", "")] == [
        "j-radar-gpt-4", "j-radar-gpt-4-2", "j-radar-x", "j-radar-x-2", "j-radar",
    ]  # fmt: skip
    assert len(slug("a" * 500)) == 40
