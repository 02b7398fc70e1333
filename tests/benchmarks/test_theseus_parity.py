"""The table beside the authors' loop: what is planned, both kinds of cells on a tiny network, the table."""

import json
from pathlib import Path

import pytest
import torch
from tests.draws import reseeded
from tests.path.world import build_network, write_stsb

import glue_cells
import theseus_parity
import theseus_theirs


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(glue_cells, "model_folder", lambda: tmp_path / "minilm" / "model")


def options(tmp_path: Path, *more: str):
    base = ["--work", str(tmp_path / "work"), "--data", str(tmp_path)]
    return theseus_parity.parse([*base, "--out", str(tmp_path / "out"), *more])


def finish(cell: glue_cells.Cell, value: float) -> None:
    """Writes what a cell would."""
    cell.folder.mkdir(parents=True)
    metric = {"stsb": "corr", "mrpc": "acc_and_f1"}[cell.task]
    if cell.arm in theseus_parity.VARIANTS:
        figures = {"dev": {metric: value}, "distance": 2.0}
        theseus_parity.figures_of(cell).write_text(json.dumps(figures), encoding="utf-8")
        return
    metrics = {
        "dev": {"value": value, "main": metric, "metrics": {metric: value}, "rows": 9},
        "training": {"rows": 9},
        "kept": {"text": "best"},
        "model": {"parameters": 5},
    }
    (cell.folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")


def test_all_cells_differ_and_share_their_task_s_teacher(tmp_path):
    cells = theseus_parity.plan(options(tmp_path))
    assert len({cell.folder for cell in cells}) == len(cells)
    students = [cell for cell in cells if cell.arm in theseus_parity.VARIANTS]
    for task in ("stsb", "mrpc"):
        own = [cell for cell in students if cell.task == task]
        assert (
            len({cell.config["teacher_architectures"]["model_name_or_path"] for cell in own}) == 1
        )
        for variant in theseus_parity.SEVERAL_SEEDS:
            assert sorted(c.seed for c in own if c.arm == variant) == [1, 2, 3]
    assert {cell.arm for cell in students} == set(theseus_parity.VARIANTS)
    assert {cell.config["keep"] for cell in students} == {"last"}
    words = {switch for name in theseus_parity.VARIANTS for switch in name.split()[1:]}
    assert words == {*theseus_parity.ENGINE_SWITCHES, *theseus_theirs.SWITCHES}


def test_the_table_of_half_the_cells_is_partial(tmp_path):
    cells = theseus_parity.plan(options(tmp_path, "--tasks", "stsb"))
    for number, cell in enumerate(cells[:4]):
        finish(cell, 0.8 + number / 100)
    text = theseus_parity.write(cells, tmp_path / "out")
    assert "**PARTIAL: missing are stsb engine seed 2" in text
    assert "| engine | 81.0 | 81.0 | 2.00 |" in text
    assert str(tmp_path) not in text
    assert (tmp_path / "out" / "theseus_parity.md").read_text(encoding="utf-8") == text
    for cell in cells[4:]:
        finish(cell, 0.9)
    assert "PARTIAL" not in theseus_parity.write(cells, tmp_path / "out")


def test_a_task_run_by_itself_leaves_the_other_s_figures(tmp_path):
    out = tmp_path / "out"
    for task, value in (("mrpc", 0.7), ("stsb", 0.8)):
        cells = theseus_parity.plan(options(tmp_path, "--tasks", task))
        for cell in cells[:2]:
            finish(cell, value)
        text = theseus_parity.write(cells, out)
        assert theseus_parity.write(cells, out) == text, "once"
    stsb, mrpc = text.split("## MRPC")
    assert "| teacher | 80.0 |" in stsb and "| teacher | 70.0 |" in mrpc
    assert "stsb engine seed 2" in text and "mrpc engine seed 2" in text
    assert stsb.count("device") == mrpc.count("device") == 1


@pytest.fixture
def config(tmp_path: Path) -> dict:
    """Of a cell on a tiny world: 48 rows, two epochs of 6 steps."""
    teacher = build_network(tmp_path / "teacher", layers=6, outputs=1)
    (cell,) = [
        cell
        for cell in theseus_parity.plan(options(tmp_path, "--tasks", "stsb", "--seeds", "1"))
        if cell.arm == "plain"
    ]
    return {
        **cell.config,
        "data_dir": str(write_stsb(tmp_path)),
        "output_dir": str(tmp_path / "cell"),
        "teacher_architectures": {"model_name_or_path": str(teacher)},
        "per_gpu_train_batch_size": 8,
        "max_seq_length": 32,
        "num_train_epochs": 2,
        "allow_weak_teacher": True,
        "seed": reseeded(1),
    }


@pytest.mark.parametrize("variant", ["plain", "plain clipping-ours", "plain rows-ours", "engine"])
def test_a_cell_writes_its_figures(tmp_path, config, variant):
    path = tmp_path / "cell.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    assert theseus_parity.run_child(path, variant) == 0
    found = json.loads(path.with_suffix(".figures.json").read_text(encoding="utf-8"))
    assert {"pearson", "spearmanr", "corr"} == found["dev"].keys()
    assert found["distance"] > 0


def test_their_loop_trains_the_successors_alone(tmp_path, config, monkeypatch):
    """And every parameter has a gradient, which counts in the norm."""
    built, norms = [], []
    build = theseus_theirs.build
    monkeypatch.setattr(theseus_theirs, "build", lambda f: built.append(build(f)) or built[0])

    def watched(parameters, limit):
        norms.append(sum(p.grad is not None for p in parameters))
        return torch.tensor(0.0)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", watched)
    theseus_theirs.train(config, 1, [], tmp_path / "out.json")
    model, successors, modules = built[0]
    start, _, _ = build(config["teacher_architectures"]["model_name_or_path"])
    before, own = dict(start.named_parameters()), {id(p) for p in successors.parameters()}
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) != (id(parameter) in own), name
    assert max(norms) > len(own)
    assert [module.rate for module in modules] == [1.0] * 3
