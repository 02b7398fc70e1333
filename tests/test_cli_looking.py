"""The verbs that look: lists on a terminal and without one, and the schema as a file."""

import json

import pytest
from rich.console import Console

from chatstill import cli, lookup
from chatstill.cli import lists
from chatstill.tasks import every_name


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_lists_without_a_terminal_are_plain_lines_with_tabs(capsys):
    assert cli.main(["list"]) == 0
    blocks = capsys.readouterr().out.strip().split("\n\n")
    assert [block.split("\n")[0] for block in blocks] == ["tasks", "methods", "students"]
    rows = [[line.split("\t") for line in block.split("\n")[1:]] for block in blocks]
    assert {row[0] for row in rows[0]} == {*every_name(), "any other"}
    assert ["chat", "no_match, match", "mrr", "data/chat/train.data.txt"] in rows[0]
    assert {row[0] for row in rows[1]} == {*lookup.method_files(), "finetune"}
    assert [row[0] for row in rows[2]][:2] == ["sequence-classification", "qa"]


def test_one_list_has_no_heading(capsys):
    assert cli.main(["list", "methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "methods" not in lines and any(line.startswith("theseus-bert\t") for line in lines)
    assert cli.main(["list", "method"]) == 2
    assert "must be tasks, methods or students. Did you mean methods?" in capsys.readouterr().err


def test_a_terminal_gets_tables(tmp_path):
    console = Console(force_terminal=True, width=100, record=True, file=open(tmp_path / "out", "w"))
    lists.show(console, ("methods",), ())
    text = console.export_text()
    assert "model_type" in text and "theseus_scheduler" in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 100


def test_plugins_are_listed(elsewhere, capsys):
    (elsewhere / "own.py").write_text(
        "class T:\n    task_name = 'mine'\n    def get_labels(self): return ['a', 'b']\n"
        "    get_train_examples = get_dev_examples = print\n",
        encoding="utf-8",
    )
    assert cli.main(["list", "tasks", "--plugin", "own.py"]) == 0
    assert "mine\ta, b\taccuracy\town.py" in capsys.readouterr().out
    assert cli.main(["list", "--plugin", "nowhere.py"]) == 2
    assert "there is none of that name" in capsys.readouterr().err


def test_the_schema_goes_to_standard_output_or_to_a_file_that_is_a_schema(elsewhere, capsys):
    assert cli.main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert "theseus_scheduler" in schema["properties"]
    for _ in range(2):  # an older schema may be replaced
        assert cli.main(["schema", "--output", "s.json"]) == 0
    assert json.loads((elsewhere / "s.json").read_text("utf-8")) == schema
    (elsewhere / "mine.json").write_text("{}", encoding="utf-8")
    capsys.readouterr()
    assert cli.main(["schema", "--output", "mine.json"]) == 2
    assert "mine.json exists and holds no schema" in capsys.readouterr().err
    assert cli.main(["schema", "--method-file"]) == 0
    assert json.loads(capsys.readouterr().out)["required"] == ["model_type"]
