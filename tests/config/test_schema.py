"""The JSON Schema for editors: it takes every example file and marks what the check would refuse."""

import json
import re

import pytest

from chatstill.config.jsonschema import method_file_schema, run_schema
from chatstill.config.schema import RunKeys

from ..pages import READMES, ROOT, fences
from .conftest import EXAMPLE

jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture(scope="module")
def schema():
    return run_schema()


def faults(schema, values):
    validator = jsonschema.Draft202012Validator(schema)
    return [
        f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(values)
    ]


def test_it_is_a_schema(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator.check_schema(method_file_schema())


def test_every_key_has_a_description(schema):
    blocks = {"": schema, **schema["$defs"]}
    blocks |= {key: part for key, part in schema["properties"].items() if "properties" in part}
    bare = [
        f"{name}.{key}"
        for name, block in blocks.items()
        if name != "training_arguments"
        for key, part in block["properties"].items()
        if not part.get("description")
    ]
    assert {*RunKeys.model_fields} <= schema["properties"].keys()
    assert not bare, "describe them under 'Attributes:' in the docstring of their class"


def test_the_example_file_fits(schema):
    values = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert faults(schema, values) == []
    assert faults(schema, {"$schema": "chatstill.schema.json", **values}) == []


def runs():
    """Every configuration in the documentation, with its page; plugins have keys of their own."""
    pages = [*READMES, *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
    for page in pages:
        for number, block in enumerate(fences(page, "json")):
            values = json.loads(block)
            if isinstance(values, dict) and ("task_name" in values or "output_dir" in values):
                if page != "docs/extending.md":
                    yield pytest.param(values, id=f"{page}-{number}")


@pytest.mark.parametrize("values", runs())
def test_the_examples_of_the_documentation_fit(values, schema):
    assert faults(schema, values) == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "config" / "models_config").glob("*.json")), ids=lambda p: p.name
)
def test_method_files_fit(path):
    assert faults(method_file_schema(), json.loads(path.read_text(encoding="utf-8"))) == []


MARKED = {
    "an unknown key": ({"learning_rat": 1}, "'learning_rat' was unexpected"),
    "text for a number": ({"seed": "7"}, "seed: '7' is not of type 'integer'"),
    "out of its range": ({"max_grad_norm": -1}, "max_grad_norm: -1 is less than"),
    "an unknown knob": (
        {"theseus_scheduler": {"rate": 1}},
        "theseus_scheduler: .*'rate' was unexp",
    ),
    "a knob out of its range": ({"theseus_scheduler": {"replacing_rate": 2}}, "2 is greater than"),
    "a key of the engine": ({"training_arguments": {"output_dir": "x"}}, "'output_dir' was unexp"),
    "another word": ({"truncation_side": "up"}, "truncation_side: 'up' is not one of"),
    "inside a pipeline": ({"pipeline": [{"seed": "7"}]}, "pipeline.0.seed: '7' is not of type"),
}


@pytest.mark.parametrize("kind", MARKED)
def test_what_the_check_refuses_is_marked(kind, schema):
    values, message = MARKED[kind]
    assert re.search(message, "\n".join(faults(schema, values)))


def test_names_are_offered(schema):
    offered = schema["properties"]["model_type"]["anyOf"][0]["enum"]
    assert {"theseus-bert", "theseus"} <= {*offered}
    assert "sst2" in schema["properties"]["task_name"]["anyOf"][0]["enum"]
    kinds = schema["$defs"]["Architecture"]["properties"]["model_type"]["anyOf"][0]["enum"]
    assert {"qa", "sequence-classification", "bert"} <= {*kinds}


def test_plugins_add_their_block_and_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    method, _ = fences("docs/extending.md", "python")
    (tmp_path / "smooth.py").write_text(method, encoding="utf-8")
    text = "class T:\n    task_name = 'own'\n    get_labels = get_dev_examples = get_train_examples = print\n"
    (tmp_path / "own.py").write_text(text, encoding="utf-8")
    schema = run_schema(["smooth.py", "own.py"])
    assert faults(schema, {"smoothing": {"amount": 0.5}}) == []
    assert "1 is greater" in faults(schema, {"smoothing": {"amount": 1}})[0]
    assert "own" in schema["properties"]["task_name"]["anyOf"][0]["enum"]
    assert "smooth" in schema["properties"]["model_type"]["anyOf"][0]["enum"]
