"""The report of a run folder: figures from metrics.json, curves from history.jsonl, values and origins."""

import json

import pytest

from chatstill.report.history import History, read_history
from chatstill.report.run import run_report, write_run_report
from chatstill.report.warned import read_warnings

DEV = {
    "rows": 2020,
    "main": "mrr",
    "value": 0.7,
    "interval": [0.65, 0.75],
    "metrics": {
        "accuracy": 0.93,
        "auc": None,
        "groups": 202.0,
        "mrr": 0.7,
        "p@1": 0.55,
        "r@1": 0.55,
        "r10@1": 0.55,
        "random_mrr": 0.293,
    },
    "left_out": {},
}
METRICS = {
    "format": 1,
    "task": "chat",
    "verb": "distill",
    "method": "theseus-bert",
    "seed": 7,
    "dev": DEV,
    "kept": {"text": "last step: 10 of phase 'successor'"},
    "model": {"layers": 3, "parameters": 17_000_000, "megabytes": 69.5},
    "training": {
        "phases": [{"name": "replacing", "steps": 40}, {"name": "successor", "steps": 10}],
        "device": "A processor",
        "rows": 1892,
        "share_of_rows_cut": 0.02,
    },
    "teacher": {
        **DEV,
        "value": 0.8,
        "interval": [0.7, 0.9],
        "metrics": {**DEV["metrics"], "mrr": 0.8},
        "parameters": 22_000_000,
    },
    "agreement": {"agreement": 0.95, "spearman": 0.9, "pearson": 0.91},
    "ratio": 0.875,
    "versions": {"torch": "2.13.0"},
    "machine": {"cores": 2},
}


def record(phase, index, step, **values):
    return {"phase": phase, "phase_index": index, "step": step, **values}


RECORDS = [
    record("replacing", 0, 10, loss=0.7, replacing_rate=0.65),
    record("replacing", 0, 20, loss=0.6, replacing_rate=1.0),
    record("replacing", 0, 20, **{"dev/mrr": 0.6}),
    record("replacing", 0, 40, loss=0.5, replacing_rate=1.0),
    record("successor", 1, 10, loss=0.4, replacing_rate=1.0),
]


def make_run(folder, metrics, lines):
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    (folder / "history.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    resolved = {"theseus_scheduler.replacing_rate": {"value": 0.3, "origin": "my.json:12"}}
    (folder / "config.resolved.json").write_text(json.dumps(resolved), encoding="utf-8")


@pytest.fixture
def run(tmp_path):
    make_run(tmp_path, METRICS, map(json.dumps, RECORDS))
    return tmp_path


def test_teacher_and_student_stand_with_their_figures(run):
    report = run_report(run)
    teacher, student = report.rows
    assert teacher.name == "teacher" and student.name == "student (3 layers)" and student.highlight
    assert list(student.metrics) == ["mrr", "accuracy", "r10@1"] and report.metric() == "mrr"
    assert (student.metrics["mrr"].low, student.metrics["mrr"].high) == (0.65, 0.75)
    assert student.metrics["accuracy"].low is None
    assert (student.parameters, teacher.parameters) == (17_000_000, 22_000_000)
    assert report.summary == (
        "MRR 0.700 on 2,020 dev rows, 87.5 % of the teacher's 0.800, with 77 % of its parameters."
    )
    notes = " ".join(report.notes)
    for text in ("last step: 10", "0.293", "95.0 %", "0.900", "69.5 MB", "1,892 rows", "seed 7"):
        assert text in notes


@pytest.mark.parametrize("main", ["r@1", "ndcg@5"])
def test_a_main_figure_with_a_cut_off_stands_first(tmp_path, main):
    """It was left out as the other cut-offs are: of grades no report had its main figure."""
    figures = {**DEV["metrics"], "ndcg@5": 0.6}
    dev = {**DEV, "main": main, "value": figures[main], "metrics": figures}
    metrics = {**METRICS, "dev": dev, "teacher": {**METRICS["teacher"], **dev}}
    make_run(tmp_path, metrics, map(json.dumps, RECORDS))
    student = run_report(tmp_path).rows[-1]
    assert next(iter(student.metrics)) == main and "p@1" not in student.metrics
    found = student.metrics[main]
    assert (found.value, found.low, found.high) == (figures[main], 0.65, 0.75)


def test_curves_count_steps_over_all_phases(run):
    report = run_report(run)
    assert report.losses[0].points == [(10, 0.7), (20, 0.6), (40, 0.5), (50, 0.4)]
    assert report.rates[0].points == [(10, 0.65), (20, 1.0), (40, 1.0), (50, 1.0)]
    assert report.marks == [(20, "rate reaches 1"), (40, "phase successor")]
    assert report.scores[0].points == [(20, 0.6)] and report.terms == []


def test_a_loss_of_several_terms_shows_each_as_it_weighs(run):
    terms = {
        "term/soft": 2.0,
        "term/soft_weighted": 1.0,
        "term/hard": 4.0,
        "term/hard_weighted": 0.4,
    }
    make_run(run, METRICS, [json.dumps(record("distillation", 0, 10, loss=1.4, **terms))])
    found = {series.name: series.points for series in run_report(run).terms}
    assert found == {"soft": [(10, 1.0)], "hard": [(10, 0.4)]}
    alone = {name: value for name, value in terms.items() if "soft" in name}
    make_run(run, METRICS, [json.dumps(record("distillation", 0, 10, loss=1.0, **alone))])
    assert run_report(run).terms == [], "one term is the loss itself"


LOG = """\
2026-01-02 03:04:05,678 INFO warning: dev: 3 rows hold <odd> signs
2026-01-02 03:04:05,678 INFO     Look at them.
2026-01-02 03:04:05,678 INFO     Twice.
2026-01-02 03:04:05,679 INFO phase: replacing
2026-01-02 03:04:06,000 INFO     indented, and no advice
2026-01-02 03:04:07,000 WARNING the term 'soft' outweighs 'hard' 104 times
2026-01-02 03:04:08,000 INFO warning: dev: 3 rows hold <odd> signs
2026-01-02 03:04:08,000 INFO     Look at them.
2026-01-02 03:04:08,001 INFO     Twice.
2026-01-02 03:04:09,000 INFO warning: train: told by the data report
"""


def test_warnings_of_the_plan_the_training_and_the_results_are_shown_once(run):
    (run / "run.log").write_text(LOG, encoding="utf-8")
    (run / "eval_results.txt").write_text(
        "warning = every row is predicted as match\n", encoding="utf-8"
    )
    assert read_warnings(run, ["told by the data report"]) == [
        "dev: 3 rows hold <odd> signs. Look at them. Twice.",
        "the term 'soft' outweighs 'hard' 104 times",
        "every row is predicted as match",
    ]
    advised = "dev: 3 rows hold <odd> signs\n    Look at them.\n    Twice."
    assert len(read_warnings(run, ["told by the data report", advised])) == 2
    text = write_run_report(run).read_text(encoding="utf-8")
    assert "<h2>Warnings</h2>" in text and "hold &lt;odd&gt; signs" in text


def test_the_page_lies_in_the_run_folder_and_nothing_beside_it(run):
    before = {path.name for path in run.iterdir()}
    path = write_run_report(run)
    assert {path.name for path in run.iterdir()} - before == {"report.html"} == {path.name}
    text = path.read_text(encoding="utf-8")
    assert text.count("<svg") == 3  # loss, rate, figures on dev: no latency was measured
    assert "MRR on dev" in text and "Warnings" not in text
    for word in ("87.5 % MRR", "my.json:12", "2.13.0", "A processor", "[0.650, 0.750]"):
        assert word in text


def test_a_taught_network_has_one_row_and_no_rate(tmp_path):
    metrics = {k: v for k, v in METRICS.items() if k not in ("teacher", "agreement", "ratio")}
    metrics |= {"verb": "teach", "training": {**METRICS["training"], "phases": [{"steps": 40}]}}
    records = [record("fine-tuning", 0, 40, loss=0.5)]
    make_run(tmp_path, metrics, map(json.dumps, records))
    report = run_report(tmp_path)
    assert [row.name for row in report.rows] == ["fine-tuned network (3 layers)"]
    assert report.rows[0].size_mb == 69.5 and report.rates == [] and report.marks == []
    assert "ratio to teacher" not in write_run_report(tmp_path).read_text(encoding="utf-8")


def test_metrics_without_a_value_are_left_out(tmp_path):
    dev = {**DEV, "value": None, "interval": [None, None], "metrics": {"mrr": None, "acc": 0.5}}
    make_run(tmp_path, {**METRICS, "dev": dev, "ratio": None}, [])
    student = run_report(tmp_path).rows[1]
    assert list(student.metrics) == ["acc"]
    assert "nan" not in write_run_report(tmp_path).read_text(encoding="utf-8").lower()


def test_lines_that_a_kill_cut_short_are_skipped(tmp_path):
    assert read_history(tmp_path).curve("loss") == []
    lines = [json.dumps(RECORDS[0]), '{"phase": "repl', "[]", "7", '{"step": 3}']
    (tmp_path / "history.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert read_history(tmp_path).curve("loss") == [(10, 0.7)]


def test_phases_follow_each_other_also_where_their_lengths_are_only_in_the_records():
    assert History(RECORDS).curve("loss")[-1] == (50, 0.4)
    assert History(RECORDS, [60]).curve("loss")[-1] == (70, 0.4)


def test_a_rate_that_is_one_from_the_start_has_no_mark():
    assert History([record("replacing", 0, 5, replacing_rate=1.0)]).marks() == []


@pytest.mark.parametrize("value", [float("nan"), None, "0.3"])
def test_a_curve_holds_finite_numbers_only(value):
    assert History([record("p", 0, 5, loss=value)]).curve("loss") == []


def test_rows_of_disagreement_are_shown_and_escaped(run):
    lines = ["split\tline\tlabel\tteacher\tprobability\ttext_a\ttext_b"]
    lines += [f"dev\t{n}\t0\t1\t0.0{n}\t<b>{n}</b>\t{'x' * 500}" for n in range(1, 30)]
    (run / "label_noise.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    page = write_run_report(run).read_text(encoding="utf-8")
    assert "dev, line 1: label 0, teacher 1 (it gives the label 0.01)" in page
    assert "&lt;b&gt;10&lt;/b&gt;" in page
    assert "line 11:" not in page
    assert "x" * 121 not in page
    in_files = "split\tfile\tline\tlabel\tteacher\tprobability\ttext_a\ttext_b\n"
    in_files += "dev\tb.csv\t3\t0\t1\t0.1\tx\t\n"
    (run / "label_noise.tsv").write_text(in_files, encoding="utf-8")
    assert "dev, b.csv, line 3: label 0" in write_run_report(run).read_text(encoding="utf-8")
    (run / "label_noise.tsv").write_text(lines[0] + "\n", encoding="utf-8")
    assert "disagree most" not in write_run_report(run).read_text(encoding="utf-8")


def test_the_data_report_is_shown_and_escaped(run):
    lengths = {"median": 3, "percentile_95": 9, "longest": 1234}
    nothing = {"characters": 0, "share_of_characters": 0, "rows": 0, "share_of_rows": 0}
    split = {
        "rows": 12345,
        "labels": {"10": {"rows": 5, "share": 0.5}, "9": {"rows": 5, "share": 0.5}},
        "tokens": {"row": lengths, "share_of_rows_cut": 0.25, "rows": 100, "all_rows": False},
        "characters": {"text_a": lengths, "text_b": {**lengths, "longest": 0}},
        "unknown": {"share_of_tokens": 0.00001, "commonest": [{"text": "<i>", "count": 7}]},
        "kinds": {"emoji": {**nothing, "rows": 3, "share_of_rows": 0.003}, "control": nothing},
        "duplicates": {"rows": 0, "share": 0.0},
        "contradictions": {"pairs": 2, "rows": 4, "share": 0.01},
    }
    for kind in (
        "full_width",
        "full_width_alphanumeric",
        "traditional",
        "zero_width",
        "replacement",
    ):
        split["kinds"][kind] = nothing
    both = {"pairs": {"share": 0.02}, "queries": {"share": 0.5}}
    report = {"train": split, "dev": split, "dev_in_train": both, "warnings": ["dev: <too> good"]}
    (run / "data_report.json").write_text(json.dumps(report), encoding="utf-8")
    page = write_run_report(run).read_text(encoding="utf-8")
    assert "first texts cut" not in page, "of an older version, or without lengths of the texts"
    split["tokens"] |= {"share_of_text_a_cut": 0.125, "share_of_text_b_cut": None}
    (run / "data_report.json").write_text(json.dumps(report), encoding="utf-8")
    page = write_run_report(run).read_text(encoding="utf-8")
    assert "first texts cut" in page and "12.5 %" in page and "second texts cut" not in page
    for words in (
        "12,345",
        "longest 1,234",
        "&lt; 0.01 %",
        "of 100 rows",
        "0.30 %",
        "4 rows, 1.0 %",
    ):
        assert words in page, words
    assert "&lt;i&gt;</code>&nbsp;×&nbsp;7" in page
    assert "&lt;too&gt;" in page
    assert "<too>" not in page
    assert page.index("label 9") < page.index("label 10")
    assert "second text" not in page
    assert "control characters" not in page


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"layers": 3, "kind": "bert"}, "3 layers"),
        ({"layers": 1}, "1 layer"),
        ({"layers": 0, "kind": "static"}, "static"),
        ({"layers": 0}, "0 layers"),
    ],
)
def test_a_network_without_layers_is_called_by_its_kind(model, said):
    from chatstill.report.run import build_of

    assert build_of(model) == said


@pytest.mark.parametrize(
    ("metrics", "what"),
    [
        ({"f1": 0.8, "mrr": 0.7}, "F1 and the ranking figures"),
        ({"mrr": 0.7}, "the ranking figures"),
        ({"f1": 0.8}, "F1"),
    ],
)
def test_the_class_that_counts_is_named_with_the_figures_that_go_by_it(tmp_path, metrics, what):
    dev = {**DEV, "positive": "match", "metrics": metrics, "main": next(iter(metrics))}
    make_run(tmp_path, {**METRICS, "dev": dev}, [])
    assert f"The class that counts in {what}: match." in run_report(tmp_path).notes
