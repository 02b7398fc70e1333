"""Whose folder it is, what may happen to it, and what is never touched."""

import json

import pytest

from chatstill.errors import UserError
from chatstill.train.runfolder import ALSO, COVERS, RunFolder
from tests.found import told

from ..processes import run_processes

PRINT = {"learning_rate": 2e-5, "data.train": "abc"}


def message(error) -> str:
    return told(error)


def test_looking_creates_nothing(tmp_path):
    folder = RunFolder(tmp_path / "new")
    assert folder.state(PRINT) == "new"
    assert not (tmp_path / "new").exists()


def test_same_fingerprint_goes_on_and_then_is_finished(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.open(PRINT)
    assert folder.state(PRINT) == "resume"
    folder.finish()
    assert folder.state(PRINT) == "finished"


def test_other_fingerprint_is_refused_with_the_keys_that_changed(tmp_path):
    RunFolder(tmp_path / "run").open(PRINT)
    with pytest.raises(UserError) as error:
        RunFolder(tmp_path / "run").state({"learning_rate": 3e-5, "data.train": "abc"})
    assert "learning_rate: 2e-05 → 3e-05" in message(error)
    assert "data.train" not in message(error)
    assert "--fresh" in message(error)


def test_files_that_older_runs_did_not_record_do_not_make_them_other_runs(tmp_path):
    new = {**PRINT, COVERS: "all", f"teacher{ALSO}tekken.json": "a" * 64}
    old = RunFolder(tmp_path / "old")
    old.open(PRINT)
    assert old.state(new) == "resume"
    with pytest.raises(UserError, match="learning_rate"):
        old.state({**new, "learning_rate": 1})
    later = RunFolder(tmp_path / "later")
    later.open({**PRINT, COVERS: "all"})
    with pytest.raises(UserError, match=r"tekken\.json"):
        later.state(new)


def test_keys_that_a_later_version_knows_and_nobody_sets_do_not_make_another_run(tmp_path):
    old = RunFolder(tmp_path)
    old.open(PRINT)
    assert old.state({**PRINT, "method.terms.soft.pooling": None}) == "resume"
    with pytest.raises(UserError, match="pooling"):
        old.state({**PRINT, "method.terms.soft.pooling": "cls"})


def test_files_that_changed_are_named_without_their_hashes(tmp_path):
    before = {"data.train": "a" * 64, "teacher": {"model.safetensors": "b" * 64}}
    after = {"data.train": f"{'a' * 64}-{'c' * 64}", "teacher": {"model.safetensors": "d" * 64}}
    RunFolder(tmp_path / "run").open(before)
    with pytest.raises(UserError) as error:
        RunFolder(tmp_path / "run").state(after)
    assert (
        "Changed: data.train (or unlabeled.data.txt beside it): other content; teacher: other content"
        in message(error)
    )
    block = {"data.text": "query"}
    RunFolder(tmp_path / "other").open(before | block)
    with pytest.raises(UserError) as error:
        RunFolder(tmp_path / "other").state(after | block)
    assert "data.train (or data.unlabeled, or the augmented rows): other" in message(error)


def test_what_a_run_is_comes_first_and_few_differences_are_listed(tmp_path):
    RunFolder(tmp_path / "run").open({"verb": "teach"})
    other = {"verb": "distill", **{f"key{number:02}": number for number in range(20)}}
    with pytest.raises(UserError) as error:
        RunFolder(tmp_path / "run").state(other)
    said = message(error)
    assert "[run.another-configuration]" in said and '"teach"' in said and '"distill"' in said
    assert "key00" not in said and "; and 20 more" in said
    del other["verb"]
    RunFolder(tmp_path / "same").open({})
    with pytest.raises(UserError) as error:
        RunFolder(tmp_path / "same").state(other)
    said = message(error)
    assert "key07: " in said and "key08" not in said and "; and 12 more" in said


def test_fresh_moves_the_old_run_aside(tmp_path):
    first = RunFolder(tmp_path / "run")
    first.open(PRINT)
    (first.path / "student").mkdir()
    first.close()
    second = RunFolder(tmp_path / "run")
    assert second.state({"x": 1}, fresh=True) == "new"
    moved = second.open({"x": 1}, fresh=True)
    assert (moved / "student").is_dir()
    assert not (tmp_path / "run" / "student").exists()
    assert json.loads((moved / "run.json").read_text(encoding="utf-8"))["fingerprint"] == PRINT
    assert second.state({"x": 1}) == "resume"


@pytest.mark.parametrize("fresh", [False, True])
def test_folder_of_somebody_else_is_never_touched(tmp_path, fresh):
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        RunFolder(tmp_path).state(PRINT, fresh=fresh)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="is a file"):
        RunFolder(tmp_path / "file").state(PRINT)


def test_second_run_is_refused_while_the_first_one_works(tmp_path):
    first = RunFolder(tmp_path / "run")
    first.open(PRINT)

    def second(rank):
        first._release()  # a forked child holds the parent's lock
        try:
            RunFolder(tmp_path / "run").open(PRINT)
        except UserError as error:
            return str(error)
        return "opened"

    # flock belongs to the open file: a child that closes its copy does not free the parent's lock.
    assert "another run is using" in run_processes(second, 1)[0]
    first.close()
    assert RunFolder(tmp_path / "run").open(PRINT) is None


@pytest.mark.parametrize("found", ["another run", "somebody's"])
def test_what_came_while_the_plan_was_made_is_not_taken_over(tmp_path, found):
    folder = RunFolder(tmp_path / "run")
    assert folder.state(PRINT) == "new"
    if found == "another run":
        other = RunFolder(tmp_path / "run")
        other.open({"learning_rate": 3e-5})
        other.close()
    else:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "thesis.tex").write_text("years of work", encoding="utf-8")
    before = folder.record()
    with pytest.raises(UserError, match="output_dir"):
        folder.open(PRINT)
    assert folder.record() == before and folder._lock is None


def test_a_run_killed_before_its_record_is_new(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.lock").touch()
    assert RunFolder(tmp_path / "run").state(PRINT) == "new"
