"""``unlabeled.data.txt``: rows that count for every term that needs no label, and for no other."""

import json
import shutil

import pytest

from chatstill import cli
from chatstill.errors import UserError
from chatstill.methods.matches import Matches
from chatstill.run import run as pipeline
from chatstill.tasks import get_task
from chatstill.tasks.files import parts
from tests.found import codes

from . import world

KD = {"model_type": "KD", "theseus_scheduler": None, "num_train_epochs": 1}
ROWS, MORE = 48, 80


@pytest.fixture
def data(shared, tmp_path):
    """The shared files, and a transfer set of 20 queries."""
    folder = tmp_path / "data"
    shutil.copytree(shared / "data", folder)
    rows = [line.split("\t")[:2] for line in world.chat_rows(20, seed=7)]
    assert len(rows) == MORE
    text = "".join("\t".join(row) + "\n" for row in rows)
    (folder / "chat" / "unlabeled.data.txt").write_text(text, encoding="utf-8")
    return folder


def test_soft_labels_are_learnt_from_all_rows_and_gold_ones_from_those_that_have_one(run, data):
    plan = run("check", data=data, **KD).text
    assert f"128 rows of {data}/chat/train.data.txt and {data}/chat/unlabeled.data.txt" in plan
    assert "(0: 36, 1: 12), 80 without label" in plan
    result = run(data=data, **KD)
    metrics = json.loads((result.folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["training"]["rows"] == ROWS + MORE
    log = (result.folder / "run.log").read_text(encoding="utf-8")
    assert f"train: {ROWS} of {ROWS + MORE} rows have a label" in log
    assert "holds this run, finished" in run(data=data, **KD).text


def test_a_term_on_gold_labels_that_nobody_gave_is_told(run, data):
    train = data / "chat" / "train.data.txt"
    lines = train.read_text(encoding="utf-8").splitlines()
    bare = ["\t".join(line.split("\t")[:2]) for line in lines]
    told = "term hard: is 0 throughout: no training row has a label"
    assert told not in run("check", data=data, **KD).text
    train.write_text("\n".join(bare) + "\n", encoding="utf-8")
    assert told in run("check", data=data, **KD).text


def test_each_term_is_divided_by_the_rows_that_it_counts(run, data, monkeypatch):
    seen, counts = set(), Matches.counts

    def watched(self, batch, ctx):
        found, rows = counts(self, batch, ctx), batch["index"].tolist()
        labelled = [row for row in rows if row < ROWS]
        assert found == {"soft": len(rows), "hard": len(labelled)}
        seen.update(rows)
        return found

    monkeypatch.setattr(Matches, "counts", watched)
    run(data=data, **KD)
    assert seen == {*range(ROWS + MORE)}


def test_another_transfer_set_is_another_run(run, data):
    run(data=data, **KD)
    with open(data / "chat" / "unlabeled.data.txt", "a", encoding="utf-8") as stream:
        stream.write("where is it\tover there\n")
    with pytest.raises(UserError, match=r"data\.train"):
        run(data=data, **KD)


@pytest.mark.parametrize(
    "changes", [{}, {**KD, "distillation": {"terms": {"soft": {"weight": 0}}}}]
)
def test_a_method_of_gold_labels_alone_leaves_it_and_says_so(run, data, changes):
    plan = run("check", data=data, **changes).text
    assert f"48 rows of {data}/chat/train.data.txt (" in plan
    assert "unlabeled.data.txt: is not read: this method learns from gold labels alone" in plan


def test_a_malformed_row_is_told_by_file_and_line(run, data):
    with open(data / "chat" / "unlabeled.data.txt", "a", encoding="utf-8") as stream:
        stream.write("one field\n")
    with pytest.raises(UserError, match=r"unlabeled\.data\.txt: line 81"):
        run("check", data=data, **KD)


def test_label_noise_and_the_stored_teacher_go_with_it(run, data, tmp_path):
    train = data / "chat" / "train.data.txt"
    rows = train.read_text(encoding="utf-8").splitlines()
    for number in range(0, 48, 8):
        rows[number] = rows[number][:-1] + str(1 - int(rows[number][-1]))
    train.write_text("\n".join(rows) + "\n", encoding="utf-8")
    result = run(data=data, label_noise=["train"], teacher_cache=True, **KD)
    assert "128 of 128 rows" in result.text
    _, *lines = (result.folder / "label_noise.tsv").read_text(encoding="utf-8").splitlines()
    assert lines and all(line.startswith("train\t") for line in lines)
    assert cli.main(["evaluate", str(result.folder)]) == 0


def test_the_block_data_names_it(shared, tmp_path, teacher_of):
    """Labels and groups that the file may hold are passed over; a text column that is missing is told."""
    for split in ("train", "dev"):
        lines = (shared / "data/chat" / f"{split}.data.txt").read_text("utf-8").splitlines()
        (tmp_path / f"{split}.tsv").write_text("q\tr\tl\n" + "\n".join(lines) + "\n", "utf-8")
    more = ["\t".join((*line.split("\t")[:2], "x")) for line in world.chat_rows(20, seed=7)]
    (tmp_path / "more.tsv").write_text("q\tr\tl\n" + "\n".join(more) + "\n", "utf-8")
    block = {split: str(tmp_path / f"{split}.tsv") for split in ("train", "dev")}
    block |= {"unlabeled": str(tmp_path / "more.tsv"), "text": "q", "text_pair": "r", "label": "l"}
    values = world.values_for(shared / "data", tmp_path / "out", teacher_of(), **KD)
    values = {k: v for k, v in values.items() if k not in ("data_dir", "task_name")}
    values["data"] = block | {"group": "q"}

    def plan():
        where = world.console()
        pipeline.check(world.loaded(values, tmp_path / "configs", "check"), console=where)
        return world.said(where)

    assert f"128 rows of {tmp_path}/train.tsv and {tmp_path}/more.tsv" in plan()
    assert "80 without label" in plan()
    (tmp_path / "more.tsv").write_text("q\nx\n", "utf-8")
    with pytest.raises(UserError, match="has no column 'r'"):
        plan()


def test_glue_reads_it_beside_the_training_file(tmp_path):
    world.write_sst2(tmp_path)
    task, folder = get_task("sst2"), tmp_path / "SST-2"
    path = folder / "train.tsv"
    count = len(list(task.read(path, "train", False)))
    for text in (
        "sentence\tlabel\na\t1\nb\t0\n",
        "index\tsentence\n0\ta\n1\tb\n",
        "sentence\na\nb\n",
    ):
        (folder / "unlabeled.tsv").write_text(text, encoding="utf-8")
        rows = list(task.read(path, "train", False))
        assert [(row.id, row.text_a, row.label) for row in rows[count:]] == [
            (f"train-{count}", "a", None),
            (f"train-{count + 1}", "b", None),
        ]
        assert len(list(task.read(path, "train"))) == count
    assert parts(task, path, "train", labelled=False) == [path, folder / "unlabeled.tsv"]


EMPTY = range(0, ROWS, 6)  # rows whose label is taken away


def test_rows_without_label_are_left_out_where_that_is_asked_for(run, data, tmp_path, capsys):
    """The student is that of a file that lacks them, and neither reads the transfer set."""
    train = data / "chat" / "train.data.txt"
    lines = [line.split("\t")[:3] for line in train.read_text("utf-8").splitlines()]
    kept = [line for number, line in enumerate(lines) if number not in EMPTY]
    short = tmp_path / "short_data"
    shutil.copytree(data, short)
    write(short / "chat" / "train.data.txt", kept)
    for number in EMPTY:
        lines[number][2] = ""
    write(train, lines)
    keys = KD | {"skip_unlabeled": True}
    result = run(data=data, name="long", **keys)
    assert f"{len(EMPTY)} of {ROWS} rows have no label and are left out" in result.text
    assert cli.main(["evaluate", str(result.folder), "--split", "train"]) == 0
    assert f"rows = {ROWS - len(EMPTY)}" in capsys.readouterr().out
    assert weights(result.folder) == weights(run(data=short, name="short", **keys).folder)
    with pytest.raises(UserError, match="rows without label"):
        run(data=data, name="long", **KD)


def test_no_row_with_a_label_is_told(run, data):
    train = data / "chat" / "train.data.txt"
    lines = [[*line.split("\t")[:2], ""] for line in train.read_text("utf-8").splitlines()]
    write(train, lines)
    with pytest.raises(UserError) as caught:
        run("check", data=data, skip_unlabeled=True, **KD)
    assert "data.no-row-has-a-label" in codes(caught.value)


def write(path, rows):
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def weights(folder):
    return (folder / "student" / "model.safetensors").read_bytes()
