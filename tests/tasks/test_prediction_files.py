"""predictions.tsv: exact, streamed, and there only when complete."""

import numpy as np
import pytest
from tests.draws import reseeded

from chatstill.errors import UserError
from chatstill.tasks import get_task
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


def test_what_stands_in_the_file(tmp_path):
    path = tmp_path / "p.tsv"
    words = get_task("rte").label_words
    write_predictions(path, np.array([[0.5, -1], [0.1, 2]]), np.array([1, np.nan]), None, words)
    assert path.read_bytes().decode() == (
        "index\tlabel\tprediction\tscore_0\tscore_1\n"
        "0\tnot_entailment\tentailment\t0.5\t-1.0\n"
        "1\t\tnot_entailment\t0.1\t2.0\n"
    )
    write_predictions(path, np.array([[2.25]]), np.array([3.8]), None, ())
    assert path.read_text(encoding="utf-8").splitlines()[1] == "0\t3.8\t2.25\t2.25"
    write_predictions(path, np.array([0.5, -0.5]), None, ["a", "b"], ("0", "1"))
    assert path.read_text(encoding="utf-8") == (
        "index\tgroup\tlabel\tprediction\tscore\n0\ta\t\t1\t0.5\n1\tb\t\t0\t-0.5\n"
    )
    back = read_predictions(path, ("0", "1"))
    assert np.isnan(back.labels).all() and back.groups == ["a", "b"]


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
    ],
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "p.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"p\.tsv"):
        read_predictions(path, ("0", "1"))
