"""Agreement statistics meet the figures that papers and their authors' files give."""

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flask_eval.analysis.agreement import confusion, inter_rater, judge_versus_human
from flask_eval.analysis.agreement.concordance import kendall
from flask_eval.analysis.agreement.correlation import pearson, spearman
from flask_eval.analysis.agreement.paired import paired

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LEVELS = {"item": "item_level", "instance": "per_document", "system": "system_level"}
CORRELATIONS = {"pearson": "pearson", "spearman": "spearman", "kendall": "kendall_tau_b"}


def needs(name):
    return pytest.mark.skipif(not (DATA / name).is_dir(), reason=f"the data set {name} is not beside the checkout")


def lines(name):
    with gzip.open(DATA / name, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def expected(name):
    return json.loads((DATA / name / "expected.json").read_text(encoding="utf-8"))


def long_table(rows, columns=("instance", "model", "skill", "rater", "kind", "score")):
    return pd.DataFrame(rows, columns=list(columns))


def only(rows, **wanted):
    found = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    assert len(found) == 1, wanted
    return found[0]


# ---- worked examples: 32 published figures ------------------------------------------------------------------------


def worked_examples():
    path = DATA / "agreement_examples" / "worked_examples.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def table_of_example(example):
    """A long table, and whether its raters are only places in a list."""
    if "ratings" in example:
        cells = [(unit, rater, score) for rater, row in enumerate(example["ratings"]) for unit, score in enumerate(row)]
    elif "counts" in example:
        cells = []
        for unit, row in enumerate(example["counts"]):
            scores = [value for value, count in enumerate(row) for _ in range(count)]
            cells += [(unit, place, score) for place, score in enumerate(scores)]
    else:
        cells, unit = [], 0
        for first, row in enumerate(example["contingency"]):
            for second, count in enumerate(row):
                for _ in range(count):
                    cells += [(unit, 0, first), (unit, 1, second)]
                    unit += 1
    cells = [cell for cell in cells if cell[2] is not None]
    scores = [float(score) if isinstance(score, int) else score for *_, score in cells]
    frame = pd.DataFrame(
        {"instance": [str(unit) for unit, *_ in cells], "rater": [f"r{rater}" for _, rater, _ in cells]}
    )
    return frame.assign(skill="s", kind="human", score=pd.Series(scores, dtype=None)), "counts" in example


NAMES = {
    "percent_agreement": "percent",
    "gwet_ac1": "ac1",
    "fleiss_kappa": "fleiss",
    "conger_kappa": "conger",
    "scott_pi": "scott",
}
PAIRWISE = {"cohen_kappa": "kappa", "cohen_kappa_linear": "kappa_linear", "cohen_kappa_quadratic": "kappa_quadratic"}


def figure(row, name):
    return getattr(row.pairs[0], PAIRWISE[name]) if name in PAIRWISE else row.measures[NAMES.get(name, name)]


@needs("agreement_examples")
def test_the_worked_examples_hold_32_published_figures():
    assert sum(len(example["published"]) for example in worked_examples()) == 32


@needs("agreement_examples")
@pytest.mark.parametrize("example", worked_examples(), ids=lambda example: example["name"])
def test_every_published_figure_of_a_worked_example_is_met(example):
    table, places = table_of_example(example)
    # R's irr and SAS weight by place among the categories that occur
    row = only(inter_rater(table, anonymous=places, kappa_weights="position"), skill="s")
    for name, value in example["published"].items():
        assert figure(row, name) == pytest.approx(value, abs=0.51 * 10 ** -example["decimals"]), name


@needs("agreement_examples")
@pytest.mark.parametrize("example", worked_examples(), ids=lambda example: example["name"])
def test_every_other_figure_of_a_worked_example_is_met(example):
    table, places = table_of_example(example)
    row = only(inter_rater(table, anonymous=places, kappa_weights="position"), skill="s")
    for name, value in example["computed"].items():
        assert figure(row, name) == pytest.approx(value, abs=1e-6), name


@needs("agreement_examples")
def test_kappa_weights_go_by_value_unless_told_otherwise():
    example = next(example for example in worked_examples() if "by_value" in example)
    table, _ = table_of_example(example)
    row = only(inter_rater(table), skill="s")
    for name, value in example["by_value"].items():
        assert figure(row, name) == pytest.approx(value, abs=1e-6)


# ---- JUDGE-BENCH: three raters, and 123 ---------------------------------------------------------------------------


def judgebench(name):
    return long_table(
        [
            (
                row["item"],
                "",
                row["aspect"],
                f"{name}#{place}",
                "human",
                float(score) if isinstance(score, int) else score,
            )
            for row in lines(f"judgebench_human/{name}.jsonl.gz")
            for place, score in enumerate(row["ratings"], 1)
        ]
    )


@needs("judgebench_human")
@pytest.mark.parametrize("name", ["newsroom", "dices_350_crowd"])
def test_alpha_of_judgebench_is_the_published_one(name):
    wanted = expected("judgebench_human")
    rows = inter_rater(judgebench(name), anonymous=True)
    for aspect, facts in wanted["alpha"][name].items():
        row = next(row for row in rows if row.skill in (aspect, aspect.lower()))
        assert row.measures[f"alpha_{facts['level']}"] == pytest.approx(facts["published_alpha"][0], abs=1e-6)
        assert (row.n_units, row.n_ratings, len(row.raters)) == (facts["items"], facts["ratings"], facts["max_raters"])
        low, high = row.intervals[f"alpha_{facts['level']}"]
        assert low < facts["published_alpha"][0] < high


# ---- SummEval: conventions of levels, pooling, and people ---------------------------------------------------------


@pytest.fixture(scope="module")
def summeval():
    people = [
        (row["item"], row["system"], row["aspect"], f"{kind}{place}", "human", float(score))
        for row in lines("summeval_llm/human.jsonl.gz")
        for kind, scores in (("expert", row["experts"]), ("crowd", row["crowd"]))
        for place, score in enumerate(scores, 1)
    ]
    median = [
        (row["item"], row["system"], row["aspect"], "median", "human", float(np.median(row["experts"])))
        for row in lines("summeval_llm/human.jsonl.gz")
    ]
    judges = [
        (row["item"], row["system"], row["aspect"], f"{row['judge']}/{row['method']}", "judge", row["score"])
        for row in lines("summeval_llm/judge.jsonl.gz")
    ]
    return long_table(people + median + judges).astype({"score": float})


EXPERTS = ["expert1", "expert2", "expert3"]
RTS = "gpt-3.5-turbo-0301/rts"


@pytest.fixture(scope="module")
def summeval_rows(summeval):
    return judge_versus_human(summeval, humans=EXPERTS)


@needs("summeval_llm")
def test_judges_meet_summeval_at_three_levels(summeval_rows):
    wanted = expected("summeval_llm")
    for judge, aspects in wanted["judge_vs_mean_of_3_experts"].items():
        for aspect, levels in aspects.items():
            for level, name in LEVELS.items():
                row = only(summeval_rows, judge=judge, human="mean", skill=aspect, level=level, adjusted=None)
                figures = levels[name]
                for ours, theirs in CORRELATIONS.items():
                    assert row.measures[ours] == pytest.approx(figures[theirs], abs=wanted["tolerance"])
                assert row.n == figures.get("n", figures.get("groups_used"))
                assert row.n_groups == figures.get("groups")


@needs("summeval_llm")
def test_pooling_conventions_of_summeval_are_met(summeval_rows):
    wanted = expected("summeval_llm")["conventions_rts"]["four_aspects_pooled"]
    rows = [row for row in summeval_rows if row.judge == RTS and row.human == "mean"]

    def pooled(level, adjusted=None):
        return only(rows, skill=None, level=level, adjusted=adjusted)

    assert pooled("item").measures["pearson"] == pytest.approx(wanted["item"]["pooled"]["pearson"], abs=5e-4)
    centred = pooled("item", "skill_centred").measures["pearson"]
    assert centred == pytest.approx(wanted["item"]["skill_centred"]["pearson"], abs=5e-4)
    instance, facts = pooled("instance"), wanted["instance"]["per_document_and_skill"]
    assert instance.measures["pearson"] == pytest.approx(facts["pearson"], abs=5e-4)
    assert (instance.n, instance.n_groups) == (facts["n"], facts["n_groups"])
    assert pooled("system").measures["pearson"] == pytest.approx(wanted["system"]["means"]["pearson"], abs=5e-4)
    skills = [row.measures["pearson"] for row in rows if row.skill and row.level == "item"]
    assert np.mean(skills) == pytest.approx(wanted["item"]["mean_of_skills"]["pearson"], abs=5e-4)


@needs("summeval_llm")
def test_each_is_the_mean_over_experts(summeval_rows):
    wanted = expected("summeval_llm")["conventions_rts"]["coherence"]["item"]
    row = only(summeval_rows, judge=RTS, human="each", skill="coherence", level="item")
    assert row.measures["pearson"] == pytest.approx(wanted["each"], abs=5e-4)
    assert row.n == 1200


@needs("summeval_llm")
def test_half_points_count_as_scores_where_no_scale_is_declared(summeval_rows):
    wanted = expected("summeval_llm")["conventions_rts"]["coherence"]["kappa_quadratic"]["judge_unrounded"]
    row = only(summeval_rows, judge=RTS, human="each", skill="coherence", level="item")
    assert row.measures["kappa_quadratic"] == pytest.approx(wanted["each"], abs=5e-4)
    assert row.n_off_points == 0


@needs("summeval_llm")
def test_half_points_are_left_out_of_kappas_on_a_declared_scale(summeval):
    wanted = expected("summeval_llm")["conventions_rts"]["coherence"]["kappa_quadratic"]
    scales = dict.fromkeys([RTS, *EXPERTS, "median"], (1, 5))
    rows = judge_versus_human(summeval, judges=[RTS], humans=[*EXPERTS, "median"], scales=scales, resamples=0)
    left_out = wanted["judge_rows_off_the_scale_left_out"]
    for name, value in zip([*EXPERTS, "median"], [*left_out["by_place"], left_out["median"]], strict=True):
        row = only(rows, human=name, skill="coherence", level="item")
        assert row.measures["kappa_quadratic"] == pytest.approx(value, abs=5e-4)
        assert (row.n, row.n - row.n_off_points) == (1200, left_out["n"])
    mean = only(rows, human="mean", skill="coherence", level="item")
    assert mean.measures["kappa_quadratic"] is None
    assert "mean" in mean.undefined["kappa_quadratic"]


@needs("summeval_llm")
def test_the_median_of_experts_may_stand_as_a_rater(summeval):
    wanted = expected("summeval_llm")["conventions_rts"]["coherence"]
    rows = judge_versus_human(summeval, judges=[RTS], humans=["median"], resamples=0)
    row = only(rows, human="median", skill="coherence", level="item")
    assert row.measures["pearson"] == pytest.approx(wanted["item"]["median"], abs=5e-4)
    assert row.measures["kappa_quadratic"] == pytest.approx(
        wanted["kappa_quadratic"]["judge_unrounded"]["median"], abs=5e-4
    )


@needs("summeval_llm")
@pytest.mark.parametrize("kind", ["expert", "crowd"])
def test_agreement_among_experts_and_among_the_crowd_is_met(summeval, kind):
    people = sorted(name for name in summeval["rater"].unique() if name.startswith(kind))
    rows = inter_rater(summeval, judges=[], humans=people, resamples=0)
    for aspect, facts in expected("summeval_llm")["human_agreement"].items():
        row = only(rows, skill=aspect, of="raters")
        for level, value in facts[f"{kind}s_alpha" if kind == "expert" else "crowd_alpha"].items():
            assert row.measures[f"alpha_{level}"] == pytest.approx(value, abs=5e-4)
        if kind == "expert":
            pair = only(row.pairs, a="expert1", b="expert2")
            assert pair.kappa_quadratic == pytest.approx(facts["expert1_expert2"]["quadratic_kappa"], abs=5e-4)
            assert pair.kappa_linear == pytest.approx(facts["expert1_expert2"]["linear_kappa"], abs=5e-4)
            assert pair.kappa == pytest.approx(facts["expert1_expert2"]["kappa"], abs=5e-4)


# ---- Topical-Chat: samples, gaps, and a metric --------------------------------------------------------------------


@pytest.fixture(scope="module")
def topical_chat():
    people = [
        (row["dialogue"], row["system"], aspect, "mean_human", "human", 0, score)
        for row in lines("topical_chat/human.jsonl.gz")
        for aspect, score in row["mean_human"].items()
    ]
    judges = []
    for row in lines("topical_chat/judge.jsonl.gz"):
        dialogue, system = row["item"].split("/", 1)
        rater, kind = (row["judge"], "metric") if row["judge"] == "UniEval" else (row["method"], "judge")
        judges += [
            (dialogue, system, row["aspect"], rater, kind, sample, math.nan if score is None else score)
            for sample, score in enumerate(row["samples"])
        ]
    columns = ("instance", "model", "skill", "rater", "kind", "sample", "score")
    return long_table(people + judges, columns).astype({"score": float})


TOPICAL_LEVELS = {"method_1_all_items": "item", "method_2_per_dialogue": "instance"}


@needs("topical_chat")
def test_every_published_figure_of_topical_chat_is_met(topical_chat):
    rows = judge_versus_human(topical_chat, resamples=0)
    published = expected("topical_chat")["published"]
    assert len(published) == 32
    for facts in published:
        row = only(
            rows, judge=facts["method"], human="mean", skill=facts["aspect"], level=TOPICAL_LEVELS[facts["level"]]
        )
        ours = {theirs: ours for ours, theirs in CORRELATIONS.items()}[facts["figure"]]
        assert row.measures[ours] == pytest.approx(facts["published"], abs=facts["tolerance"])


@needs("topical_chat")
def test_computed_figures_of_topical_chat_are_met(topical_chat):
    rows = judge_versus_human(topical_chat, resamples=0)
    for aspect, methods in expected("topical_chat")["computed"].items():
        for method, levels in methods.items():
            for name, level in TOPICAL_LEVELS.items():
                if name not in levels:
                    continue
                row = only(rows, judge=method, human="mean", skill=aspect, level=level)
                for ours, theirs in CORRELATIONS.items():
                    assert row.measures[ours] == pytest.approx(levels[name][theirs], abs=5e-4)
                assert row.n == levels[name].get("n", levels[name].get("groups_used"))


@needs("topical_chat")
def test_a_score_outside_the_declared_scale_does_not_count_and_is_told(topical_chat):
    rows = judge_versus_human(topical_chat, scales={"llm_eval_no_cot": (1, 3)}, judges=["llm_eval_no_cot"], resamples=0)
    facts = expected("topical_chat")["computed"]["coherence"]["llm_eval_no_cot"]["off_the_scale_left_out"]
    for name, level in TOPICAL_LEVELS.items():
        row = only(rows, human="mean", skill="coherence", level=level)
        for ours, theirs in CORRELATIONS.items():
            assert row.measures[ours] == pytest.approx(facts[name][theirs], abs=5e-4)
        assert row.n_out_of_range == 1


@needs("topical_chat")
def test_a_mean_of_samples_has_no_kappa(topical_chat):
    rows = judge_versus_human(topical_chat, resamples=0)
    row = only(rows, judge="geval", human="mean_human", skill="coherence", level="item")
    assert row.measures["kappa"] is None
    assert row.undefined["kappa"] == "means of samples are no points of the scale"


# ---- PandaLM: labels ----------------------------------------------------------------------------------------------


def pandalm(garbage):
    rows = []
    for row in lines("pandalm/pairwise.jsonl.gz"):
        people = [(f"{place}", "human", label) for place, label in enumerate(row["humans"], 1)]
        judges = [(judge, "judge", row[judge]) for judge in ("gpt-3.5-turbo", "pandalm-7b")]
        rows += [(str(row["item"]), row["pair"], "preference", *rating) for rating in people + judges]
    table = long_table(rows)
    unread = table["score"] == "garbage"
    if garbage == "left_out":
        return table.assign(score=table["score"].where(~unread, None), outcome=np.where(unread, "unparsed", "scored"))
    return table.assign(score=table["score"].where(~unread, "0")) if garbage == "as_tie" else table


@needs("pandalm")
def test_people_of_pandalm_agree_as_published():
    wanted = expected("pandalm")
    row = only(inter_rater(pandalm("left_out")), kind="human", skill="preference")
    assert row.measures["alpha_nominal"] == pytest.approx(wanted["computed"]["alpha_nominal"], abs=1e-6)
    for pair in row.pairs:
        name = f"{pair.a}-{pair.b}"
        assert pair.kappa == pytest.approx(wanted["published"]["cohen_kappa"][name], abs=0.005)
        assert pair.kappa == pytest.approx(wanted["computed"]["cohen_kappa"][name], abs=1e-6)
    assert row.measures["alpha_interval"] is None
    assert row.undefined["alpha_interval"] == "labels have no order"


@needs("pandalm")
def test_majority_labels_of_pandalm_are_counted_as_published():
    row = only(confusion(pandalm("as_tie")), judge="pandalm-7b", human="majority", skill="preference")
    counted = dict(zip(row.points, map(sum, row.counts), strict=True))
    assert counted == expected("pandalm")["published"]["label_distribution"]


@needs("pandalm")
@pytest.mark.parametrize("garbage", ["wrong", "left_out", "as_tie"])
@pytest.mark.parametrize("judge", ["gpt-3.5-turbo", "pandalm-7b"])
def test_judges_of_pandalm_meet_the_majority_as_computed(garbage, judge):
    wanted = expected("pandalm")["unreadable_labels"][judge][garbage]
    table = pandalm(garbage)
    row = only(judge_versus_human(table), judge=judge, human="majority", skill="preference", level="item")
    assert row.n == wanted["n"]
    assert row.measures["exact"] == pytest.approx(wanted["accuracy"], abs=1e-6)
    assert row.measures["kappa"] == pytest.approx(wanted["kappa"], abs=1e-6)
    matrix = only(confusion(table), judge=judge, human="majority", skill="preference")
    for name, value in of_matrix(matrix).items():
        assert value == pytest.approx(wanted[name], abs=1e-6)


@needs("pandalm")
@pytest.mark.parametrize("judge", ["gpt-3.5-turbo", "pandalm-7b"])
def test_judges_of_pandalm_have_the_published_precision_and_recall(judge):
    published = expected("pandalm")["unreadable_labels"]["published"]
    matrix = only(confusion(pandalm("as_tie")), judge=judge, human="majority", skill="preference")
    for name, value in of_matrix(matrix).items():
        assert value == pytest.approx(published[judge][name], abs=published["tolerance"])


def of_matrix(row):
    """Means over the labels 0, 1, 2 of precision, recall and F1."""
    place = [row.points.index(label) for label in ("0", "1", "2")]
    counts = np.array(row.counts)
    hits, given, true = counts.diagonal()[place], counts.sum(axis=0)[place], counts.sum(axis=1)[place]
    return {
        "precision": np.mean(hits / given),
        "recall": np.mean(hits / true),
        "f1": np.mean(2 * hits / (given + true)),
    }


# ---- Prometheus: one judge, three samples -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prometheus():
    rows = [
        (row["question"], row["model"], "overall", row["judge"], "judge", sample, float(score))
        for row in lines("prometheus_vicuna/items.jsonl.gz")
        for sample, score in enumerate(row["scores"])
    ]
    return long_table(rows, ("instance", "model", "skill", "rater", "kind", "sample", "score"))


@needs("prometheus_vicuna")
def test_a_judge_agrees_with_itself_as_computed(prometheus):
    wanted = expected("prometheus_vicuna")["computed_only"]["agreement_of_the_3_samples"]
    row = only(inter_rater(prometheus), of="samples", skill="overall")
    for level, value in wanted["krippendorff_alpha"].items():
        assert row.measures[f"alpha_{level}"] == pytest.approx(value, abs=1e-6)
    assert row.measures["icc_single"] == pytest.approx(wanted["icc_one_way"]["single"], abs=1e-6)
    assert row.measures["icc_mean"] == pytest.approx(wanted["icc_one_way"]["mean_of_3"], abs=1e-6)
    assert (row.n_units, row.n_ratings, row.n_instances, row.n_clusters) == (320, 960, 80, 80)
    assert row.measures["conger"] is None


@needs("prometheus_vicuna")
def test_pairs_of_samples_agree_as_computed(prometheus):
    wanted = expected("prometheus_vicuna")["computed_only"]["agreement_of_the_3_samples"]["pairs_of_places"]
    row = only(inter_rater(prometheus), of="samples", skill="overall")
    table = prometheus.pivot_table(index=["instance", "model"], columns="sample", values="score")
    for pair in row.pairs:
        facts = wanted[f"{int(pair.a) + 1}-{int(pair.b) + 1}"]
        assert pair.n == facts["n"]
        assert pair.exact == pytest.approx(facts["exact"], abs=1e-6)
        assert pair.kappa_quadratic == pytest.approx(facts["quadratic_kappa"], abs=1e-6)
        sides = paired(table[int(pair.a)].to_numpy(), table[int(pair.b)].to_numpy())
        for name, find in (("pearson", pearson), ("spearman", spearman), ("kendall_tau_b", kendall)):
            assert find(sides).value == pytest.approx(facts[name], abs=1e-6)


@needs("prometheus_vicuna")
def test_a_judge_agrees_with_itself_on_each_model_as_computed(prometheus):
    wanted = expected("prometheus_vicuna")["computed_only"]["mean_score"]["alpha_interval_by_model"]
    rows = inter_rater(prometheus, slice_of=prometheus["model"], by=["model"])
    for model, value in wanted.items():
        row = only(rows, of="samples", skill="overall", slice=f"model={model}")
        assert row.measures["alpha_interval"] == pytest.approx(value, abs=1e-6)
        assert row.by == {"model": model}


@needs("prometheus_vicuna")
def test_one_judge_is_no_group_of_raters(prometheus):
    row = only(inter_rater(prometheus), of="raters", skill="overall")
    assert set(row.measures.values()) == {None}
    assert row.undefined["alpha_interval"] == "only one rater of kind judge"
