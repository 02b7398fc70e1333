"""What a finished run leaves, and what starting it again does."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from chatstill.errors import UserError
from chatstill.run import run as pipeline
from chatstill.run import train as running
from chatstill.run.fingerprint import run_fingerprint
from chatstill.tasks import get_task
from chatstill.tasks.predictions import read_predictions
from tests.found import refused

from . import world

METRICS_KEYS = {
    "format": int,
    "finished": str,
    "task": str,
    "verb": str,
    "method": str,
    "seed": int,
    "dev": dict,
    "kept": dict,
    "model": dict,
    "training": dict,
    "versions": dict,
    "machine": dict,
    "teacher": dict,
    "calibration": dict,
    "threshold": dict,
    "agreement": dict,
    "ratio": float,
}


def read(path):
    return path.read_text(encoding="utf-8")


def test_student_is_an_ordinary_checkpoint(finished):
    folder = finished.folder / "student"
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert model.config.num_hidden_layers == 2
    assert model.config.id2label == {0: "no_match", 1: "match"}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    logits = model.eval()(**tokenizer("where is", "sure", return_tensors="pt")).logits
    assert logits.shape == (1, 2)
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


@pytest.mark.slow
def test_student_loads_where_chatstill_cannot_be_imported(finished):
    code = (
        "import sys; sys.modules['chatstill'] = None\n"
        "from transformers import pipeline\n"
        f"answer = pipeline('text-classification', {str(finished.folder / 'student')!r})\n"
        "print(answer({'text': 'where is', 'text_pair': 'sure'})['label'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() in ("match", "no_match")


def test_metrics_have_the_documented_keys(finished):
    metrics = json.loads(read(finished.folder / "metrics.json"))
    assert {key: type(value) for key, value in metrics.items()} == METRICS_KEYS
    assert metrics["dev"]["rows"] == 60
    assert metrics["kept"] == {
        "rule": "last",
        "phase": "replacing",
        "step": 12,
        "chosen_on": None,
        "text": "last step: 12 of phase 'replacing'",
    }
    assert metrics["model"]["layers"] == 2
    assert metrics["agreement"].keys() == {"agreement", "spearman", "pearson"}
    assert {"torch", "transformers", "threads", "processes"} <= metrics["versions"].keys()


def test_predictions_rescored_give_the_metrics(finished):
    found = read_predictions(finished.folder / "predictions.tsv", ("0", "1"))
    again = get_task("chat").metrics(found.scores, found.labels, found.groups)
    metrics = json.loads(read(finished.folder / "metrics.json"))
    assert again == pytest.approx(metrics["dev"]["metrics"])
    assert len(found.scores) == 60


def test_results_are_text_and_are_printed(finished):
    lines = read(finished.folder / "eval_results.txt").splitlines()
    metrics = json.loads(read(finished.folder / "metrics.json"))
    assert f"rows = {metrics['dev']['rows']}" in lines
    assert any(line.startswith("mrr = ") and "95 % interval" in line for line in lines)
    assert lines[-1] == "kept = last step: 12 of phase 'replacing'"
    for line in lines:
        assert line in finished.text


def test_resolved_configuration_names_each_origin(finished):
    resolved = json.loads(read(finished.folder / "config.resolved.json"))
    assert resolved["learning_rate"]["value"] == 0.003
    assert "distill.json" in resolved["learning_rate"]["origin"]
    assert resolved["weight_decay"] == {"value": 0.01, "origin": "default"}


def test_log_history_and_tensorboard(finished):
    log = read(finished.folder / "run.log")
    assert "train: 48 rows" in log
    assert "steps; 8 rows: 8 on each of 1 process," in log
    assert "float32 on c" in log, "the processor or a GPU"
    assert "reaches 1 at step" in log, "the plan"
    records = [json.loads(line) for line in read(finished.folder / "history.jsonl").splitlines()]
    losses = [r for r in records if "loss" in r]
    assert [r["step"] for r in losses] == [2, 4, 6, 8, 10, 12]
    assert {"term/task", "term/task_weighted", "replacing_rate"} <= losses[0].keys()
    assert [r["step"] for r in records if "dev/mrr" in r] == [6, 12]

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(finished.folder / "tensorboard"))
    events.Reload()
    assert {"loss", "term/task", "replacing_rate", "dev/mrr"} <= set(events.Tags()["scalars"])
    assert [e.step for e in events.Scalars("term/task")] == [2, 4, 6, 8, 10, 12]


def test_the_plan_and_the_progress_are_printed(finished):
    for words in ("replacing rate", "reaches 1 at step", "teacher on dev", "examples/s", "batch"):
        assert words in finished.text


def modified(folder):
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_started_again_says_finished_and_trains_nothing(run):
    first = run()
    before = modified(first.folder)
    again = run()
    assert "finished" in again.text
    assert "mrr = " in again.text
    assert modified(first.folder) == before


def test_changed_key_is_named_and_fresh_moves_the_old_run_aside(run, tmp_path):
    first = run(num_train_epochs=1)
    before = modified(first.folder)
    with pytest.raises(
        UserError, match=r"learning_rate: 0\.003 → 0\.001.*--fresh|--fresh"
    ) as error:
        run(num_train_epochs=1, learning_rate=0.001)
    assert "learning_rate: 0.003 → 0.001" in str(error.value)
    assert "seed" not in str(error.value)
    assert modified(first.folder) == before
    again = run(num_train_epochs=1, learning_rate=0.001, fresh=True)
    (old,) = tmp_path.glob("out.old-*")
    assert old.name in again.text
    left = world.weights_of(old / "student")
    right = world.weights_of(first.folder / "student")
    assert any(not torch.equal(left[name], right[name]) for name in left)
    log = read(first.folder / "run.log")
    assert log.count("finished:") == 1


@pytest.mark.parametrize(
    "change",
    [
        {
            "save_steps": 100,
            "save_total_limit": 1,
            "logging_steps": 7,
            "per_gpu_eval_batch_size": 3,
        },
        {"note": "another word"},
    ],
)
def test_keys_that_change_no_weight_do_not_matter(finished, change, tmp_path):
    from chatstill.run.fingerprint import run_fingerprint

    other = world.loaded({**finished.values, **change}, tmp_path)
    assert run_fingerprint(other, "distill") == run_fingerprint(finished.loaded, "distill")


@pytest.mark.parametrize("fault", ["train", "dev", "weights", "merges"])
def test_content_of_files_is_in_the_fingerprint(fault, copy_of, shared, tmp_path):
    """Files are known by their content, not by their name or date."""
    import shutil

    from chatstill.run.fingerprint import run_fingerprint

    data = tmp_path / "data"
    shutil.copytree(shared / "data", data)
    teacher = copy_of()
    (teacher / "merges.txt").write_text("a b\n", encoding="utf-8")
    values = world.values_for(data, tmp_path / "out", teacher)
    before = run_fingerprint(world.loaded(values, tmp_path), "distill")
    if fault in ("train", "dev"):
        file = data / "chat" / f"{fault}.data.txt"
    else:
        file = teacher / ("merges.txt" if fault == "merges" else "model.safetensors")
    os.utime(file, (1, 1))
    assert run_fingerprint(world.loaded(values, tmp_path), "distill") == before
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    assert run_fingerprint(world.loaded(values, tmp_path), "distill") != before


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("tekken.json", None),
        ("source.spm", None),
        ("tokenizer.4.0.0.json", {"fast_tokenizer_files": ["tokenizer.4.0.0.json"]}),
        ("my words", {"vocab_file": "my words"}),
    ],
)
@pytest.mark.parametrize("one_file", [False, True])
def test_a_tokenizers_file_of_any_name_is_in_the_fingerprint(name, named, one_file, tmp_path):
    from chatstill.run.fingerprint import content_of

    (tmp_path / "model.safetensors").write_bytes(b"weights")
    if named is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(named), encoding="utf-8")
    path = str(tmp_path / "model.safetensors" if one_file else tmp_path)
    without = content_of(path)
    found = []
    for words in ("one", "other"):
        (tmp_path / name).write_text(words, encoding="utf-8")
        found.append(content_of(path))
    assert found[0] != found[1]
    (tmp_path / "notes.txt").write_text("nobody reads this", encoding="utf-8")
    assert content_of(path) == found[1]
    assert {k: v for k, v in found[1].items() if k != "also"} == without


def test_a_vocabulary_beside_weights_in_one_file_is_in_the_fingerprint(tmp_path):
    """The tokenizer beside ``pytorch_model.bin`` may be a SentencePiece model."""
    from chatstill.run.fingerprint import content_of

    weights = tmp_path / "pytorch_model.bin"
    weights.write_bytes(b"weights")
    before = content_of(str(weights))
    (tmp_path / "spiece.model").write_bytes(b"pieces")
    assert content_of(str(weights)) != before


def test_code_of_a_plugin_is_in_the_fingerprint(finished, tmp_path):
    from chatstill.run.fingerprint import run_fingerprint

    plugin = tmp_path / "mine.py"
    plugin.write_text("A = 1\n", encoding="utf-8")
    values = {**finished.values, "plugins": [str(plugin)]}
    before = run_fingerprint(world.loaded(values, tmp_path), "distill")
    plugin.write_text("A = 2\n", encoding="utf-8")
    assert run_fingerprint(world.loaded(values, tmp_path), "distill") != before


def test_folder_of_somebody_else(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        run()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_do_train_false_evaluates_the_student(finished, tmp_path):
    before = modified(finished.folder)
    values = {**finished.values, "do_train": False}
    where = world.console()
    pipeline.distill(world.loaded(values, tmp_path), console=where)
    metrics = json.loads(read(finished.folder / "metrics.json"))
    assert f"mrr = {metrics['dev']['value']:.6g}" in world.said(where)
    assert modified(finished.folder) == before


def test_do_train_false_without_a_student(run, tmp_path):
    with refused("run.nothing-to-evaluate"):
        run(do_train=False)
    assert not (tmp_path / "out").exists()


def test_whether_dev_is_scored_matters_where_it_decides_what_is_kept(run):
    """A run may not go on as another one: the best weights of its second half are not its best."""
    keys = {"keep": None, "num_train_epochs": 1}
    run(do_eval=False, **keys)
    with pytest.raises(UserError, match="figures on dev choose the weights: false → true"):
        run(do_eval=True, **keys)
    run(name="last", do_eval=False, **keys | {"keep": "last"})
    assert "holds this run, finished" in run(name="last", **keys | {"keep": "last"}).text


def test_without_do_eval_only_the_student_is_written(run):
    done = run(do_eval=False, num_train_epochs=1)
    names = {p.name for p in done.folder.iterdir()}
    assert "student" in names
    assert not {"metrics.json", "eval_results.txt", "predictions.tsv"} & names
    assert "do_eval was false" in done.text


def test_keep_best_and_patience_are_said(run):
    done = run(keep="best", patience=2, eval_steps=1, num_train_epochs=2, learning_rate=1e-8)
    metrics = json.loads(read(done.folder / "metrics.json"))
    assert metrics["kept"]["rule"] == "best"
    assert metrics["kept"]["step"] == 1, "a learning rate of nothing changes nothing"
    lines = read(done.folder / "eval_results.txt")
    assert "chosen on the same dev set" in lines and "stopped by patience 2 before the" in lines
    phase = metrics["training"]["phases"][0]
    assert phase["steps"] == 3 < phase["planned"], "stopped by patience"
    (told,) = [w for w in metrics["dev"]["warnings"] if "the replacing rate had come to" in w]
    assert "in step 1:" in told and told[1:] in read(done.folder / "student" / "README.md")
    history = read(done.folder / "history.jsonl").splitlines()
    values = [r["dev/mrr"] for r in map(json.loads, history) if "dev/mrr" in r]
    assert len(values) == 3


def test_two_phases_are_recorded_one_after_the_other(run):
    done = run(
        theseus_scheduler={"replacing_rate": 0.5, "scheduler_type": "constant"},
        num_train_epochs=1,
        successor_num_train_epochs=1,
    )
    metrics = json.loads(read(done.folder / "metrics.json"))
    assert [p["name"] for p in metrics["training"]["phases"]] == ["replacing", "successor"]
    assert metrics["kept"]["phase"] == "successor"

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(done.folder / "tensorboard"))
    events.Reload()
    assert [e.step for e in events.Scalars("loss")] == [2, 4, 6, 8, 10, 12]
    assert events.Scalars("replacing_rate")[-1].value == 1


def test_cache_dir_is_shared_by_runs(run, tmp_path):
    cache = tmp_path / "cache"
    run(cache_dir=str(cache), num_train_epochs=1)
    before = modified(cache)
    assert before
    assert not (tmp_path / "out" / "cache").exists()
    run(cache_dir=str(cache), num_train_epochs=1, name="other")
    arrays = {p: t for p, t in modified(cache).items() if p.suffix == ".bin"}
    assert arrays == {p: before[p] for p in arrays}


def test_probabilities_are_those_of_the_scores_and_of_the_threshold(finished):
    path = finished.folder / "predictions.tsv"
    with open(path, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    scores = read_predictions(path, ("0", "1")).scores
    counts = 1 / (1 + np.exp(scores[:, 0] - scores[:, 1]))
    found = np.array([float(row["positive_probability"]) for row in rows])
    np.testing.assert_allclose(found, counts, rtol=1e-12)
    own = np.where([row["prediction"] == "1" for row in rows], found, 1 - found)
    np.testing.assert_allclose([float(row["probability"]) for row in rows], own, rtol=1e-9)
    threshold = json.loads(read(finished.folder / "metrics.json"))["threshold"]["probability"]
    assert threshold in found, "a row's probability, to the last digit"


def test_texts_stand_in_predictions_where_they_are_asked_for(finished, tmp_path, capsys):
    from chatstill import cli

    rows = tmp_path / "rows.tsv"
    rows.write_text("where is\tsure\ngo home\tnever\n", encoding="utf-8")
    assert cli.main(["predict", str(finished.folder), str(rows), "--texts"]) == 0
    lines = (tmp_path / "rows.tsv.predictions.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[-2:] for line in lines] == [
        ["text_a", "text_b"],
        ["where is", "sure"],
        ["go home", "never"],
    ]
    folder = ["evaluate", str(finished.folder), "--texts"]
    assert cli.main([*folder, "--output", str(tmp_path / "e")]) == 0
    head, first, *_ = (tmp_path / "e" / "predictions.tsv").read_text("utf-8").splitlines()
    data = Path(finished.values["data_dir"])
    query, reply, _ = read(data / "chat" / "dev.data.txt").split("\n")[0].split("\t")
    assert head.endswith("text_a\ttext_b") and first.endswith(f"{query}\t{reply}")
    assert cli.main(folder) == 2
    assert "--texts: predictions are only written with --output FOLDER" in capsys.readouterr().err


def test_scores_do_not_depend_on_the_batch_size(finished, tmp_path):
    config = world.loaded({**finished.values, "per_gpu_eval_batch_size": 7}, tmp_path).config
    pipeline.evaluate(
        finished.folder / "student", config, output=tmp_path / "e", console=world.console()
    )
    left = read_predictions(finished.folder / "predictions.tsv", ("0", "1"))
    right = read_predictions(tmp_path / "e" / "predictions.tsv", ("0", "1"))
    np.testing.assert_allclose(left.scores, right.scores, rtol=1e-4, atol=1e-5)


def test_evaluation_of_a_run_cuts_rows_as_the_run_did(finished):
    from chatstill.config.schema import RunConfig
    from chatstill.evaluate.score_file import as_trained

    trained_at = json.loads(read(finished.folder / "config.resolved.json"))["max_seq_length"][
        "value"
    ]
    assert trained_at != 128, "the run has a length of its own"
    config = RunConfig.model_construct(**{"task_name": "chat"})
    assert as_trained(finished.folder / "student", config).max_seq_length == trained_at
    asked = RunConfig.model_construct(**{"task_name": "chat", "max_seq_length": 64})
    assert as_trained(finished.folder / "student", asked).max_seq_length == 64
    usual = RunConfig.model_construct(**{"task_name": "chat", "max_seq_length": 128})
    assert as_trained(finished.folder / "student", usual).max_seq_length == 128, "it was asked for"
    assert as_trained(finished.folder, config).max_seq_length == 128


def test_files_are_readable_for_whom_the_umask_lets(finished):
    mask = os.umask(0)
    os.umask(mask)
    for path in (finished.folder / "student").iterdir():
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask, path.name


def test_the_same_weights_are_scored_once(run, monkeypatch):
    scored = []
    plain = running.score_view

    def score_view(job, view, model):
        scored.append("teacher" if model is job.teacher else "student")
        return plain(job, view, model)

    monkeypatch.setattr(running, "score_view", score_view)
    run(num_train_epochs=2)
    assert scored == ["student", "student"], "once an epoch; the last serves the report"


def test_best_weights_that_are_not_the_last_are_scored_again(run, monkeypatch):
    chat = type(get_task("chat"))
    first_is_best, metrics = iter([0.9, 0.8]), chat.metrics
    monkeypatch.setattr(
        chat, "metrics", lambda *rows: {**metrics(*rows), "mrr": next(first_is_best, 0.5)}
    )
    scored, plain = [], running.score_view
    monkeypatch.setattr(running, "score_view", lambda *job: scored.append(job) or plain(*job))
    done = run(num_train_epochs=2, keep="best")
    assert json.loads(read(done.folder / "metrics.json"))["kept"]["step"] == 6
    assert len(scored) == 3, "two epochs, the best once more; the pre-flight scored the teacher"


@pytest.mark.parametrize(("keep", "matters"), [("last", False), ("best", True)])
def test_how_often_dev_is_scored_matters_where_it_selects(
    shared, teacher_of, tmp_path, keep, matters
):
    def fingerprint(steps):
        more = {"keep": keep, "eval_steps": steps}
        values = world.values_for(shared / "data", tmp_path / "out", teacher_of(), **more)
        return run_fingerprint(world.loaded(values, tmp_path), "distill")

    assert (fingerprint(1) != fingerprint(2)) == matters


def test_fresh_does_not_move_what_the_run_reads(run, copy_of, tmp_path):
    run(num_train_epochs=1)
    teacher = tmp_path / "out" / "my_teacher"
    shutil.copytree(copy_of(), teacher)
    with pytest.raises(UserError, match=r"my_teacher is read by this run and lies in .*out"):
        run(fresh=True, teacher=teacher, seed=9)
    assert (teacher / "model.safetensors").is_file(), "nothing was moved"


def test_a_run_ends_with_where_its_network_and_report_are(finished):
    last = finished.text.rstrip().splitlines()[-2:]
    assert last == [f"student: {finished.folder}/student", f"report: {finished.folder}/report.html"]
