"""A checkpoint is complete or absent, whatever happens while it is written."""

import os
import signal

import pytest

from chatstill.train.checkpoints import CheckpointStore, damage_of, publish_folder

from ..processes import run_processes


def write(text):
    def inside(folder):
        (folder / "sub").mkdir()
        (folder / "a.bin").write_bytes(text.encode() * 1000)
        (folder / "sub" / "b.bin").write_bytes(text.encode())

    return inside


def test_published_folder_is_as_written(tmp_path):
    publish_folder(tmp_path / "phase0-step000002", write("x"))
    assert damage_of(tmp_path / "phase0-step000002") is None


@pytest.mark.parametrize("fault", ["cut", "flip", "remove", "no manifest", "broken manifest"])
def test_damage_is_seen(tmp_path, fault):
    target = tmp_path / "phase0-step000002"
    publish_folder(target, write("x"))
    file = target / "a.bin"
    if fault == "cut":
        os.truncate(file, 10)
    elif fault == "flip":
        file.write_bytes(b"y" + file.read_bytes()[1:])
    elif fault == "remove":
        (target / "sub" / "b.bin").unlink()
    elif fault == "no manifest":
        (target / "manifest.json").unlink()
    else:
        (target / "manifest.json").write_text("[1,", encoding="utf-8")
    assert damage_of(target)


def test_failure_while_writing_leaves_the_old_one(tmp_path):
    target = tmp_path / "phase0-step000002"
    publish_folder(target, write("x"))

    def failing(folder):
        write("y")(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        publish_folder(target, failing)
    assert damage_of(target) is None
    assert (target / "a.bin").read_bytes().startswith(b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["phase0-step000002"]


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "rename2"])
def test_killed_inside_a_save(tmp_path, call):
    """SIGKILL at every kind of moment: what is found afterwards is whole, and the rest is cleaned."""
    store = CheckpointStore(tmp_path)
    publish_folder(store.path(0, 1), write("x"))

    def dying(rank):
        import pathlib

        from chatstill.train import checkpoints

        def die(*_args, **_kwargs):
            os.kill(os.getpid(), signal.SIGKILL)

        inside = write("y")
        if call == "write":

            def inside(folder):
                write("y")(folder)
                die()

        elif call == "fsync":
            checkpoints.sync = die
        else:
            rename, left = pathlib.Path.rename, [1 if call == "rename" else 2]

            def counting(self, target):
                left[0] -= 1
                if not left[0]:
                    die()
                return rename(self, target)

            pathlib.Path.rename = counting
        publish_folder(store.path(0, 1), inside)

    with pytest.raises((AssertionError, EOFError)):
        run_processes(dying, 1)
    store.clean()
    newest, lines = store.newest()
    assert newest is not None
    assert newest.step == 1
    assert not lines
    assert [p.name for p in tmp_path.iterdir()] == ["phase0-step000001"]


def test_newest_prefers_a_finished_phase_and_later_steps(tmp_path):
    store = CheckpointStore(tmp_path)
    for name in ("phase0-step000009", "phase0-done", "phase1-step000002", "phase1-best000001"):
        publish_folder(tmp_path / name, write("x"))
    assert [(c.phase, c.done, c.step) for c in store.all()] == [
        (0, False, 9),
        (0, True, 0),
        (1, False, 2),
    ]
    assert store.newest()[0].path.name == "phase1-step000002"


def test_rotation_keeps_the_newest_and_the_best(tmp_path):
    store = CheckpointStore(tmp_path, limit=2)
    for step in (1, 2, 3):
        publish_folder(store.path(0, step), write("x"))
        publish_folder(store.path(0, step, best=True), write("x"))
    store.rotate({store.path(0, 1, best=True)})
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "phase0-best000001",
        "phase0-step000002",
        "phase0-step000003",
    ]


def test_rotation_removes_what_is_newer_than_the_checkpoint_just_saved(tmp_path):
    """Step 8 was damaged and the run went on from 6: it must not push out what is good."""
    store = CheckpointStore(tmp_path, limit=1)
    for step in (6, 7, 8):
        publish_folder(store.path(0, step), write("x"))
    store.rotate(set(), saved=store.path(0, 7))
    assert [p.name for p in tmp_path.iterdir()] == ["phase0-step000007"]


def test_a_checkpoint_that_builds_on_a_damaged_phase_is_skipped(tmp_path):
    store = CheckpointStore(tmp_path)
    for name in ("phase0-step000009", "phase0-done", "phase1-step000002"):
        publish_folder(tmp_path / name, write("x"))
    os.truncate(tmp_path / "phase0-done" / "a.bin", 3)
    newest, lines = store.newest()
    assert newest.path.name == "phase0-step000009"
    assert [("phase1-step000002" in line, "phase0-done" in line) for line in lines] == [
        (True, True),
        (False, True),
    ]


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_a_damaged_selection_names_no_best_weights(tmp_path, text):
    store = CheckpointStore(tmp_path)
    for step, content in ((4, '{"best_step": 2}'), (8, text)):
        store.path(0, step).mkdir()
        (store.path(0, step) / "selection.json").write_text(content, encoding="utf-8")
    assert store.best_paths(0, 6) == {store.path(0, step, best=True) for step in (2, 6)}
