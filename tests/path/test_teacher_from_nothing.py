"""A teacher from random weights and a vocabulary, as docs/choosing.md has it."""

import json

import pytest

from chatstill import cli

from ..pages import ROOT, files_of
from . import world

PAGE = "docs/choosing.md"
TINY = {"vocab_size": len(world.PIECES), "num_hidden_layers": 2, "hidden_size": 16}
TINY |= {"num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 64}


@pytest.fixture
def small(shared, tmp_path, monkeypatch):
    """The page's files, of a smaller network, beside the data."""
    monkeypatch.chdir(tmp_path)
    files = {name: json.loads(text) for name, text in files_of(PAGE).items()}
    assert set(files) == {"small/config.json", "teach.json"}
    (tmp_path / "small").mkdir()
    shape = files["small/config.json"] | TINY
    assert set(files["small/config.json"]) == set(shape)
    (tmp_path / "small" / "config.json").write_text(json.dumps(shape), encoding="utf-8")
    (tmp_path / "small" / "vocab.txt").write_text("\n".join(world.PIECES) + "\n", encoding="utf-8")
    teach = files["teach.json"] | {"data_dir": str(shared / "data"), "max_seq_length": 32}
    (tmp_path / "teach.json").write_text(json.dumps(teach), encoding="utf-8")
    return tmp_path


def test_the_page_s_teacher_learns_and_can_teach(small, capsys):
    assert cli.main(["teach", "teach.json"]) == 0
    said = capsys.readouterr().out
    assert "usual for random weights, 16 wide" in said
    metrics = json.loads((small / "output_teacher" / "metrics.json").read_text("utf-8"))
    assert metrics["dev"]["metrics"]["auc"] > 0.8
    assert cli.main(["evaluate", "output_teacher"]) == 0


@pytest.mark.parametrize("named", ["small", "small/vocab.txt"])
def test_init_leads_there_from_a_folder_without_weights(small, shared, capsys, named):
    assert cli.main(["init", str(shared / "data"), named]) == 2
    said = capsys.readouterr().err
    assert PAGE in said and "A teacher from random weights" in said
    assert "## A teacher from random weights\n" in (ROOT / PAGE).read_text("utf-8")


def test_teach_leads_there_too(small, capsys):
    assert (
        cli.main(["teach", "teach.json", "--set", "teacher_architectures.model_name_or_path=small"])
        == 2
    )
    assert PAGE in capsys.readouterr().err
