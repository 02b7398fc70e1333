"""Side files of a run that are damaged while it is stopped: named, and made anew where they can be."""

import json
import shutil

import pytest
import torch

from chatstill.errors import RunFailure, UserError
from chatstill.train import checkpoints
from tests.found import codes

from . import world

DAMAGE = {
    "deep": "[" * 100_000,
    "nan": '{"format": 1, "phases": {}, "train": NaN}',
    "shape": '{"format": 1, "phases": 5, "train": [], "fingerprint": 1}',
    "empty": "",
}
KNOBS = {"model_type": "KD", "theseus_scheduler": None, "teacher_cache": True}


@pytest.fixture(scope="module")
def unbroken(shared, teacher_of, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    values = world.values_for(shared / "data", folder / "out", teacher_of(), **KNOBS)
    from chatstill.run import run as pipeline

    pipeline.distill(world.loaded(values, folder), console=world.console())
    return folder / "out"


@pytest.fixture
def stopped(run, tmp_path, monkeypatch):
    """A run whose disk was full at its second checkpoint."""
    saving, calls = checkpoints.save_file, []

    def full_later(*given):
        calls.append(given)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return saving(*given)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_file", full_later)
        with pytest.raises(RunFailure, match="disk is full") as error:
            run(**KNOBS)
    assert "phase0-step000008/trained.safetensors cannot be written" in str(error.value)
    return tmp_path / "out"


def lines_of(folder, name):
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_can_be_made_anew_is(run, stopped, unbroken, kind):
    names = ("teacher_cache.json", "data_report.json", "run.json", "config.resolved.json")
    for name in names:
        (stopped / name).write_text(DAMAGE[kind], encoding="utf-8")
    with (stopped / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"{DAMAGE[kind]}\n")
    said = run(**KNOBS).text
    for name in names[:3]:
        assert f"{stopped / name} " in said, name
    for name in names:
        assert isinstance(json.loads((stopped / name).read_text(encoding="utf-8")), dict)
    report = json.loads((stopped / "data_report.json").read_text(encoding="utf-8"))
    assert report == json.loads((unbroken / "data_report.json").read_text(encoding="utf-8"))
    assert lines_of(stopped, "history.jsonl") == lines_of(unbroken, "history.jsonl")
    first, again = (world.weights_of(folder / "student") for folder in (unbroken, stopped))
    assert all(torch.equal(first[key], again[key]) for key in first)


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_record_without_a_copy_is_named_and_nothing_is_touched(run, stopped, kind):
    for name in ("run.json", ".run.json.copy"):
        (stopped / name).write_text(DAMAGE[kind], encoding="utf-8")
    before = sorted(path.name for path in stopped.rglob("*"))
    with pytest.raises(UserError) as error:
        run(**KNOBS)
    assert f"{stopped / 'run.json'} " in str(error.value) and "--fresh" in str(error.value)
    assert sorted(path.name for path in stopped.rglob("*")) == before
    text = run(fresh=True, **KNOBS).text
    assert "the old run was moved to" in text and (stopped / "student").is_dir()


def test_a_record_that_goes_while_the_run_is_at_work_is_written_again(tmp_path):
    from chatstill.train.runfolder import RunFolder

    folder = RunFolder(tmp_path / "run")
    folder.open({"x": 1}, facts={"versions": {"torch": "1"}})
    for damage in ((folder.path / "run.json").unlink, None):
        if damage is not None:
            damage()
        else:
            (folder.path / "run.json").write_text(DAMAGE["deep"], encoding="utf-8")
        folder.finish()
        record = folder.record()
        assert (record["state"], record["versions"]) == ("finished", {"torch": "1"})


def test_damaged_figures_of_a_link_are_named(tmp_path):
    from types import SimpleNamespace

    from chatstill.run.chain_results import chain_metrics

    link = SimpleNamespace(name="step1", folder=tmp_path / "step1")
    link.folder.mkdir()
    for text in DAMAGE.values():
        (link.folder / "metrics.json").write_text(text, encoding="utf-8")
        link.loaded = SimpleNamespace(config=SimpleNamespace(teacher_architectures=None))
        link.kept, link.verb, link.after = tmp_path, "distill", ()
        with pytest.raises(UserError) as error:
            chain_metrics(SimpleNamespace(links=[link]))
        assert str(link.folder / "metrics.json") in str(error.value)
        assert "chain.figures-damaged" in codes(error)


@pytest.mark.parametrize("kind", DAMAGE)
def test_verbs_that_only_read_a_run_do_without_its_damaged_files(finished, tmp_path, kind, capsys):
    from chatstill.cli import main

    copy = tmp_path / "copy"
    shutil.copytree(finished.folder, copy)
    for name in ("config.resolved.json", "metrics.json", "run.json"):
        (copy / name).write_text(DAMAGE[kind], encoding="utf-8")
    data = finished.values["data_dir"]
    arguments = ["evaluate", str(copy), "--task-name", "chat", "--data-dir", data]
    assert main(arguments) == 0
    assert "accuracy" in capsys.readouterr().out
    assert main(["glue-score", str(copy)]) == 2
    assert "holds no metrics.json of chatstill" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["..", ".", "a/b", "", 5, None])
def test_a_chain_never_leads_out_of_its_folder(tmp_path, name):
    from chatstill.disk.run_files import last_link

    values = {"links": [{"name": "step1"}, {"name": name}, {"name": "direct"}]}
    (tmp_path / "metrics.json").write_text(json.dumps(values), encoding="utf-8")
    assert last_link(tmp_path) == tmp_path / "step1"
