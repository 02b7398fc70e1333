"""A file with a pipeline, from start to end: links, their summary, and going on after an interruption."""

import json
import os
import signal
from pathlib import Path

import pytest

from chatstill import cli
from chatstill.config import load_chain
from chatstill.errors import UserError
from chatstill.models.save import kept_folder
from chatstill.run import chain as chains

from ..processes import run_processes
from . import world
from .children import fork, wait

pytestmark = pytest.mark.smoke


@pytest.fixture
def chained(shared, teacher_of, tmp_path):
    """A teacher of 4 layers, an assistant of 2, a student of 1; ``chained.load()``."""

    class Chained:
        folder = tmp_path
        output = tmp_path / "out"

        def __init__(self):
            teacher = teacher_of()
            self.values = world.values_for(
                shared / "data", self.output, teacher, num_train_epochs=1
            )
            self.values["pipeline"] = [
                {"name": "assistant", "student_architectures": {"num_hidden_layers": 2}},
                {
                    "name": "student",
                    "teacher_architectures": {"model_name_or_path": "link:assistant"},
                    "student_architectures": {"num_hidden_layers": 1},
                    "allow_weak_teacher": True,
                },
            ]

        @property
        def path(self):
            path = self.folder / "chain.json"
            path.write_text(json.dumps(self.values), encoding="utf-8")
            return path

        @property
        def rows(self):
            path = self.folder / "rows.tsv"
            path.write_text("where is\tsure\n", encoding="utf-8")
            return path

        def load(self, *overrides):
            return load_chain(self.path, overrides, verb="distill")

        def distill(self, *overrides, fresh=False):
            where = world.console()
            chains.distill_chain(self.load(*overrides), fresh=fresh, console=where)
            return world.said(where)

        def check(self, *overrides):
            where = world.console()
            chains.check_chain(self.load(*overrides), console=where)
            return world.said(where)

        def metrics(self, name=""):
            text = (self.output / name / "metrics.json").read_text(encoding="utf-8")
            return json.loads(text)

    return Chained()


def test_each_link_is_an_ordinary_run_and_the_chain_has_a_summary(chained, capsys):
    chained.values["compare_direct"] = True
    said = chained.distill()
    for name, layers in (("assistant", 2), ("student", 1), ("direct", 1)):
        assert json.loads((chained.output / name / "run.json").read_text())["state"] == "finished"
        config = json.loads((chained.output / name / "student" / "config.json").read_text())
        assert config["num_hidden_layers"] == layers
    student = chained.metrics("student")
    assert student["teacher"]["value"] == pytest.approx(
        chained.metrics("assistant")["dev"]["value"]
    )
    metrics = chained.metrics()
    assert [link["name"] for link in metrics["links"]] == ["assistant", "student", "direct"]
    assert [link["after"] for link in metrics["links"]] == [[], ["assistant"], []]
    for link in metrics["links"]:
        assert link["value"] == chained.metrics(link["name"])["dev"]["value"]
    difference = student["dev"]["value"] - chained.metrics("direct")["dev"]["value"]
    assert metrics["direct"]["difference"] == pytest.approx(difference)
    low, high = metrics["direct"]["interval"]
    assert low <= difference <= high
    page = (chained.output / "report.html").read_text(encoding="utf-8")
    text = (chained.output / "eval_results.txt").read_text(encoding="utf-8")
    for shown in (page, text, said):
        assert "assistant (2 layers)" in shown
        assert "student less the same student taught directly" in shown
    assert "link 1 of 3: assistant" in said
    assert "link 2 of 3: student (after assistant)" in said
    assert kept_folder(chained.output) == chained.output / "student" / "student"
    capsys.readouterr()
    assert cli.main(["evaluate", str(chained.output)]) == 0, "the last link's network and task"
    network = f"network = {chained.output / 'student' / 'student'}"
    assert f"{network} (of the chain's link student)" in capsys.readouterr().out
    assert cli.main(["predict", str(chained.output), str(chained.rows)]) == 0
    assert capsys.readouterr().out.count(network) == 1
    assert cli.main(["predict", str(chained.output / "student"), str(chained.rows)]) == 0
    assert f"{network}\n" in capsys.readouterr().out, "of a run, whose network it is"
    assert (
        cli.main(["predict", str(chained.output / "student" / "student"), str(chained.rows)]) == 0
    )
    assert "network =" not in capsys.readouterr().out, "it was named"


def test_a_finished_link_is_never_run_again(chained):
    chained.distill()
    before = {p: p.stat().st_mtime_ns for p in chained.output.rglob("student/model.safetensors")}
    said = chained.distill()
    assert "assistant: finished before" in said and "(after assistant): finished before" in said
    assert "student (1 layer)" in said, "the summary again"
    assert before == {
        p: p.stat().st_mtime_ns for p in chained.output.rglob("student/model.safetensors")
    }


def test_a_killed_chain_goes_on_where_it_was_to_the_same_weights(chained):
    """Killed in the second link: the first one is not run again."""
    chained.distill()
    whole = world.weights_of(chained.output / "student" / "student")
    chained.output.rename(chained.folder / "whole")
    path = str(chained.path)

    def killed():
        from chatstill.train.flow import FlowCallback

        original = FlowCallback.on_step_end

        def with_signal(self, args, state, control, **kwargs):
            if state.global_step == 5 and "student" in args.output_dir.split(os.sep):
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, args, state, control, **kwargs)

        FlowCallback.on_step_end = with_signal
        return cli.main(["distill", path])

    assert wait(fork(killed, chained.folder / "killed.txt")) == -signal.SIGKILL
    assert not (chained.output / "metrics.json").exists()
    first = (chained.output / "assistant" / "student" / "model.safetensors").stat().st_mtime_ns
    assert wait(fork(lambda: cli.main(["distill", path]), chained.folder / "again.txt")) == 0
    said = (chained.folder / "again.txt").read_text(encoding="utf-8")
    assert "link 1 of 2: assistant: finished before" in said
    assert "goes on after step 4" in said
    again = (chained.output / "assistant" / "student" / "model.safetensors").stat().st_mtime_ns
    assert again == first
    broken = world.weights_of(chained.output / "student" / "student")
    assert whole.keys() == broken.keys()
    assert all(whole[name].equal(broken[name]) for name in whole)


def test_a_chain_that_has_not_ended_is_told_from_a_network(chained, capsys):
    chained.distill()
    path = chained.output / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["state"] == "finished"
    path.write_text(json.dumps({**record, "state": "running"}), encoding="utf-8")
    (chained.output / "metrics.json").unlink()
    assert cli.main(["evaluate", str(chained.output)]) == 2
    assert f"{chained.output} is the folder of a run that has not ended" in capsys.readouterr().err


def test_check_lays_out_every_link_and_writes_nothing(chained):
    said = chained.check()
    assert "link 1 of 2: assistant" in said
    assert "link 2 of 2: student (after assistant)" in said
    assert "assistant: an untrained network stood in" in said
    assert said.count("phase: replacing") == 2
    assert said.count("teacher on dev") == 1, "an untrained network has no score worth showing"
    assert not chained.output.exists()


def test_a_fault_of_a_later_link_is_found_before_the_first_one_starts(chained):
    """What only the networks themselves can tell: here a depth that cannot be shared out."""
    second = chained.values["pipeline"][1]
    second["student_architectures"] = {"num_hidden_layers": 3}
    with pytest.raises(UserError) as caught:
        chained.distill()
    assert [p.place.split(":")[0] for p in caught.value.problems] == ["student"]
    assert not chained.output.exists()


def test_faults_of_all_links_come_together(chained):
    first, second = chained.values["pipeline"]
    first["max_seq_length"] = 100  # the teacher has 64 positions
    chained.values["pipeline"].append({**second, "name": "other", "max_seq_length": 100})
    del chained.values["pipeline"][2]["teacher_architectures"]
    with pytest.raises(UserError) as caught:
        chained.distill()
    assert {p.place.split(":")[0] for p in caught.value.problems} == {"assistant", "other"}


def test_another_pipeline_in_the_folder_is_refused(chained):
    chained.distill()
    chained.values["pipeline"][1]["name"] = "pupil"
    with pytest.raises(UserError, match="pipeline"):
        chained.distill()
    said = chained.distill(fresh=True)
    assert "moved to" in said
    assert (chained.output / "pupil" / "student").is_dir()
    assert not (chained.output / "student").exists()


def test_a_changed_link_is_refused_by_its_own_folder(chained):
    chained.distill()
    chained.values["pipeline"][1]["learning_rate"] = 0.5
    for verb in (chained.check, chained.distill):
        with pytest.raises(UserError, match="learning_rate") as caught:
            verb()
        assert [p.place for p in caught.value.problems] == ["student: output_dir"]
        assert caught.value.problems[0].code == "run.another-configuration"
    (chained.output / "student" / "run.json").unlink()
    assert (chained.output / "assistant" / "student").is_dir()
    del chained.values["pipeline"][1]["learning_rate"]
    with pytest.raises(UserError, match="not empty"):
        chained.check()


def test_check_says_that_a_network_stood_in_only_where_it_did(chained):
    chained.distill()
    assert "stood in" not in chained.check()


@pytest.mark.slow
@pytest.mark.charts
def test_a_warning_that_all_links_share_is_printed_once_and_kept_in_every_log(chained):
    data = world.write_chat(chained.folder)
    with (data / "chat" / "train.data.txt").open("a", encoding="utf-8") as file:
        file.write("where is the b\ufffdx\tsure\t1\n")
    chained.values["data_dir"] = str(data)
    assert chained.check().count("U+FFFD") == 1
    assert chained.distill().count("U+FFFD") == 1
    for name in ("assistant", "student"):
        log = (chained.output / name / "run.log").read_text(encoding="utf-8")
        assert log.count("U+FFFD") == 1
    page = (chained.output / "report.html").read_text(encoding="utf-8")
    assert "assistant, student: train: 1 row" in page
    assert "MRR on dev" in page


def test_a_chain_that_begins_with_its_teacher(chained):
    chained.values["pipeline"][0] = {"name": "assistant", "verb": "teach"}
    chained.distill()
    assert (chained.output / "assistant" / "teacher" / "config.json").is_file()
    assert chained.metrics("student")["teacher"]["value"] == pytest.approx(
        chained.metrics("assistant")["dev"]["value"]
    )


def test_links_share_the_prepared_rows(chained):
    chained.distill()
    assert len(list((chained.output / "cache" / "views").glob("*/manifest.json"))) == 2
    assert not list(chained.output.glob("*/cache"))


def test_two_processes_run_every_link_and_one_speaks(chained):
    """Each link is a process group of its own in the same processes."""
    chained.values["per_gpu_train_batch_size"] = 4
    loaded = chained.load()

    def work(rank):
        where = world.console()
        chains.distill_chain(loaded, console=where)
        return world.said(where)

    first, second = run_processes(work, 2, seconds=240)
    assert "student (1 layer)" in first and not second.strip()
    assert [link["steps"] for link in chained.metrics()["links"]] == [6, 6]


def test_a_student_is_compared_with_itself_fine_tuned_alone(chained):
    del chained.values["pipeline"], chained.values["theseus_scheduler"]
    chained.values |= {
        "model_type": "KD",
        "compare_alone": True,
        "student_architectures": {"num_hidden_layers": 2},
    }
    more = chained.folder / "data"
    more.mkdir()
    for file in (shared_file(chained, name) for name in ("train.data.txt", "dev.data.txt")):
        (more / file.name).write_bytes(file.read_bytes())
    train = (more / "train.data.txt").read_text(encoding="utf-8").splitlines()
    unknown = [line.rsplit("\t", 1)[0] + "\t" for line in train[:4]]
    (more / "train.data.txt").write_text("\n".join(unknown + train[4:]) + "\n", encoding="utf-8")
    (more / "unlabeled.data.txt").write_text("who are you\ta friend\n" * 8, encoding="utf-8")
    chained.values["data_dir"] = str(more)
    said = chained.distill()
    metrics = chained.metrics()
    assert [link["name"] for link in metrics["links"]] == ["distilled", "alone"]
    taught, alone = (chained.metrics(name) for name in ("distilled", "alone"))
    assert taught["training"]["rows"] == alone["training"]["rows"] + 12, "no gold label, no row"
    assert metrics["alone"]["difference"] == pytest.approx(
        taught["dev"]["value"] - alone["dev"]["value"]
    )
    low, high = metrics["alone"]["interval"]
    assert low <= metrics["alone"]["difference"] <= high
    page = (chained.output / "report.html").read_text(encoding="utf-8")
    for shown in (page, said):
        assert "distilled less the same student fine-tuned alone" in shown
    taught_for, alone_for = (link["steps"] for link in metrics["links"])
    told = f"({alone_for:,} steps, not {taught_for:,}"
    assert (told in said) == (alone_for != taught_for)
    assert kept_folder(chained.output) == chained.output / "distilled" / "student"
    assert cli.main(["distill", str(chained.path)]) == 0, "finished: nothing runs again"


def shared_file(chained, name):
    """A file of the data that the chain's own values name."""
    return Path(chained.values["data_dir"]) / "chat" / name
