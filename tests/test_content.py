"""Every shipped file loads, says what it should, and travels with the package."""

import json
import re
import zipfile
from pathlib import Path

import pytest

from flask_eval import content
from flask_eval.errors import NotFoundError, RecordError, UserError
from flask_eval.judging import plan, read_instances, read_responses
from flask_eval.prompting import open_prompt
from flask_eval.records import read_rows, yaml_record
from flask_eval.schema import JudgeCard, RubricSet, level_texts

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "annotations" / "demo"
SKILLS = [s.name for s in content.load_rubrics("flask").skills]


@pytest.mark.parametrize("name", content.shipped("rubrics"))
def test_every_rubric_set_loads(name):
    """With a text for every level."""
    rubrics = content.load_rubrics(name)
    assert rubrics.name == name
    for skill in rubrics.skills:
        assert [value for value, _ in level_texts(skill, rubrics.scale)] == list(rubrics.scale.values)
        assert "?" in skill.criterion


def test_the_flask_set_holds_twelve_skills_in_four_groups():
    """FLASK, section 3."""
    rubrics = content.load_rubrics("flask")
    groups: dict[str, list[str]] = {}
    for skill in rubrics.skills:
        groups.setdefault(skill.group, []).append(skill.title)
    assert {group: len(titles) for group, titles in groups.items()} == {
        "Logical Thinking": 3,
        "Background Knowledge": 2,
        "Problem Handling": 4,
        "User Alignment": 3,
    }


def test_the_meaning_of_flasks_level_is_kept():
    """Metacognition 5 declines and 4 acknowledges, harmlessness 5 names the risk, factuality 5 has evidence."""
    levels = {s.name: s.levels for s in content.load_rubrics("flask").skills}
    assert re.search(r"declin|refrain|does not answer", levels["metacognition"][5], re.IGNORECASE)
    assert re.search(r"acknowledg|admit|limit|uncertain", levels["metacognition"][4], re.IGNORECASE)
    assert re.search(r"risk", levels["harmlessness"][5], re.IGNORECASE)
    assert re.search(r"evidence|citation", levels["factuality"][5], re.IGNORECASE)


def test_the_taxonomy_holds_ten_domains_and_five_difficulties():
    """FLASK, table 6: 38 sub-domains."""
    taxonomy = content.load_taxonomy()
    assert len(taxonomy.domains) == 10
    assert sum(len(d.subdomains) for d in taxonomy.domains) == 38
    assert [d.level for d in taxonomy.difficulties] == [1, 2, 3, 4, 5]
    assert all(d.definition for d in taxonomy.difficulties)


@pytest.mark.parametrize("name", content.shipped("judges"))
def test_every_judge_card_loads_under_its_own_name_and_opens_its_prompt(name):
    """A card that cannot be used does not ship."""
    card = content.load_judge(name)
    assert card.name == name
    open_prompt(card, content.load_rubrics("flask"))


RATE = [n for n in content.shipped("prompts") if n[0] != "_" and "asks: annotation" not in content.load_prompt(n)]


@pytest.mark.parametrize("name", RATE)
def test_every_prompt_opens(name):
    """Rendered once on a made-up instance; those that annotate show no response."""
    open_prompt(JudgeCard(name="x", adapter="openai", model="m", prompt=name), content.load_rubrics("flask"))


@pytest.mark.parametrize("name", content.SCHEMAS)
def test_the_json_schemas_for_editors_are_those_of_the_code(name):
    """To renew one: `flask-eval show schemas NAME > FOLDER/NAME.schema.json`."""
    folder = content.SCHEMAS[name][0]
    assert json.loads((ROOT / folder / f"{name}.schema.json").read_text()) == content.json_schema(name)


def test_the_json_schemas_accept_what_ships():
    """And refuse an unknown field."""
    import jsonschema
    import yaml

    for name, (folder, _) in content.SCHEMAS.items():
        schema = content.json_schema(name)
        jsonschema.Draft202012Validator.check_schema(schema)
        for file in (ROOT / folder).glob("*.yaml"):
            text = file.read_text()
            if f"{name}.schema.json" not in text:
                continue
            data = json.loads(json.dumps(yaml.safe_load(text)))
            jsonschema.validate(data, schema)
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate({**data, "nonsense": 1}, schema)


def test_every_example_in_the_rubric_guide_is_a_rubric_set():
    """On scales of points, half points, 0-3, 1-10, yes/no and labels."""
    examples = re.findall(r"```yaml\n(.*?)```", (ROOT / "rubrics" / "README.md").read_text(), re.DOTALL)
    sets = [yaml_record(text, "README.md", RubricSet) for text in examples]
    assert len(sets) >= 6
    scales = [s.scale for s in sets]
    assert any(s.labels == ("no", "yes") for s in scales)
    assert any(s.step == 0.5 for s in scales)
    assert {(s.min, s.max) for s in scales} >= {(1, 5), (0, 3), (1, 10)}


class TestDemoSet:
    """The sample set covers what the tour shows."""

    instances = read_instances(DEMO / "instances.jsonl")

    def test_it_has_every_skill_domain_and_difficulty(self):
        """At least 30 instances with references, every skill on at least 6."""
        assert len(self.instances) >= 30
        assert all(i.reference for i in self.instances)
        for name in SKILLS:
            assert sum(name in i.annotation.skills for i in self.instances) >= 6, name
        taxonomy = content.load_taxonomy()
        assert {d for i in self.instances for d in i.annotation.domains} == {d.name for d in taxonomy.domains}
        assert {i.annotation.difficulty for i in self.instances} == {1, 2, 3, 4, 5}

    def test_it_has_a_hard_subset(self):
        """At least 8 ids, all of them instances."""
        hard = content.load_slice(str(DEMO / "hard.txt"))
        assert len(hard.ids) >= 8
        assert set(hard.ids) <= {i.id for i in self.instances}

    def test_three_plainly_named_sample_models_answer_all_of_it(self):
        """One strong, one terse, one flawed."""
        responses = read_responses(DEMO / "responses")
        assert {r.model for r in responses} == {"sample-strong", "sample-terse", "sample-flawed"}
        assert len(responses) == 3 * len(self.instances)

    def test_judge_and_raters_are_called_sample_and_simulated(self):
        """In the data themselves."""
        assert (DEMO / "sample-judge.jsonl").exists()
        assert {row["rater"] for _, row in read_rows(DEMO / "ratings.csv")} == {
            f"simulated-rater-{k}" for k in (1, 2, 3)
        }

    def test_the_judge_has_completions_for_all_of_it(self):
        """Every response that is not empty."""
        made = plan(DEMO / "instances.jsonl", DEMO / "responses", judge=f"replay:{DEMO / 'sample-judge.jsonl'}")
        assert made.calls == 3 * len(self.instances) - 1


def test_a_bare_name_is_shipped_content_and_nothing_else(tmp_path, monkeypatch):
    """A file of that name in the working folder is not picked up by accident."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_text("name: x")
    (tmp_path / "flask").write_text("name: x")
    assert content.load_rubrics("flask").name == "flask"
    with pytest.raises(NotFoundError, match="no shipped rubric set is called 'mine'"):
        content.load_rubrics("mine")


def test_a_slash_or_a_suffix_makes_it_the_users_file(tmp_path, monkeypatch):
    """Also in the working folder."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "rubrics" / "overall.yaml").read_text()
    (tmp_path / "flask.yaml").write_text(text)
    assert content.load_rubrics("flask.yaml").name == "overall"
    assert content.load_rubrics("./flask.yaml").name == "overall"


@pytest.mark.parametrize(
    ("spec", "name", "adapter", "model"),
    [
        ("openai:gpt-5-mini", "openai:gpt-5-mini", "openai", "gpt-5-mini"),
        ("litellm:gemini/x", "litellm:gemini/x", "litellm", "gemini/x"),
        ("replay:a/b.jsonl.gz", "b", "replay", "a/b.jsonl.gz"),
        ("metric:rouge_l", "metric:rouge_l", "metric", "rouge_l"),
        ("gpt-4.1", "gpt-4.1", "openai", "gpt-4.1"),
    ],
)
def test_a_judge_is_a_card_or_a_scheme(spec, name, adapter, model):
    """A shipped name with a dot is still a shipped name."""
    card = content.load_judge(spec)
    assert (card.name, card.adapter, card.model) == (name, adapter, model)


def test_a_providers_own_key_goes_to_no_other_server():
    """Another base URL drops the key that the card names."""
    assert content.load_judge("gpt-5-mini").api_key_env == "OPENAI_API_KEY"
    assert content.load_judge("gpt-5-mini", base_url="http://127.0.0.1:1/v1").api_key_env is None


@pytest.mark.parametrize(
    ("text", "said"), [("1\n2\n1\n", "hard.txt:3: id '1' stands twice (first in line 1)"), ("# none\n", "holds no id")]
)
def test_a_slice_file_with_a_fault_is_told(tmp_path, text, said):
    """With the line."""
    (tmp_path / "hard.txt").write_text(text)
    with pytest.raises(RecordError) as caught:
        content.load_slice(str(tmp_path / "hard.txt"))
    assert said in str(caught.value)


def test_a_metric_takes_no_model_and_no_address():
    """It calls nobody."""
    with pytest.raises(UserError, match="calls no model"):
        content.load_judge("metric:rouge_l", base_url="http://x")


def test_the_wheel_carries_the_content_of_the_checkout(tmp_path):
    """File by file: a content file that git ignores would be missing."""
    import subprocess
    import sys

    made = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    for folder in content.FOLDERS:
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert f"flask_eval/_shipped/{file.relative_to(ROOT)}" in names
    assert {name.split("/")[0] for name in names} == {"flask_eval", f"flask_eval-{wheel.name.split('-')[1]}.dist-info"}


def test_shipped_content_is_read_from_a_zipped_wheel(tmp_path):
    """Also where the package is never unpacked."""
    import subprocess
    import sys

    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    code = (
        f"import sys; sys.path.insert(0, {str(wheel)!r}); from flask_eval import content; "
        "print(content.__file__, len(content.load_rubrics('flask').skills), len(content.load_prompt('flask')) > 100)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ".whl" in done.stdout.split()[0], done.stderr
    assert done.stdout.split()[1:] == ["12", "True"]
