"""A task of one's own from docs/own_task.md, as the page says: every file, every command."""

import json

import numpy as np
import pytest

from chatstill import cli, lookup
from tests.draws import reseeded

from ..pages import fences, files_of, run_page
from . import by_hand, world

PAGE = "docs/own_task.md"
TOPICS = {"sport": world.GOOD, "money": world.BAD, "weather": ("red", "box", "cat")}
SMALL = [
    "max_seq_length=16",
    "num_train_epochs=8",
    "learning_rate=0.01",
    'training_arguments={"use_cpu": true}',
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of the page, rows in its form, and a small network under the name it uses."""
    folder = tmp_path_factory.mktemp("own_task")
    for name, text in files_of(PAGE).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    generator = np.random.default_rng(reseeded(0))
    sample = json.loads(fences(PAGE, "text")[0].splitlines()[0])
    for split, count in (("train", 90), ("dev", 60), ("test", 30)):
        rows = []
        for number in range(count):
            topic = [*TOPICS][number % 3]
            text = " ".join([world.sentence(generator), *generator.choice(TOPICS[topic], 2)])
            rows.append({"text": text, "topic": topic})
        assert rows[0].keys() == sample.keys()
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (folder / "data" / f"{split}.jsonl").write_text(text, encoding="utf-8")
    (folder / "rows.txt").write_text("yes we can\nnever again\n", encoding="utf-8")
    start = world.build_network(folder / "bert-base-uncased", layers=2, dropout=0.0, outputs=3)
    by_hand.make_right(start, tuple(TOPICS.values()))  # its layers bring the words together
    return folder


@pytest.fixture(scope="module")
def ran(folder):
    """What each command of the page printed, in order."""
    return run_page(PAGE, folder, dict.fromkeys(("check", "teach", "distill"), SMALL))


def test_the_plan_shows_the_task(ran):
    assert "topics" in ran["check"]
    assert "90 rows of data (money: 30, sport: 30, weather: 30)" in ran["check"]


def test_a_teacher_and_a_student_are_trained_on_it(ran, folder):
    teacher = json.loads((folder / "output_teacher" / "metrics.json").read_text("utf-8"))
    student = json.loads((folder / "output_topics" / "metrics.json").read_text("utf-8"))
    assert teacher["dev"]["main"] == student["dev"]["main"] == "accuracy"
    assert {*student["dev"]["metrics"]} == {"accuracy", "macro_f1", "mcc"}
    assert teacher["dev"]["value"] > 0.6, "chance is 1/3"
    config = json.loads((folder / "output_topics" / "student" / "config.json").read_text("utf-8"))
    assert [*config["id2label"].values()] == ["sport", "money", "weather"]


def test_the_test_examples_are_evaluated_and_a_file_is_predicted(ran, folder):
    assert "accuracy" in ran["evaluate"]
    lines = (folder / "topics.tsv").read_text("utf-8").splitlines()
    names = "index label prediction probability score_0 score_1 score_2"
    assert lines[0].split("\t") == names.split()
    assert [line.split("\t")[2] in TOPICS for line in lines[1:]] == [True, True]


def test_own_metrics_of_the_page(folder):
    task = lookup.task("strict-topics", [str(folder / "strict.py")])
    found = task.metrics(np.eye(3)[[0, 1, 1, 2]], np.array([0, 0, 1, 2]), None)
    assert found == {"accuracy": 0.75, "worst_recall": 0.5}
    assert task.main_metric_of(found) == "worst_recall"


ERRORS = """
import numpy as np
from strict import StrictTopics


class Errors(StrictTopics):
    task_name = "topic-errors"
    main_metric = "log_loss"

    def metrics(self, scores, labels):
        sums = np.log(np.exp(scores).sum(1))
        return {"log_loss": float((sums - scores[np.arange(len(labels)), labels.astype(int)]).mean())}
"""


def test_an_own_error_is_kept_where_it_is_lowest(ran, folder, monkeypatch):
    """The name tells the direction: what is called an error is never kept at its highest."""
    monkeypatch.chdir(folder)
    (folder / "errors.py").write_text(ERRORS, encoding="utf-8")
    more = ["task_name=topic-errors", 'plugins=["errors.py"]', "output_dir=errors", "eval_steps=2"]
    words = [word for one in (*SMALL, "keep=best", *more) for word in ("--set", one)]
    assert cli.main(["teach", "teach.json", *words]) == 0
    lines = (folder / "errors" / "history.jsonl").read_text("utf-8").splitlines()
    seen = [json.loads(line).get("dev/log_loss") for line in lines]
    seen = [value for value in seen if value is not None]
    found = json.loads((folder / "errors" / "metrics.json").read_text("utf-8"))
    assert found["dev"]["lower_is_better"] and len(set(seen)) > 1
    assert found["training"]["phases"][0]["best"] == pytest.approx(min(seen))
    assert found["dev"]["value"] == pytest.approx(min(seen))


def test_an_example_without_a_label_stops_the_check_with_its_place(
    ran, folder, capsys, monkeypatch
):
    monkeypatch.chdir(folder)
    text = (folder / "topics.py").read_text("utf-8").replace('row["topic"]', 'row.get("subject")')
    (folder / "unlabelled.py").write_text(text, encoding="utf-8")
    command = [
        "check",
        "distill.json",
        "--set",
        "max_seq_length=16",
        "--set",
        'plugins=["unlabelled.py"]',
    ]
    assert cli.main([*command, "--set", "output_dir=other"]) == 2
    line = 1 + text.splitlines().index("    def get_train_examples(self, data_dir):")
    error = capsys.readouterr().err
    assert (
        f"unlabelled.py: line {line} (get_train_examples): example 0 (from 0, guid 'train-0'): "
        in error
    )
    assert "there is no label." in error and "Traceback" not in error


def test_a_folder_is_predicted_by_its_test_examples(ran, folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert cli.main(["predict", "output_topics", "data", "--config", "distill.json"]) == 0
    lines = (folder / "data" / "test.predictions.tsv").read_text("utf-8").splitlines()
    assert len(lines) == 31
