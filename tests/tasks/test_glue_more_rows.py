"""QQP, MNLI, QNLI, WNLI and AX: broken rows, headers, two dev files, label orders."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.draws import reseeded
from tests.found import refused, told

from chatstill.errors import UserError
from chatstill.models.label_columns import match_labels
from chatstill.run.fingerprint import content_of_split
from chatstill.tasks import get_task, locate
from chatstill.tasks.intervals import bootstrap

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "glue"
QQP = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
MNLI = (
    "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\t"
    "sentence1_parse\tsentence2_parse\tsentence1\tsentence2"
)
HEAD = "0\t1\t1n\tfiction\tp\tp\tp\tp"
AX_FULL = (
    "Lexical Semantics\tPredicate-Argument Structure\tLogic\tKnowledge\tDomain\t"
    "Premise\tHypothesis\tLabel\n"
)


@pytest.fixture
def read(tmp_path):
    def read(name, content, split="dev", labelled=None):
        path = tmp_path / f"{split}.tsv"
        path.write_bytes(content.encode("utf-8"))
        rows = get_task(name).read(path, split, labelled)
        found = [(e.line, e.text_a, e.text_b, e.label) for e in rows]
        return found, [told([problem]) for problem in rows.warnings]

    return read


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("qqp", f"{QQP}5\t1\t2\ta\tb\t1\n", (2, "a", "b", 1)),
        ("qqp", "5\t1\t2\ta\tb\t0\n", (1, "a", "b", 0)),
        (
            "mnli",
            f"\ufeff{MNLI}\tlabel1\tgold_label\r\n{HEAD}\ta\tb\tneutral\tentailment\r\n",
            (2, "a", "b", 1),
        ),
        (
            "mnli",
            f"{MNLI}\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label\n"
            f"{HEAD}\ta\tb\tn\tn\tn\tn\tn\tneutral\n",
            (2, "a", "b", 2),
        ),
        ("mnli", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tcontradiction", (2, "a", "b", 0)),
        (
            "qnli",
            "index\tquestion\tsentence\tlabel\n0\tq?\ts.\tnot_entailment\n",
            (2, "q?", "s.", 1),
        ),
        ("wnli", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1\n", (2, "a", "b", 1)),
        ("ax", f"{AX_FULL}x\t\t\t\tNews\ta\tb\tneutral\n", (2, "a", "b", 2)),
    ],
)
def test_files_with_labels(read, name, content, expected):
    assert read(name, content) == ([expected], [])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("qqp", "id\tquestion1\tquestion2\n7\ta\tb\n", (2, "a", "b", None)),
        ("mnli", f"{MNLI}\n{HEAD}\ta\tb\n", (2, "a", "b", None)),
        ("qnli", "index\tquestion\tsentence\n0\ta\tb\n", (2, "a", "b", None)),
        ("wnli", "index\tsentence1\tsentence2\n0\ta\tb\n", (2, "a", "b", None)),
        ("ax", "index\tsentence1\tsentence2\n0\ta\tb\n", (2, "a", "b", None)),
        ("mnli", "a\tb\n", (1, "a", "b", None)),
    ],
)
def test_files_without_labels(read, name, content, expected):
    assert read(name, content, split="test") == ([expected], [])
    with pytest.raises(UserError):
        read(name, content, split="dev")


@pytest.mark.parametrize(
    ("name", "header", "row", "expected"),
    [
        ("sst2", "idx\tsentence\tlabel", "0\ta\t1", ("a", None, 1)),
        ("cola", "sentence\tlabel", "a\t0", ("a", None, 0)),
        ("mrpc", "Quality\t#1 String\t#2 String", "1\ta\tb", ("a", "b", 1)),
        ("stsb", "sentence1\tsentence2\tscore", "a\tb\t2.5", ("a", "b", 2.5)),
        ("rte", " Sentence1\tSENTENCE2 \tlabel\tidx", "a\tb\tentailment\t0", ("a", "b", 0)),
        ("qqp", "question1\tquestion2\tis_duplicate", "a\tb\t1", ("a", "b", 1)),
    ],
)
def test_a_header_that_names_the_columns_is_enough(read, name, header, row, expected):
    assert read(name, f"{header}\n{row}\n")[0] == [(2, *expected)]


@pytest.mark.parametrize("mark", [",", ";"])
def test_a_file_with_another_delimiter_is_no_file_of_texts_alone(read, mark):
    """Its header shows it; read as texts alone, every row would lose its label."""
    with pytest.raises(UserError) as error:
        read("sst2", f"sentence{mark}label\nhide new secretions {mark}0\n", "train", labelled=False)
    assert f"a header with '{mark}' between its fields" in str(error.value)
    assert "sentence TAB label" in str(error.value)


def test_a_header_with_a_name_twice_is_refused(read):
    with pytest.raises(UserError, match="without labels, 4 fields"):
        read("rte", "sentence1\tsentence2\tlabel\tlabel\na\tb\tentailment\tneutral\n")


def test_mnli_says_which_columns_it_needs(read):
    with pytest.raises(UserError, match="a header with the columns sentence1, sentence2, gold_lab"):
        read("mnli", "a\tb\tentailment\n")


BROKEN = f"{QQP}1\t1\t2\ta\tb\t1\n2\t1\t2\tcut here\n3\t1\t2\tq\t\t0\n4\t1\n"


def test_qqp_rows_without_their_columns_are_left_out_and_an_empty_question_is_kept(read):
    found, warnings = read("qqp", BROKEN, split="train")
    assert found == [(2, "a", "b", 1), (4, "q", "", 0)]
    short, empty = warnings
    assert "rows that lack columns; they are left out: 2 (the first in line 3)" in short
    assert "rows that have an empty text; they are kept: 1 (the first in line 4)" in empty


def test_predicting_drops_no_row_of_qqp(read):
    found, warnings = read("qqp", BROKEN, split="test")
    assert [row[1:3] for row in found] == [("a", "b"), ("cut here", ""), ("q", ""), ("", "")]
    assert "missing texts count as empty: 2" in warnings[0]


def test_other_tasks_refuse_a_row_without_its_columns(read):
    with pytest.raises(UserError, match="line 2: found 3 fields"):
        read("qnli", "index\tquestion\tsentence\tlabel\n0\ta\tb\n")


def test_qqp_rows_with_too_many_columns_are_refused(read):
    with pytest.raises(UserError, match="line 2: found 7 fields"):
        read("qqp", f"{QQP}1\t1\t2\ta\tb\t1\t\n")


def test_mnli_rows_without_a_gold_label_are_left_out(read):
    content = f"{MNLI}\tlabel1\tgold_label\n{HEAD}\ta\tb\tx\t-\n{HEAD}\tc\td\tx\tneutral\n"
    found, warnings = read("mnli", content)
    assert found == [(3, "c", "d", 2)]
    assert "have no label that was agreed on; they are left out: 1" in warnings[0]
    assert [row[3] for row in read("mnli", content, labelled=False)[0]] == [None, 2]


# -- MNLI's two dev files --------------------------------------------------------------------------


@pytest.fixture
def mnli(tmp_path):
    folder = tmp_path / "MNLI"
    folder.mkdir()

    def write(name, *labels):
        rows = "".join(f"{HEAD}\ta{n}\tb\t{w}\t{w}\n" for n, w in enumerate(labels))
        (folder / name).write_text(f"{MNLI}\tlabel1\tgold_label\n{rows}", encoding="utf-8")
        return folder / name

    write("dev_matched.tsv", "neutral", "entailment")
    write("dev_mismatched.tsv", "contradiction")
    return SimpleNamespace(write=write, data=tmp_path, folder=folder)


def test_dev_of_mnli_is_both_files(mnli):
    task = get_task("mnli")
    path = locate(task, "dev", mnli.data).path
    assert path == mnli.folder / "dev_matched.tsv"
    rows = list(task.read(path, "dev"))
    assert [row.id for row in rows] == ["dev-0", "dev-1", "dev-2"]
    assert [row.group for row in rows] == ["matched", "matched", "mismatched"]
    assert [row.label for row in rows] == [2, 1, 0]


def test_predicting_one_file_of_mnli_reads_one_file(mnli):
    rows = list(get_task("mnli").read(mnli.folder / "dev_matched.tsv", "test", False))
    assert [row.group for row in rows] == [None, None]


def test_a_missing_mismatched_file_is_said(mnli):
    (mnli.folder / "dev_mismatched.tsv").unlink()
    rows = get_task("mnli").read(mnli.folder / "dev_matched.tsv", "dev")
    assert len(list(rows)) == 2 and rows.warnings[0].code == "data.one-section-of-mnli"


def test_the_fingerprint_of_dev_covers_both_files(mnli):
    task, path = get_task("mnli"), mnli.folder / "dev_matched.tsv"
    before = content_of_split(task, path, "dev")
    mnli.write("dev_mismatched.tsv", "neutral")
    assert content_of_split(task, path, "dev") != before
    assert content_of_split(get_task("rte"), path, "dev") in before


@pytest.mark.parametrize("names", [True, False])
def test_metrics_of_mnli_by_hand(names):
    task = get_task("mnli")
    groups = np.array([0, 0, 0, 0, 1, 1])
    if names:
        groups = np.array(["matched", "mismatched"])[groups]
    labels = np.array([0.0, 1, 2, 0, 1, 2])
    scores = np.eye(3)[[0, 1, 2, 1, 0, 2]]
    result = task.metrics(scores, labels, groups)
    assert result == {"mnli/acc": 0.75, "mnli-mm/acc": 0.5, "acc": 0.625}
    assert task.main_metric_of(result) == "acc"
    only = task.metrics(scores, labels, None)
    assert only == {"mnli/acc": pytest.approx(4 / 6), "acc": pytest.approx(4 / 6)}
    assert "mismatched" in task.missing(labels, None)["mnli-mm/acc"]


def test_the_interval_of_mnli_resamples_rows_not_sections():
    generator = np.random.default_rng(reseeded(0))
    labels = generator.integers(3, size=900).astype(float)
    right = generator.random(900) < 0.8
    scores = np.eye(3)[np.where(right, labels, (labels + 1) % 3).astype(int)]
    groups = (np.arange(900) >= 300).astype(np.int64)
    task = get_task("mnli")
    low, high = bootstrap(task.metric("acc"), scores, labels, groups, n=400)
    value = task.metrics(scores, labels, groups)["acc"]
    spread = np.sqrt(0.25 * 0.16 / 300 + 0.25 * 0.16 / 600)
    assert low == pytest.approx(value - 1.96 * spread, abs=0.01)
    assert high == pytest.approx(value + 1.96 * spread, abs=0.01)


def test_ax_is_scored_by_matthews_over_three_classes():
    task = get_task("ax")
    labels = np.array([0.0, 1, 2, 0, 1, 2])
    assert task.metrics(np.eye(3)[[0, 1, 2, 0, 1, 2]], labels, None) == {"mcc": pytest.approx(1)}
    assert task.metrics(np.eye(3)[[1, 1, 1, 1, 1, 1]], labels, None) == {"mcc": 0.0}
    # 4 of 6 right, each class called twice: (6 * 4 - 12) / (36 - 12)
    assert task.metrics(np.eye(3)[[0, 1, 2, 0, 2, 1]], labels, None) == {"mcc": pytest.approx(0.5)}


def test_ax_has_no_training_file_and_lies_in_a_folder_of_several_names(tmp_path):
    (tmp_path / "diagnostic").mkdir()
    (tmp_path / "diagnostic" / "diagnostic.tsv").touch()
    task = get_task("ax")
    assert task.find("test", tmp_path).parent.name == "diagnostic"
    with refused("task.no-such-split", " ax ", "train"):
        locate(task, "train", tmp_path)


# -- label orders ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "names", "order"),
    [
        ("mnli", ("contradiction", "entailment", "neutral"), [0, 1, 2]),
        ("mnli", ("entailment", "neutral", "contradiction"), [2, 0, 1]),
        ("ax", ("NEUTRAL", "ENTAILMENT", "CONTRADICTION"), [2, 1, 0]),
        ("qnli", ("entailment", "not_entailment"), [0, 1]),
        ("qnli", ("not_entailment", "entailment"), [1, 0]),
        ("rte", ("Not Entailment", "Entailment"), [1, 0]),
        ("wnli", ("entailment", "not_entailment"), [1, 0]),
        ("qqp", ("duplicate", "not_duplicate"), [1, 0]),
    ],
)
def test_names_decide_whichever_order_a_model_has(task, names, order):
    match = match_labels(SimpleNamespace(id2label=dict(enumerate(names))), get_task(task).labels)
    assert (match.order, match.problems) == (order, [])


@pytest.mark.parametrize(("task", "warns"), [("mnli", 1), ("qnli", 1), ("rte", 1), ("sst2", 0)])
def test_numbers_without_names_are_doubtful_where_tools_differ(task, warns):
    labels = get_task(task).labels
    numbered = {n: f"LABEL_{n}" for n in range(len(labels.names))}
    match = match_labels(SimpleNamespace(id2label=numbered), labels)
    assert match.order == list(range(len(labels.names))) and not match.errors
    assert len(match.warnings) == warns
    if warns:
        assert match.warnings[0].code == "labels.numbered"
        assert f"0 as {labels.names[0]}" in match.warnings[0].message


# -- real files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "split", "rows"), [("WNLI", "train", 635), ("WNLI", "dev", 71), ("QNLI", "dev", 5463)]
)
def test_real_files(name, split, rows):
    if not SHARED.is_dir():
        pytest.skip("the data are not here")
    task = get_task(name)
    assert sum(1 for _ in task.read(locate(task, split, SHARED).path, split)) == rows


def test_a_real_part_of_qqp_whose_first_row_is_broken():
    path = SHARED / "QQP-subset" / "new_dev.tsv"
    if not path.is_file():
        pytest.skip("the data are not here")
    rows = get_task("qqp").read(path, "dev")
    assert sum(1 for _ in rows) == 999
    assert "lack columns; they are left out: 1 (the first in line 1)" in str(rows.warnings[0])
