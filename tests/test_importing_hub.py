"""Hub data sets, Arrow folders and Parquet files become rows, and their columns our fields; all without a network."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flask_eval.errors import NotFoundError, UserError
from flask_eval.importing.hub import apply_mapping, is_arrow_folder, parse_mapping, read_hub
from flask_eval.records import as_records
from flask_eval.schema import Instance, Response

ROWS = [
    {"qid": 7, "prompt": "Boil?", "gold": "100", "meta": {"skill": ["factuality"], "level": 2}, "kind": 0},
    {
        "qid": 8,
        "prompt": "Melt?",
        "gold": None,
        "meta": {"skill": ["factuality", "readability"], "level": None},
        "kind": 1,
    },
]
MAPPING = {
    "id": "qid",
    "instruction": "prompt",
    "reference": "gold",
    "annotation.skills": "meta.skill",
    "annotation.difficulty": "meta.level",
}


def placed(*rows):
    return [(f"file:{number}", row) for number, row in enumerate(rows, 1)]


def rows_of(rows):
    return [row for _, row in rows]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A folder with Arrow and Parquet copies of ROWS."""
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    from datasets import ClassLabel, Dataset, DatasetDict

    folder = tmp_path_factory.mktemp("tables")
    table = Dataset.from_list(ROWS).cast_column("kind", ClassLabel(names=["physics", "cooking"]))
    table.with_format("numpy").save_to_disk(str(folder / "one"))
    DatasetDict(test=table, train=table).save_to_disk(str(folder / "splits"))
    DatasetDict(test=table).save_to_disk(str(folder / "lone"))
    (folder / "parquet").mkdir()
    table.to_parquet(folder / "parquet" / "part-0.parquet")
    table.to_parquet(folder / "parquet" / "part-1.parquet")
    return folder


# ---- columns and fields -------------------------------------------------------------------------------------------


def test_columns_become_fields_also_nested_ones_and_the_rest_is_dropped():
    assert rows_of(apply_mapping(placed(*ROWS), MAPPING)) == [
        {
            "id": 7,
            "instruction": "Boil?",
            "reference": "100",
            "annotation": {"skills": ["factuality"], "difficulty": 2},
        },
        {"id": 8, "instruction": "Melt?", "annotation": {"skills": ["factuality", "readability"]}},
    ]


def test_without_a_mapping_rows_stay_as_they_are():
    rows = placed({"id": "1", "instruction": "x", "typo": 1})
    assert list(apply_mapping(rows, {})) == rows


def test_columns_that_are_fields_already_are_kept_beside_the_mapped_ones():
    row = {"id": "1", "prompt": "x", "source": "s", "annotation": {"domains": ["Math"], "difficulty": 1}, "level": 3}
    mapping = {"instruction": "prompt", "annotation.difficulty": "level"}
    (made,) = rows_of(apply_mapping(placed(row), mapping, fields=Instance.model_fields))
    assert made == {"id": "1", "instruction": "x", "source": "s", "annotation": {"domains": ["Math"], "difficulty": 3}}


def test_a_mapped_column_that_is_a_field_moves_and_does_not_stand_twice():
    (made,) = rows_of(apply_mapping(placed({"id": "1", "text": "x"}), {"instruction": "text"}))
    assert made == {"id": "1", "instruction": "x"}


def test_a_number_within_a_path_counts_the_items_of_a_list():
    row = {"id": "1", "turns": [{"content": "be kind"}, {"content": "hello"}]}
    assert rows_of(apply_mapping(placed(row), {"instruction": "turns.1.content"}))[0]["instruction"] == "hello"


def test_a_column_whose_name_has_a_dot_is_found_as_it_stands():
    assert rows_of(apply_mapping(placed({"a.b": "x"}), {"id": "a.b"})) == [{"id": "x"}]


def test_row_numbers_and_constants_take_the_place_of_columns():
    mapping = parse_mapping(["instance=#", "model==gpt-5", "text=answer"])
    assert mapping == {"instance": "#", "model": "=gpt-5", "text": "answer"}
    assert rows_of(apply_mapping(placed({"answer": "a"}, {"answer": "b"}), mapping)) == [
        {"instance": "1", "model": "gpt-5", "text": "a"},
        {"instance": "2", "model": "gpt-5", "text": "b"},
    ]


def test_one_mapping_serves_instances_and_responses():
    mapping = {"id": "qid", "instruction": "prompt", "instance": "question", "model": "=m", "text": "answer"}
    asked = apply_mapping(placed({"qid": 1, "prompt": "x"}), mapping, fields=Instance.model_fields)
    answered = apply_mapping(placed({"question": 1, "answer": "y"}), mapping, fields=Response.model_fields)
    assert rows_of(asked) == [{"id": 1, "instruction": "x"}]
    assert rows_of(answered) == [{"instance": 1, "model": "m", "text": "y"}]


def test_mapped_rows_are_valid_records():
    (_, first), _ = as_records(apply_mapping(placed(*ROWS), MAPPING, fields=Instance.model_fields), Instance)
    assert (first.id, first.annotation.skills, first.annotation.difficulty) == ("7", ("factuality",), 2)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"id": "qidd"}, r"--map id=qidd: there is no column 'qidd'; did you mean 'qid'\?"),
        ({"id": "qid", "instruction": "meta.skil"}, r"did you mean 'meta.skill'\?"),
        ({"id": "qid", "instructions": "prompt"}, r"no field is called 'instructions'; did you mean 'instruction'\?"),
        ({"annotation.skill": "meta.skill"}, r"did you mean 'annotation.skills'\?"),
        ({"annotation": "meta"}, "name a part of the annotation"),
        ({"instruction.text": "prompt"}, "'instruction' has no parts"),
        ({"instruction": "prompt"}, r"file:1: there is no column 'id'.*--map id=COLUMN.*columns: .*qid.*--map id=#"),
    ],
)
def test_a_mapping_that_does_not_fit_names_the_nearest_or_the_remedy(mapping, said):
    with pytest.raises(UserError, match=said):
        apply_mapping(placed(*ROWS), mapping)


def test_a_table_without_the_needed_columns_says_which_option_names_them():
    with pytest.raises(UserError, match=r"no column 'instance'.*--map instance=COLUMN"):
        apply_mapping(placed(*ROWS), {}, fields=Response.model_fields)


def test_a_column_that_only_some_rows_have_may_be_mapped():
    rows = placed({"id": "1"}, {"id": "2", "gold": "x"})
    assert rows_of(apply_mapping(rows, {"reference": "gold"})) == [{"id": "1"}, {"id": "2", "reference": "x"}]


@pytest.mark.parametrize("option", ["id", "=qid", "id=", "  =x"])
def test_an_option_that_is_no_mapping_says_how_to_write_one(option):
    with pytest.raises(UserError, match="write FIELD=COLUMN"):
        parse_mapping([option])


def test_a_field_cannot_be_mapped_twice():
    with pytest.raises(UserError, match="'id' is mapped twice"):
        parse_mapping(["id=a", "id=b"])


# ---- Arrow folders and Parquet ------------------------------------------------------------------------------------


def test_folders_written_by_save_to_disk_are_told_from_others(tables):
    assert is_arrow_folder(tables / "one")
    assert is_arrow_folder(tables / "splits")
    assert not is_arrow_folder(tables / "parquet")
    assert not is_arrow_folder(tables / "none")


def test_an_arrow_folder_gives_plain_values_with_their_places(tables):
    first, second = read_hub(str(tables / "one"), {**MAPPING, "source": "kind"})
    assert first[0] == f"{tables / 'one'} row 1"
    assert first[1] == {
        "id": 7,
        "instruction": "Boil?",
        "reference": "100",
        "annotation": {"skills": ["factuality"], "difficulty": 2},
        "source": "physics",
    }
    assert json.loads(json.dumps(second[1])) == second[1]
    assert "reference" not in second[1]


def test_of_several_splits_one_must_be_named_by_its_folder(tables):
    with pytest.raises(UserError, match=r"holds the splits test, train; name one: .*splits/test"):
        read_hub(tables / "splits", MAPPING)
    assert len(list(read_hub(tables / "splits" / "test", MAPPING))) == 2
    assert len(list(read_hub(tables / "lone", MAPPING))) == 2


def test_parquet_files_and_folders_are_read_through_the_same_mapping(tables):
    rows = list(read_hub(tables / "parquet", MAPPING))
    assert len(rows) == 4
    assert rows[0][1] == next(read_hub(tables / "one", MAPPING))[1]


def test_dates_and_missing_numbers_become_plain_values(tmp_path):
    from datasets import Dataset

    day = datetime(2023, 7, 20, tzinfo=UTC)
    table = Dataset.from_dict({"id": ["1"], "when": [day], "x": [float("nan")], "y": [{"a": None, "b": 1}]})
    table.save_to_disk(str(tmp_path / "set"))
    assert rows_of(read_hub(tmp_path / "set")) == [{"id": "1", "when": day.isoformat(), "y": {"b": 1}}]


def test_a_broken_arrow_folder_is_one_clear_line(tmp_path):
    for name in ("state.json", "dataset_info.json"):
        (tmp_path / name).write_text("{")
    with pytest.raises(NotFoundError, match="cannot be read") as caught:
        read_hub(tmp_path)
    assert "\n" not in str(caught.value)


# ---- the hub ------------------------------------------------------------------------------------------------------


@contextmanager
def deaf_server():
    """A server whose queue is full, so that a connection to it is neither made nor refused."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.settimeout(0)
            client.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(params=["refused", "no such host", "no answer"])
def endpoint(request):
    if request.param == "no answer":
        with deaf_server() as address:
            yield address
    else:
        yield {"refused": "http://127.0.0.1:9", "no such host": "http://no-such-host.invalid"}[request.param]


def test_a_hub_that_cannot_be_reached_is_one_line_within_two_seconds(monkeypatch, endpoint):
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    begun = time.monotonic()
    said = rf"hf:org/name: the hub {re.escape(endpoint)} cannot be reached .*HF_HUB_OFFLINE=1"
    with pytest.raises(NotFoundError, match=said) as caught:
        read_hub("hf:org/name")
    assert time.monotonic() - begun < 2
    assert "\n" not in str(caught.value)


def test_behind_a_proxy_it_is_the_proxy_that_must_be_there(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.invalid")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(NotFoundError, match=r"mirror\.invalid cannot be reached \(Connection refused\)"):
        read_hub("hf:org/name")


@pytest.mark.parametrize("spec", ["hf:", "hf:a/b/c", "hf:a/b:c:d:e", "hf:a b/c"])
def test_a_specification_that_is_none_says_how_to_write_one(spec):
    with pytest.raises(UserError, match=r"hf:ORG/NAME\[:CONFIG\]\[:SPLIT\]"):
        read_hub(spec)


# With HF_HUB_OFFLINE=1 the library reads its cache, so a cache made by hand stands for the hub.
MAKE_CACHE = """
import json, os, shutil, sys
from pathlib import Path
import datasets
table = datasets.Dataset.from_list([{"qid": k, "prompt": f"Question {k}"} for k in (1, 2, 3)])
home = Path(os.environ["HF_HOME"])
table.to_parquet(home / "a.parquet")
table.select([0]).to_parquet(home / "b.parquet")
for name, config, files in (
    ("org/many", "main", {"train": "a.parquet", "test": "b.parquet"}),
    ("org/many", "extra", {"train": "b.parquet"}),
    ("org/one", "default", {"train": "a.parquet", "test": "b.parquet"}),
):
    files = {split: str(home / file) for split, file in files.items()}
    builder = datasets.load_dataset_builder("parquet", name=config, data_files=files, cache_dir=str(home / "made" / name))
    builder.download_and_prepare()
    target = home / "datasets" / name.replace("/", "___") / config / "0.0.0" / ("a" * 40)
    shutil.copytree(builder.cache_dir, target)
    for file in target.glob("parquet-*"):
        file.rename(target / file.name.replace("parquet-", name.split("/")[1] + "-"))
"""
READ = """
import json, sys
from flask_eval.errors import UserError
from flask_eval.importing.hub import read_hub
found = {}
for spec in sys.argv[1:]:
    try:
        found[spec] = [list(row) for row in read_hub(spec, {"id": "qid", "instruction": "prompt"})]
    except UserError as error:
        found[spec] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""
SPECS = (
    "hf:org/many:main:test",
    "hf:org/many:extra",
    "hf:org/many:main",
    "hf:org/many",
    "hf:org/one:test",
    "hf:org/one::test",
    "hf:org/one:tset",
    "hf:org/one",
    "hf:org/none",
)


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """What `read_hub` gives for each of SPECS, read from a cache of two data sets, without a network."""
    home = tmp_path_factory.mktemp("hf")
    root = str(Path(__file__).resolve().parents[1])
    env = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONPATH": root}
    quiet = {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    subprocess.run([sys.executable, "-c", MAKE_CACHE], check=True, env=env | quiet, capture_output=True)
    done = subprocess.run([sys.executable, "-c", READ, *SPECS], check=True, env=env, capture_output=True, text=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_a_cached_set_is_read_without_a_network(cached):
    assert cached["hf:org/many:main:test"] == [["hf:org/many:main:test row 1", {"id": 1, "instruction": "Question 1"}]]


def test_a_single_part_is_a_configuration_if_there_is_one_else_a_split(cached):
    assert cached["hf:org/many:extra"][0][0] == "hf:org/many:extra:train row 1"
    assert cached["hf:org/one:test"] == cached["hf:org/one::test"]
    assert len(cached["hf:org/one:test"]) == 1


def test_what_is_not_decided_is_asked_for_with_the_choices(cached):
    assert "UserError: hf:org/many:main: the set has the splits train, test; name one" in cached["hf:org/many:main"]
    assert (
        "UserError: hf:org/one: the set has the splits train, test; name one: hf:org/one:train" in cached["hf:org/one"]
    )
    assert "main" in cached["hf:org/many"]
    assert "extra" in cached["hf:org/many"]


def test_a_split_or_a_set_that_does_not_exist_is_one_clear_line(cached):
    assert "no configuration or split 'tset'" in cached["hf:org/one:tset"]
    assert "did you mean 'test'?" in cached["hf:org/one:tset"]
    assert cached["hf:org/none"].startswith("NotFoundError: hf:org/none: cannot be read")
    assert not any("\n" in found for found in cached.values() if isinstance(found, str))
