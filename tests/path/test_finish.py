"""``chatstill finish``: a run that was stopped for good is ended with the checkpoint that it has."""

import json
import shutil

import pytest
import torch

from chatstill import cli
from chatstill.errors import Interrupted
from chatstill.run import task_level
from chatstill.tasks.predictions import read_predictions
from chatstill.train.flow import FlowCallback
from chatstill.train.runfolder import RunFolder

from ..pages import documented, section
from . import world


@pytest.fixture
def stopped(run, monkeypatch, tmp_path):
    """Runs a verb and stops it after a step of a phase: ``stopped(step=5, keep="best").folder``."""

    def go(step, phase=0, verb="distill", **changes):
        plain = FlowCallback.on_step_end

        def with_signal(self, args, state, control, **kwargs):
            if self.settings.index == phase and state.global_step == step:
                self.stop.signal_number = 15
            return plain(self, args, state, control, **kwargs)

        monkeypatch.setattr(FlowCallback, "on_step_end", with_signal)
        with pytest.raises(Interrupted):
            run(verb, **changes)
        monkeypatch.setattr(FlowCallback, "on_step_end", plain)
        return tmp_path / "out"

    return go


def finish(*words):
    return cli.main(["finish", *map(str, words)])


def text(path):
    return path.read_text(encoding="utf-8")


def metrics_of(folder):
    return json.loads(text(folder / "metrics.json"))


def checkpoints(folder):
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


# -- what it gives ---------------------------------------------------------------------------------


def test_the_last_checkpoint_becomes_the_student_with_all_that_a_run_leaves(
    stopped, finished, capsys
):
    folder = stopped(6)
    assert not (folder / "student").exists()
    assert finish(folder) == 0
    said = capsys.readouterr().out
    sentence = (
        "ended before its time by `chatstill finish`, after step 6 of 12 of phase 'replacing'"
    )
    assert sentence in said and f"student: {folder / 'student'}" in said
    names = {path.name for path in folder.iterdir()}
    assert {path.name for path in finished.folder.iterdir()} <= names
    metrics = metrics_of(folder)
    assert metrics["ended"] == {
        "phase": "replacing",
        "step": 6,
        "steps": 12,
        "not_run": [],
        "text": sentence,
    }
    assert (metrics["kept"]["rule"], metrics["kept"]["step"]) == ("last", 6)
    assert metrics["training"]["phases"][0]["steps"] == 6
    for page in (
        folder / "eval_results.txt",
        folder / "student" / "README.md",
        folder / "report.html",
    ):
        assert sentence in text(page).replace("&#39;", "'"), page
    rescored = read_predictions(folder / "predictions.tsv", ("0", "1"))
    assert len(rescored.scores) == metrics["dev"]["rows"]
    assert json.loads(text(folder / "run.json"))["state"] == "finished"
    assert cli.main(["evaluate", str(folder)]) == 0


def test_the_network_is_that_of_the_checkpoint(stopped):
    from safetensors.torch import load_file

    folder = stopped(6)
    saved = load_file(folder / "checkpoints" / "phase0-step000006" / "trained.safetensors")
    assert finish(folder) == 0
    made = list(world.weights_of(folder / "student").values())
    assert len(saved) > 10
    for name, tensor in saved.items():
        assert any(torch.equal(tensor, other) for other in made), name


def test_a_run_that_goes_on_and_one_that_is_ended_have_the_same_figures_at_that_step(stopped, run):
    """What ``finish`` scores is what an evaluation at that step scored."""
    folder = stopped(6, eval_steps=3)
    (line,) = [
        json.loads(line)
        for line in text(folder / "history.jsonl").splitlines()
        if '"step": 6' in line and "dev/mrr" in line
    ]
    assert finish(folder) == 0
    assert metrics_of(folder)["dev"]["value"] == line["dev/mrr"]


def test_the_best_so_far_is_taken_where_the_best_is_kept(stopped):
    folder = stopped(8, keep="best", eval_steps=2)
    seen = [json.loads(line) for line in text(folder / "history.jsonl").splitlines()]
    values = {one["step"]: one["dev/mrr"] for one in seen if "dev/mrr" in one}
    best = max(values, key=values.get)
    assert finish(folder) == 0
    metrics = metrics_of(folder)
    assert (metrics["kept"]["rule"], metrics["kept"]["step"]) == ("best", best)
    assert metrics["dev"]["value"] == values[best] == max(values.values())
    assert metrics["ended"]["step"] == 8


def test_best_weights_count_without_or_after_any_checkpoint_of_a_step(stopped):
    folder = stopped(8, keep="best", eval_steps=2)
    for path in (folder / "checkpoints").glob("phase0-step*"):
        shutil.rmtree(path)
    assert finish(folder) == 0
    metrics = metrics_of(folder)
    assert metrics["kept"]["rule"] == "best"
    assert metrics["ended"]["step"] == metrics["kept"]["step"], "no later step is known of"


def test_where_nothing_was_scored_yet_the_last_is_taken_and_that_is_said(stopped, capsys):
    folder = stopped(2, keep="best", eval_steps=4)
    assert finish(folder) == 0
    assert "the last weights are kept, not the best" in capsys.readouterr().out
    assert metrics_of(folder)["kept"]["rule"] == "last"


def test_records_of_steps_that_are_in_no_weights_are_dropped(stopped):
    folder = stopped(6)
    shutil.rmtree(folder / "checkpoints" / "phase0-step000006")
    assert finish(folder) == 0
    steps = [json.loads(line)["step"] for line in text(folder / "history.jsonl").splitlines()]
    assert metrics_of(folder)["ended"]["step"] == max(steps) == 4


def test_its_keys_are_documented(stopped):
    folder = stopped(6)
    assert finish(folder) == 0
    page = documented(section("docs/run_folder.md", "A run that was ended"))
    assert page == {f"ended.{key}" for key in metrics_of(folder)["ended"]}


# -- what it warns of ------------------------------------------------------------------------------


TWO = {"replacing_rate": 0.5, "scheduler_type": "constant", "successor_num_train_epochs": 1}


def test_phases_that_were_not_run_are_named_and_the_rate_at_that_step(stopped, capsys):
    folder = stopped(6, theseus_scheduler=TWO)
    assert finish(folder) == 0
    said = capsys.readouterr().out
    assert "after step 6 of 12 of phase 'replacing'; not run: phase 'successor'" in said
    warnings = metrics_of(folder)["dev"]["warnings"]
    assert any("the replacing rate had come to 0.5 in step 6" in one for one in warnings)
    assert any("chance of at most 25.0% a step" in one for one in warnings)
    assert any("the phase was not run: 'successor'" in one for one in warnings)
    assert metrics_of(folder)["ended"]["not_run"] == ["successor"]
    page = text(folder / "student" / "README.md")
    assert "the replacing rate had come to 0.5" in page


def test_in_the_second_phase_nothing_is_missing_but_steps(stopped):
    folder = stopped(2, phase=1, theseus_scheduler=TWO)
    assert finish(folder) == 0
    metrics = metrics_of(folder)
    assert (metrics["ended"]["phase"], metrics["ended"]["step"]) == ("successor", 2)
    assert metrics["ended"]["not_run"] == []
    assert metrics["dev"]["warnings"] == []
    assert [phase["name"] for phase in metrics["training"]["phases"]] == ["replacing", "successor"]


def test_between_two_phases(stopped):
    folder = stopped(2, phase=1, theseus_scheduler=TWO)
    for path in (folder / "checkpoints").glob("phase1-*"):
        shutil.rmtree(path)
    assert finish(folder) == 0
    ended = metrics_of(folder)["ended"]
    assert (ended["phase"], ended["step"], ended["steps"]) == ("replacing", 12, 12)
    assert ended["not_run"] == ["successor"]


def test_a_run_whose_steps_were_all_done_is_not_ended_before_its_time(
    run, tmp_path, monkeypatch, capsys
):
    def dies(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(task_level, "report", dies)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert finish(tmp_path / "out") == 0
    assert "ended" not in metrics_of(tmp_path / "out")
    assert "phase 'replacing' was finished before" in capsys.readouterr().out


def test_without_evaluation_the_card_says_it(stopped, capsys):
    folder = stopped(6, do_eval=False)
    assert finish(folder) == 0
    assert "after step 6 of 12" in capsys.readouterr().out
    assert "after step 6 of 12" in text(folder / "student" / "README.md")
    assert not (folder / "metrics.json").exists()


# -- before and after ------------------------------------------------------------------------------


def test_started_again_it_prints_its_results_and_fresh_trains_anew(stopped, run, capsys):
    folder = stopped(6)
    assert finish(folder) == 0
    again = run()
    assert "holds this run, finished. Its results:" in again.text
    assert "ended before its time" in again.text
    capsys.readouterr()
    assert finish(folder) == 0
    said = capsys.readouterr().out
    assert "holds a finished run" in said and "ended before its time" in said
    fresh = run(fresh=True)
    assert "ended" not in metrics_of(fresh.folder)


def test_a_teacher_is_ended_as_well(stopped):
    folder = stopped(6, verb="teach", model_type=None, theseus_scheduler=None)
    assert finish(folder) == 0
    assert (folder / "teacher" / "config.json").is_file()
    assert metrics_of(folder)["verb"] == "teach"


def test_a_student_that_started_from_files_finds_them_again(stopped, tmp_path, capsys):
    """An ELMo: what was recorded is the folder that was found, not the key that named it."""
    pytest.importorskip("h5py")
    from tests.elmo_by_hand import write_elmo

    files = write_elmo(tmp_path / "files", seed=2)
    student = {"model_name_or_path": str(files), "network": {"hidden": 16, "fine_tune": False}}
    elmo = {"model_type": "ELMOTaskDistill", "theseus_scheduler": None}
    folder = stopped(6, **elmo, student_architectures=student)
    bare, moved = tmp_path / "bare", tmp_path / "moved"
    shutil.copytree(folder, bare)
    shutil.rmtree(bare / "checkpoints")
    assert finish(bare) == 2
    assert "nothing was saved before it was stopped" in " ".join(capsys.readouterr().err.split())
    shutil.copytree(folder, tmp_path / "copy")
    assert finish(tmp_path / "copy") == 0
    files.rename(moved)
    assert finish(folder) == 2
    assert str(files) in capsys.readouterr().err
    assert finish(folder, "--set", f"student_architectures.model_name_or_path={moved}") == 0
    one, other = (world.weights_of(path / "student") for path in (folder, tmp_path / "copy"))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_run_of_several_processes_is_ended_by_one(stopped):
    folder = stopped(6)
    for name in ("run.json", ".run.json.copy"):
        record = json.loads(text(folder / name))
        record["fingerprint"]["global_batch"] *= 2
        (folder / name).write_text(json.dumps(record), encoding="utf-8")
    assert finish(folder) == 0
    assert metrics_of(folder)["ended"]["steps"] == 12, "as the checkpoint has it"
    (phase,) = metrics_of(folder)["training"]["phases"]
    assert phase["epochs"] == pytest.approx(
        6 / (phase["rows"] / record["fingerprint"]["global_batch"])
    )


def test_a_folder_that_was_moved(stopped, tmp_path):
    folder = stopped(6)
    folder.rename(tmp_path / "elsewhere")
    assert finish(tmp_path / "elsewhere") == 0
    assert metrics_of(tmp_path / "elsewhere")["ended"]["step"] == 6


# -- what is refused -------------------------------------------------------------------------------


def test_a_run_that_is_at_work_is_refused(stopped, capsys):
    folder = stopped(6)
    at_work = RunFolder(folder)
    at_work._take_lock()
    try:
        assert finish(folder) == 2
    finally:
        at_work.close()
    error = capsys.readouterr().err
    assert "another run is using" in error and "Stop it first" in error
    assert not (folder / "student").exists()


def test_a_run_without_a_checkpoint_is_refused(stopped, capsys):
    folder = stopped(6)
    for path in (folder / "checkpoints").iterdir():
        shutil.rmtree(path)
    assert finish(folder) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "it holds no checkpoint: nothing was saved before it was stopped" in error
    assert json.loads(text(folder / "run.json"))["state"] == "running"


def test_damaged_checkpoints_are_passed_over_and_named(stopped, capsys):
    folder = stopped(6)
    assert checkpoints(folder) == ["phase0-step000004", "phase0-step000006"]
    broken = folder / "checkpoints" / "phase0-step000006" / "trained.safetensors"
    broken.write_bytes(broken.read_bytes()[:-1])
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    assert finish(folder) == 0
    assert "phase0-step000006 is skipped: it is damaged" in capsys.readouterr().out
    assert metrics_of(folder)["ended"]["step"] == 4
    other = copy / "checkpoints" / "phase0-step000004" / "trained.safetensors"
    other.write_bytes(b"")
    assert finish(copy) == 2
    assert "no checkpoint can be taken" in " ".join(capsys.readouterr().err.split())


def test_what_it_was_trained_on_must_be_there_as_it_was(stopped, shared, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(shared / "data", data)
    folder = stopped(6, data=data)
    with open(data / "chat" / "train.data.txt", "a", encoding="utf-8") as stream:
        stream.write("one more\trow\t1\n")
    assert finish(folder) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "data.train" in error and "A run is ended as it was trained" in error
    assert "--fresh" not in error
    assert finish(folder, "--set", f"data_dir={shared / 'data'}") == 0


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_that_is_none_of_a_run(tmp_path, name, capsys):
    (tmp_path / "empty").mkdir()
    assert finish(tmp_path / name) == 2
    assert "Name the output_dir of the run." in capsys.readouterr().err


def test_without_its_record_the_configuration_is_asked_for(stopped, tmp_path, capsys):
    folder = stopped(6)
    (folder / "config.resolved.json").unlink()
    assert finish(folder) == 2
    assert "Name the file: --config my.json" in capsys.readouterr().err
    assert finish(folder, "--config", tmp_path / "configs" / "distill.json") == 0


def test_code_of_ones_own_has_to_be_named_again(stopped, tmp_path, capsys):
    plugin = tmp_path / "mine.py"
    plugin.write_text("NOTHING = 1\n", encoding="utf-8")
    folder = stopped(6, plugins=[str(plugin)])
    assert finish(folder) == 2
    assert f"--plugin {plugin}" in " ".join(capsys.readouterr().err.split())
    assert finish(folder, "--plugin", plugin) == 0


# -- chains ----------------------------------------------------------------------------------------


def test_of_a_chain_the_link_under_way_is_ended_and_the_others_stay(
    shared, teacher_of, tmp_path, monkeypatch, capsys
):
    values = world.values_for(shared / "data", tmp_path / "out", teacher_of())
    values["pipeline"] = [
        {"name": "first"},
        {
            "name": "second",
            "teacher_architectures": {"model_name_or_path": "link:first"},
            "student_architectures": {"num_hidden_layers": 1},
        },
    ]
    (tmp_path / "my.json").write_text(json.dumps(values), encoding="utf-8")
    plain = FlowCallback.on_step_end

    def with_signal(self, args, state, control, **kwargs):
        self.stop.signal_number = 15 if state.global_step == 6 else 0
        return plain(self, args, state, control, **kwargs)

    monkeypatch.setattr(FlowCallback, "on_step_end", with_signal)
    assert cli.main(["distill", str(tmp_path / "my.json")]) == 143
    monkeypatch.setattr(FlowCallback, "on_step_end", plain)
    capsys.readouterr()
    assert finish(tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "the link under way is first" in said and "links that were not run: second" in said
    assert metrics_of(tmp_path / "out" / "first")["ended"]["step"] == 6
    assert not (tmp_path / "out" / "second").exists()
    assert finish(tmp_path / "out") == 2
    assert "no link of this chain is under way; finished: first" in capsys.readouterr().err
    assert cli.main(["distill", str(tmp_path / "my.json")]) == 0
    said = capsys.readouterr().out
    assert "first: finished before" in said.replace("link 1 of 2: ", "")
    links = metrics_of(tmp_path / "out")["links"]
    assert "after step 6 of 12" in links[0]["ended"] and "ended" not in links[1]
    assert "ended before its time" in text(tmp_path / "out" / "eval_results.txt")
    assert finish(tmp_path / "out") == 0, "the chain is finished: its results"
