"""The shipped file of the whole TinyBERT: from a pre-trained network and a teacher to the student."""

import json
from pathlib import Path

import pytest
import torch

from chatstill.config import load_chain
from chatstill.errors import UserError
from chatstill.run import chain as chains
from tests.found import codes

from . import world
from .test_masked_lm import network

EXAMPLE = Path(__file__).parents[2] / "config" / "distill.example.tinybert_general.json"
TEACHERS = ("teacher_architectures", "pretrained_architectures")


@pytest.fixture
def filled(tmp_path, teacher_of):
    """The file with its two lines filled in, on tiny networks and data."""
    values = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    folders = (teacher_of(), network(tmp_path / "pretrained"))
    for key, folder in zip(TEACHERS, folders, strict=True):
        values[key]["model_name_or_path"] = str(folder)
    values |= {
        "data_dir": str(world.write_chat(tmp_path / "data")),
        "output_dir": str(tmp_path / "out"),
        "max_seq_length": 24,
        "max_steps": 3,
    }
    values["pipeline"][0]["student_architectures"] = {"num_hidden_layers": 1}
    return values


def test_it_goes_from_general_distillation_to_the_tasks_metric(filled, tmp_path):
    path = tmp_path / "my.json"
    path.write_text(json.dumps(filled), encoding="utf-8")
    chain, where = load_chain(path, [], verb="distill"), world.console()
    chains.check_chain(chain, console=where)
    plan = world.said(where)
    assert "documents" in plan.partition("link 2 of 3")[0], "the task's texts are the corpus"
    assert "term attention" in plan and not (tmp_path / "out").exists()
    chains.distill_chain(chain, console=world.console())
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    shown = [(link["name"], link["main"], link["lower_is_better"]) for link in metrics["links"]]
    assert shown == [("general", "loss", True), ("step1", "loss", True), ("step2", "mrr", False)]
    general, step1 = (
        world.weights_of(tmp_path / "out" / name / "student") for name in ("general", "step1")
    )
    body = {name for name in general if "encoder" in name}
    assert body and body <= {name.removeprefix("bert.") for name in step1}
    moved = [name for name in sorted(body) if not torch.equal(general[name], step1[f"bert.{name}"])]
    assert moved, "step 1 trains on from the general student"


def test_alone_its_student_starts_where_the_task_began(filled, tmp_path):
    """From the general student, which no label taught: not from the teacher's layers."""
    filled["compare_alone"] = True
    path = tmp_path / "my.json"
    path.write_text(json.dumps(filled), encoding="utf-8")
    *_, alone = load_chain(path, [], verb="distill").links
    assert alone.name == "alone" and [*alone.after] == ["general"]
    block = alone.loaded.config.student_architectures
    assert Path(block.model_name_or_path) == tmp_path / "out" / "general" / "student"


def test_it_asks_for_two_networks_and_no_more(filled, tmp_path):
    for key in TEACHERS:
        filled[key]["model_name_or_path"] = f"must feed this value: {key}"
    path = tmp_path / "my.json"
    path.write_text(json.dumps(filled), encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_chain(path, [], verb="distill")
    missing = [p for p in error.value.problems if p.severity == "error"]
    assert codes(missing) == ["config.placeholder"] * 2
    assert {key for key in TEACHERS if any(key in p.message for p in missing)} == {*TEACHERS}
