"""predictions.tsv: exact, streamed, and there only when complete."""

import numpy as np
import pytest
from tests.draws import reseeded
from tests.found import refused

from chatstill.errors import UserError
from chatstill.tasks import get_task
from chatstill.tasks.base import Example
from chatstill.tasks.predictions import PredictionsWriter, read_predictions, write_predictions


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_metrics_of_the_file_are_those_of_the_run(tmp_path, dtype):
    task, path = get_task("chat"), tmp_path / "predictions.tsv"
    generator = np.random.default_rng(reseeded(0))
    scores = (generator.normal(size=(500, 2)) * 10.0 ** generator.integers(-9, 9, (500, 1))).astype(
        dtype
    )
    labels, groups = np.arange(500) % 5 == 0, [f"查询\u2028{n // 10}" for n in range(500)]
    write_predictions(path, scores, labels, groups, task.label_words, block=7)
    back = read_predictions(path, task.label_words)
    assert np.array_equal(back.scores, scores.astype(np.float64)) and back.groups == groups
    assert task.metrics(*back) == task.metrics(scores, labels, groups)


def written(path, *arguments, **how):
    write_predictions(path, *arguments, **how)
    return [line.split("\t") for line in path.read_bytes().decode().split("\n")[:-1]]


def sigmoid(number):
    return 1 / (1 + np.exp(-number))


def test_what_stands_in_the_file(tmp_path):
    path = tmp_path / "p.tsv"
    words = get_task("rte").label_words
    lines = written(path, np.array([[0.5, -1], [0.1, 2]]), np.array([1, np.nan]), None, words)
    assert lines[0] == "index label prediction probability score_0 score_1".split()
    assert lines[1][:3] + lines[1][4:] == ["0", "not_entailment", "entailment", "0.5", "-1.0"]
    assert lines[2][:3] + lines[2][4:] == ["1", "", "not_entailment", "0.1", "2.0"]
    assert [float(line[3]) for line in lines[1:]] == pytest.approx([sigmoid(1.5), sigmoid(1.9)])
    assert written(path, np.array([[2.25]]), np.array([3.8]), None, ()) == [
        ["index", "label", "prediction", "score"],
        ["0", "3.8", "2.25", "2.25"],
    ]


def test_one_output_has_the_probability_of_its_decision_and_of_the_class_that_counts(tmp_path):
    path = tmp_path / "p.tsv"
    lines = written(path, np.array([0.5, -0.5]), None, ["a", "b"], ("0", "1"), positive=1)
    assert lines[0] == (
        "index group label prediction probability positive_probability score".split()
    )
    assert [line[:4] for line in lines[1:]] == [["0", "a", "", "1"], ["1", "b", "", "0"]]
    numbers = [[float(number) for number in line[4:6]] for line in lines[1:]]
    assert numbers == [
        pytest.approx([sigmoid(0.5), sigmoid(0.5)]),
        pytest.approx([sigmoid(0.5), sigmoid(-0.5)]),
    ]
    back = read_predictions(path, ("0", "1"))
    assert np.isnan(back.labels).all() and back.groups == ["a", "b"]


def test_several_classes_and_any_number_of_labels(tmp_path):
    path, scores = tmp_path / "p.tsv", np.array([[0.0, 1.0, 2.0]])
    lines = written(path, scores, None, None, ("a", "b", "c"), positive=0)
    total = np.exp(scores).sum()
    assert [float(n) for n in lines[1][3:5]] == pytest.approx([np.exp(2) / total, 1 / total])
    lines = written(path, scores, None, None, ("a", "b", "c"), multi_label=True)
    assert lines[0][3:6] == ["probability_0", "probability_1", "probability_2"]
    assert [float(n) for n in lines[1][3:6]] == pytest.approx(sigmoid(scores[0]).tolist())
    found = read_predictions(path, ("a", "b", "c"), multi_label=True)
    assert np.array_equal(found.scores, scores)


@pytest.mark.parametrize("words", [("a,b", "a", "b"), ("(none)", "a", "b"), ("a", "b", "c")])
def test_label_sets_come_back_whatever_their_names_hold(words, tmp_path):
    path = tmp_path / "p.tsv"
    labels = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 0], [1, 0, 0], [np.nan] * 3])
    written(path, np.zeros((5, 3)), labels, None, words, multi_label=True)
    found = read_predictions(path, words, multi_label=True)
    np.testing.assert_array_equal(found.labels, labels)


def test_words_that_files_number_the_other_way_round(tmp_path):
    """``score_0`` is then the second word's; probabilities are of words, not of numbers."""
    path, scores = tmp_path / "p.tsv", np.array([[3.0, 1.0]])
    lines = written(path, scores, None, None, ("no", "yes"), swapped=True, positive=1)
    assert lines[1][2] == "no" and lines[1][5:] == ["1.0", "3.0"]
    assert [float(n) for n in lines[1][3:5]] == pytest.approx([sigmoid(2), sigmoid(-2)])
    assert np.array_equal(read_predictions(path, ("no", "yes"), swapped=True).scores, scores)


def rows(*names, text="a\tb\n\\c"):
    return (
        Example(f"dev-{n}", n, text, None if n else "second", name=name)
        for n, name in enumerate(names)
    )


def test_names_and_texts_of_the_rows(tmp_path):
    path, scores = tmp_path / "p.tsv", np.zeros((3, 2))
    how = {"groups": None, "words": ("0", "1"), "block": 2}
    lines = written(
        path, scores, np.array([0, 1, 0]), rows=rows("x", "", "y\tz"), texts=True, **how
    )
    assert lines[0] == (
        "index id label prediction probability score_0 score_1 text_a text_b".split()
    )
    assert [line[1] for line in lines[1:]] == ["x", "", "y z"]
    assert [line[-2:] for line in lines[1:]] == [
        [r"a\tb\n\\c", "second"],
        [r"a\tb\n\\c", ""],
        [r"a\tb\n\\c", ""],
    ]
    assert read_predictions(path, ("0", "1")).labels.tolist() == [0, 1, 0]
    lines = written(path, scores, None, rows=rows(None, None, None), **how)
    assert lines[0] == "index label prediction probability score_0 score_1".split()


def test_data_that_changed_since_they_were_scored_are_no_names(tmp_path):
    for count in (1, 2, 4):
        with refused("predict.rows-changed"):
            written(
                tmp_path / "p.tsv",
                np.zeros((3, 2)),
                None,
                None,
                ("0", "1"),
                rows=rows(*"abcd"[:count]),
            )
        assert not (tmp_path / "p.tsv").exists()


def test_files_of_before_are_read(tmp_path):
    path = tmp_path / "p.tsv"
    path.write_text(
        "index\tgroup\tlabel\tprediction\tscore_0\tscore_1\n0\tq\t1\t0\t0.5\t-1.0\n",
        encoding="utf-8",
    )
    found = read_predictions(path, ("0", "1"))
    assert (found.scores.tolist(), found.labels.tolist(), found.groups) == (
        [[0.5, -1.0]],
        [1],
        ["q"],
    )


def test_rows_can_be_added_in_parts(tmp_path):
    path = tmp_path / "p.tsv"
    with PredictionsWriter(path, ("0", "1"), grouped=False) as writer:
        writer.add(np.zeros((2, 2)), None)
        writer.add(np.ones((1, 2)), None)
        assert not path.exists()
    assert [line[0] for line in path.read_text(encoding="utf-8").splitlines()] == [
        "i",
        "0",
        "1",
        "2",
    ]


def test_a_broken_run_leaves_the_old_file(tmp_path):
    path = tmp_path / "p.tsv"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(RuntimeError), PredictionsWriter(path, (), grouped=False) as writer:
        writer.add(np.zeros((2, 1)), None)
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == "old" and list(tmp_path.iterdir()) == [path]


def test_no_rows(tmp_path):
    path = tmp_path / "p.tsv"
    write_predictions(path, np.zeros((0, 2)), None, None, ("0", "1"))
    assert read_predictions(path, ("0", "1")).scores.shape == (0, 2)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "a\tb\n",
        "index\tlabel\tprediction\n",
        "index\tlabel\tprediction\tscore\n0\t1\t1\n",
        "index\tlabel\tprediction\tscore\n0\t1\t1\tx\n",
        "index\tlabel\tprediction\tscore\n0\t7\t1\t0.5\n",
        "index\tlabel\tprediction\tscore\n0\t1\t1\t0.5\t0.5\n",
        "index\tlabel\tprediction\tscore_0\tscore_1\n0\t1\t1\t0.5\n",
        "index\tlabel\tprediction\tprobability\n0\t1\t1\t0.5\n",
        "index\tlabel\tprediction\tscore\tprobability\n0\t1\t1\t0.5\t0.5\n",
    ],
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "p.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"p\.tsv"):
        read_predictions(path, ("0", "1"))
