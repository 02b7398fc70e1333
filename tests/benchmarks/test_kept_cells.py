"""Cells that are kept beside the tables: what comes back is what the tables read, and no more."""

from types import SimpleNamespace

import pytest

import kept_cells
import tested_cells


def at(folder, out="out", cells="few"):
    return SimpleNamespace(work=folder / "work", out=folder / out, cells=cells)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def options(tmp_path):
    """A finished cell, a chain, one that is not finished, and one that keeps a file of its own."""
    work = tmp_path / "work" / "sst2"
    for name in ("kd-1", "tiny-1", "half-1"):
        write(work / f"{name}.json", "{}")
        write(work / name / "metrics.json", f"dev of {name}")
        write(work / name / "student" / "model.safetensors", "large")
    for name in ("kd-1", "tiny-1"):
        write(work / f"{name}-test" / "metrics.json", f"test of {name}")
        write(work / f"{name}-test" / "predictions.tsv", "0.5")
    write(work / "tiny-1" / "step2" / "metrics.json", "dev of the last link")
    write(work / "kd-1.record.json", '{"seconds": 3}')
    write(work / "own-1.cell.json", '{"map": 1}')
    return at(tmp_path)


def test_finished_cells_come_back_without_their_networks(options, tmp_path):
    assert kept_cells.keep(options) == 3 and kept_cells.keep(options) == 0
    names = sorted(path.name for path in (tmp_path / "out" / "cells" / "few").iterdir())
    assert names == [f"sst2--{name}-1.tar.xz" for name in ("kd", "own", "tiny")]
    other = SimpleNamespace(work=tmp_path / "other", out=options.out, cells="few")
    assert kept_cells.restore(other) == 9 and kept_cells.restore(other) == 0
    for path in other.work.rglob("*"):
        if path.is_file():
            assert path.read_text() == (options.work / path.relative_to(other.work)).read_text()
    assert (other.work / "sst2" / "tiny-1" / "step2" / "metrics.json").is_file()
    assert not list(other.work.rglob("*.safetensors"))


def test_a_changed_cell_is_packed_anew_and_what_is_there_stays(options):
    kept_cells.keep(options)
    write(options.work / "sst2" / "kd-1" / "metrics.json", "dev, again")
    assert kept_cells.keep(options) == 1
    write(options.work / "sst2" / "kd-1" / "metrics.json", "newer")
    assert kept_cells.restore(options) == 0
    assert (options.work / "sst2" / "kd-1" / "metrics.json").read_text() == "newer"


def test_a_benchmark_that_reads_networks_keeps_nothing(options, tmp_path):
    options.cells = None
    assert kept_cells.keep(options) == kept_cells.restore(options) == 0
    assert not (tmp_path / "out").exists()


def test_a_teacher_without_its_network_is_trained_again(options, monkeypatch):
    ran = []
    monkeypatch.setattr(
        tested_cells, "run_cell", lambda cell, threads: ran.append(cell.folder) or 0
    )
    folder = options.work / "sst2" / "kd-1"
    cell = tested_cells.TestedCell("sst2", "teacher", 1, "teach", {}, folder)
    assert tested_cells.bring_back([cell], 1) == 0 and not ran, "a network is there"
    (folder / "student").rename(folder / "gone")
    assert tested_cells.bring_back([cell], 1) == 0 and ran == [folder]
    assert not tested_cells.is_done(cell)
    assert tested_cells.bring_back([], 1) == 0
