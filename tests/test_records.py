"""Records are read with place, and whatever does not fit is told in one line."""

import gzip
import io
import json
import logging

import pandas as pd
import pytest

from flask_eval.errors import NotFoundError, RecordError
from flask_eval.records import load_yaml, read_records, read_rows, write_jsonl, write_table, yaml_record
from flask_eval.schema import Instance, JudgeCard, Response, RubricSet

ROWS = [{"instance": "1", "model": "a", "text": "x"}, {"instance": "2", "model": "a", "text": "y"}]


@pytest.fixture(params=["jsonl", "jsonl.gz", "json", "csv", "csv.gz", "tsv", "parquet"])
def file(request, tmp_path):
    """The same rows in every format that is read."""
    path = tmp_path / f"rows.{request.param}"
    kind = request.param.removesuffix(".gz")
    if kind == "jsonl":
        write_jsonl(path, ROWS)
    elif kind == "json":
        path.write_text(json.dumps(ROWS))
    else:
        table = pd.DataFrame(ROWS)
        if kind == "parquet":
            table.to_parquet(path)
        else:
            table.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    return path


def test_every_format_gives_the_same_rows(file):
    """JSONL, JSON, CSV, TSV, Parquet, and packed."""
    assert [row for _, row in read_rows(file)] == ROWS


def test_a_folder_is_all_its_files_by_name(tmp_path):
    """Hidden files and other formats are passed over."""
    write_jsonl(tmp_path / "b.jsonl", ROWS[1:])
    write_jsonl(tmp_path / "a.jsonl", ROWS[:1])
    (tmp_path / "notes.md").write_text("no records")
    (tmp_path / ".hidden.jsonl").write_text("broken")
    assert [row for _, row in read_rows(tmp_path)] == ROWS


def test_a_dash_is_standard_input(monkeypatch):
    """So that commands can be joined."""
    monkeypatch.setattr("sys.stdin", io.StringIO('{"id": 1}\n'))
    assert list(read_rows("-")) == [("standard input:1", {"id": 1})]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.jsonl", "", "holds no record"),
        ("x.jsonl", "\n\n", "holds no record"),
        ("x.csv", "a,b\n", "holds no record"),
        ("x.jsonl", '{"a": 1}\n{"a": \n', "x.jsonl:2: not valid JSON"),
        ("x.jsonl", '{"a": NaN}', "NaN is no JSON number"),
        ("x.jsonl", '{"a": 1, "a": 2}', "key 'a' stands twice"),
        ("x.jsonl", "[1]", "a record must be a JSON object"),
        ("x.jsonl", "[" * 100_000, "not valid JSON"),
        ("x.csv", "a,b\n1,2,3\n", "x.csv:2: has 3 cells, the header 2"),
        ("x.csv", "a,a\n1,2\n", "a column stands twice"),
        ("x.parquet", "no parquet", "is no Parquet file"),
        ("x.txt", "a", "unknown format '.txt'"),
        ("x.jsonl.gz", "not packed", "is no whole gzip file"),
    ],
)
def test_a_broken_file_is_one_clear_line(tmp_path, name, content, said):
    """File, line, value."""
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(RecordError) as caught:
        list(read_rows(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_utf8_is_told(tmp_path):
    """With the byte."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(RecordError, match="is not UTF-8"):
        list(read_rows(path))


def test_a_cut_off_gzip_file_is_told(tmp_path):
    """A half-fetched file is no empty one."""
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 5000)[:60])
    with pytest.raises(RecordError, match="whole gzip"):
        list(read_rows(path))


def test_a_missing_file_suggests_the_nearest_name(tmp_path):
    """A typo costs one look."""
    (tmp_path / "responses.jsonl").write_text("{}")
    with pytest.raises(NotFoundError, match=r"did you mean 'responses\.jsonl'"):
        list(read_rows(tmp_path / "reponses.jsonl"))


def test_half_a_surrogate_pair_is_replaced_and_told(tmp_path, caplog):
    """No server takes it; the rest of the text stays."""
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": "x\\ud83dy"}')
    with caplog.at_level(logging.WARNING, logger="flask_eval"):
        assert next(iter(read_rows(path)))[1] == {"a": "x\ufffdy"}
    assert "surrogate" in caplog.text


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": 1}, "field 'instruction' is missing"),
        ({"id": 1, "instruction": "x", "referense": "y"}, "unknown field 'referense'; did you mean 'reference'?"),
        (
            {"id": 1, "instruction": "x", "annotation": {"skils": []}},
            "unknown field 'annotation.skils'; did you mean 'skills'?",
        ),
        ({"id": 1, "instruction": 5}, "field 'instruction'"),
        ({"id": "\u200b", "instruction": "x"}, "must hold a visible character"),
        ({"id": 1, "instruction": "x", "annotation": {"difficulty": -1}}, "field 'annotation.difficulty'"),
        ({"id": 1, "instruction": "x", "annotation": {"skills": ["a", "A"]}}, "a skill stands twice"),
    ],
)
def test_a_row_that_does_not_fit_is_told_with_place_field_and_value(tmp_path, row, said):
    """The first fault is enough to mend it."""
    path = tmp_path / "x.jsonl"
    write_jsonl(path, [row])
    with pytest.raises(RecordError) as caught:
        list(read_records(path, Instance))
    assert said in str(caught.value)
    assert f"{path}:1" in str(caught.value)


def test_ids_may_be_integers_and_skills_titles(tmp_path):
    """Files of others hold both."""
    path = tmp_path / "x.jsonl"
    write_jsonl(path, [{"id": 7, "instruction": "x", "annotation": {"skills": ["Logical Correctness"]}}])
    ((_, instance),) = read_records(path, Instance)
    assert (instance.id, instance.annotation.skills) == ("7", ("logical_correctness",))


def test_a_table_holds_lists_and_nested_fields(tmp_path):
    """A spreadsheet is a fine instances file."""
    path = tmp_path / "x.csv"
    path.write_text(
        'id,instruction,annotation.skills,annotation.domains,annotation.difficulty\n1,"a, b",factuality;readability,"[""Math""]",3\n'
    )
    ((_, found),) = read_records(path, Instance)
    assert found.annotation.skills == ("factuality", "readability")
    assert found.annotation.domains == ("Math",)
    assert found.annotation.difficulty == 3


def test_a_csv_response_that_looks_like_json_stays_text(tmp_path):
    """A response is never parsed."""
    path = tmp_path / "x.csv"
    pd.DataFrame([{"instance": "1", "model": "m", "text": '{"factuality": 5}'}]).to_csv(path, index=False)
    ((_, found),) = read_records(path, Response)
    assert found.text == '{"factuality": 5}'


def test_yaml_keeps_words_as_words():
    """`no`, `on` and `1:30` are text; only true and false are booleans."""
    data, lines = load_yaml("a: no\nb: 1:30\nc: true\nd: 2024-01-01\ne: 0.5\nf: 007\n", "x")
    assert data == {"a": "no", "b": "1:30", "c": True, "d": "2024-01-01", "e": 0.5, "f": "007"}
    assert lines["e",] == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "x:2: key 'a' stands twice"),
        ("a: !!python/object:os.system 1", "x:1:"),
        ("a: &a [*a]", "x"),
        ("a: [1, 2", "not valid YAML"),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        ("? [1]\n: 2", "is no key"),
    ],
)
def test_yaml_refuses_what_is_ambiguous_or_dangerous(text, said):
    """With the line."""
    with pytest.raises(RecordError, match="x") as caught:
        load_yaml(text, "x")
    assert said in str(caught.value)


def test_aliases_do_not_multiply():
    """A bomb of a few lines is refused, not expanded."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 9)]
    with pytest.raises(RecordError, match="too large"):
        load_yaml("\n".join(lines), "x")


def test_a_yaml_record_tells_the_line_of_its_fault():
    """Editors jump there."""
    text = "name: x\nscale: {min: 1, max: 5}\nskills:\n  - name: a\n    critrion: q\n    levels: {1: low, 5: high}\n"
    with pytest.raises(RecordError, match=r"f.yaml:5: unknown field 'skills.0.critrion'; did you mean 'criterion'"):
        yaml_record(text, "f.yaml", RubricSet)
    with pytest.raises(RecordError, match=r"f.yaml:2: unknown field 'adaptor'; did you mean 'adapter'"):
        yaml_record("name: x\nadaptor: openai\nadapter: openai\nmodel: m\n", "f.yaml", JudgeCard)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.jsonl.gz", "t.parquet"])
def test_a_table_is_written_and_read_back(tmp_path, name):
    """Missing values stay missing."""
    table = pd.DataFrame({"a": ["x", "y"], "score": [1.5, None]})
    write_table(tmp_path / name, table)
    rows = [row for _, row in read_rows(tmp_path / name)]
    assert float(rows[0]["score"]) == 1.5
    assert rows[1].get("score") is None


def test_a_failed_write_leaves_the_old_file(tmp_path):
    """Whole or not at all."""
    path = tmp_path / "x.jsonl"
    write_jsonl(path, [{"a": 1}])

    def rows():
        yield {"a": 2}
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        write_jsonl(path, rows())
    assert path.read_text() == '{"a": 1}\n'
    assert list(tmp_path.iterdir()) == [path]
