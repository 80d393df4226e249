"""The composition figures of the FLASK paper come out of the imported release, to the printed digit.

Sources: Ye et al., arXiv 2307.10928v4, Table 7 and Figures 23 to 26. All but Figure 25 describe the first 1,700 instances.
"""

from collections import Counter
from pathlib import Path

import pytest

from flask_eval.content import load_rubrics, load_taxonomy
from flask_eval.importing.flask import import_flask

SETS = Path(__file__).resolve().parents[2] / "shared" / "data" / "flask" / "evaluation_set"
pytestmark = pytest.mark.skipif(not SETS.is_dir(), reason="FLASK's release is not beside the checkout")

# The domains that the release lost as "-1": what the annotator had replied, a domain or one of its sub-domains each.
REPLIES = {
    "836": ("Health", "Psychology"),
    "991": ("Health", "Ethics"),
    "993": ("Social Science", "Law"),
    "1145": ("Culture", "Sports"),
    "1171": ("Culture", "Sports"),
    "1415": ("Natural Science", "Logic"),
    "1493": ("Technology",),
    "1546": ("Humanities", "Ethics"),
    "1563": ("Culture", "Sports"),
    "1660": ("Literature",),
}


@pytest.fixture(scope="module")
def release():
    return import_flask(SETS / "flask_evaluation.jsonl", hard=SETS / "flask_hard_evaluation.jsonl")


@pytest.fixture(scope="module")
def published(release):
    """The 1,700 instances that the paper's figures describe."""
    return [instance for instance in release.instances if int(instance.id) <= 1700]


def shares(labels):
    """Per cent of each label, to one digit."""
    counts = Counter(labels)
    return {label: round(100 * count / counts.total(), 1) for label, count in counts.items()}


def skills_of(instances):
    return [skill for instance in instances for skill in instance.annotation.skills]


def groups_of(instances):
    group_of = {skill.name: skill.group for skill in load_rubrics("flask").skills}
    return [group_of[skill] for skill in skills_of(instances)]


def test_table_7_counts_instances_by_difficulty(published):
    counts = Counter(instance.annotation.difficulty for instance in published)
    assert counts == {1: 388, 2: 276, 3: 437, 4: 429, 5: 170}


def test_figure_23_gives_the_shares_of_the_four_groups(published, release):
    assert shares(groups_of(published)) == {
        "Logical Thinking": 16.7,
        "Background Knowledge": 25.8,
        "Problem Handling": 39.8,
        "User Alignment": 17.7,
    }
    assert shares(groups_of(release.instances)) == {
        "Logical Thinking": 17.1,
        "Background Knowledge": 25.4,
        "Problem Handling": 39.8,
        "User Alignment": 17.6,
    }


def test_figure_24_gives_the_shares_of_the_twelve_skills(published):
    assert shares(skills_of(published)) == {
        "comprehension": 22.5,
        "commonsense_understanding": 13.8,
        "factuality": 12.0,
        "logical_correctness": 9.1,
        "completeness": 8.9,
        "readability": 8.8,
        "conciseness": 6.4,
        "insightfulness": 5.8,
        "logical_robustness": 4.2,
        "logical_efficiency": 3.4,
        "metacognition": 2.6,
        "harmlessness": 2.5,
    }


def test_figure_25_gives_the_shares_of_skills_in_the_hard_subset(release):
    by_id = {instance.id: instance for instance in release.instances}
    found = shares(skills_of([by_id[name] for name in release.hard_ids]))
    printed = {
        "comprehension": 22.1,
        "commonsense_understanding": 15.0,
        "logical_correctness": 10.1,
        "factuality": 10.1,
        "metacognition": 7.1,
    }
    assert {skill: found[skill] for skill in printed} == printed
    assert shares(groups_of([by_id[name] for name in release.hard_ids])) == {
        "Logical Thinking": 21.0,
        "Background Knowledge": 25.1,
        "Problem Handling": 40.4,
        "User Alignment": 13.5,
    }


def test_the_hard_subset_is_expert_level_throughout(release):
    by_id = {instance.id: instance for instance in release.instances}
    assert {by_id[name].annotation.difficulty for name in release.hard_ids} == {5}


def test_figure_26_gives_the_shares_of_domains_once_the_lost_ones_are_put_back(published):
    domain_of = {part: domain.name for domain in load_taxonomy().domains for part in (domain.name, *domain.subdomains)}
    labels = []
    for instance in published:
        replies = [domain_of[reply] for reply in REPLIES.get(instance.id, ())]
        labels += dict.fromkeys([*instance.annotation.domains, *replies])
    assert len(labels) == 2323
    assert shares(labels) == {
        "Culture": 16.8,
        "Humanities": 15.6,
        "Technology": 11.7,
        "Social Science": 11.5,
        "Language": 10.0,
        "Math": 9.4,
        "Coding": 8.8,
        "Natural Science": 7.1,
        "Health": 5.2,
        "History": 3.8,
    }


def test_the_instances_with_a_lost_domain_are_told(release):
    told = {warning.id for warning in release.warnings if warning.code == "domain_missing"}
    assert told == {*REPLIES, "1705"}


def test_table_12_counts_instances_by_source(release):
    counts = Counter(instance.source for instance in release.instances)
    assert len(counts) == 122
    assert counts.most_common(5) == [
        ("Self-instruct", 252),
        ("Wizardlm", 216),
        ("Koala", 176),
        ("Vicuna", 80),
        ("Mmlu", 57),
    ]
