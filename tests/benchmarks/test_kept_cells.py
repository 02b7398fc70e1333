"""Cells that are kept beside the tables: what comes back is what the tables read, and no more."""

import json
from types import SimpleNamespace

import pytest

import glue_cells
import kept_cells
import machine
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


def test_figures_of_before_a_teacher_was_trained_again_stay_and_so_do_its_costs(
    options, monkeypatch
):
    folder = options.work / "sst2" / "kd-1"
    cell = tested_cells.TestedCell("sst2", "teacher", 1, "teach", {}, folder)
    ran = []

    def run_cell(cell, threads):
        assert not folder.exists(), "a run begins in a new folder"
        ran.append(cell)
        write(folder / "metrics.json", f"dev, time {len(ran)}")
        write(folder.with_name("kd-1-test") / "metrics.json", f"test, time {len(ran)}")
        return 0

    monkeypatch.setattr(tested_cells, "run_cell", run_cell)
    write(folder / kept_cells.COSTS, "12 ms")
    (folder / "student").rename(options.work / "gone")
    for _ in range(2):
        assert tested_cells.bring_back([cell], 1) == 0
    kept_cells.keep(options)
    kept_cells.forget(folder)  # a second process starts meanwhile
    assert kept_cells.restore(options) == 0 and not folder.exists()
    run_cell(cell, 1)
    kept_cells.keep_costs(folder)
    names = [path.name for path in kept_cells.earlier(folder)]
    assert names == [f"kd-1-earlier-{number}" for number in (1, 2, 3)]
    assert (folder / kept_cells.COSTS).read_text() == "12 ms"

    kept_cells.keep(options)
    other = SimpleNamespace(work=options.work.with_name("other"), out=options.out, cells="few")
    kept_cells.restore(other)
    tests = [other.work / "sst2" / f"{name}-test" for name in [*names, "kd-1"]]
    told = [(test / "metrics.json").read_text() for test in tests]
    assert told == ["test of kd-1", "test, time 1", "test, time 2", "test, time 3"]


@pytest.mark.parametrize("native", [True, False])
def test_a_cell_keeps_its_name_where_bf16_is_only_emulated(options, monkeypatch, native):
    monkeypatch.setattr(machine, "has_bf16", lambda: native)
    folder = options.work / "sst2" / "teacher-1"
    cell = tested_cells.TestedCell("sst2", "teacher", 1, "teach", {"bf16": True}, folder)
    path = glue_cells.write_config(cell)
    assert path == folder.with_suffix(".json")
    assert json.loads(path.read_text()) == {"bf16": native}
