"""Whatever a file holds, it gives a configuration or problems: no other end, and nothing is created."""

import copy
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chatstill.config import Loaded, load
from chatstill.errors import UserError

from ..cases import cases, tried
from .conftest import EXAMPLE

TEXT = EXAMPLE.read_text(encoding="utf-8")
VALUES = json.loads(TEXT)
KEYS = [
    "seed",
    "model_type",
    "task_name",
    "replacing_rate",
    "note",
    "plugins",
    "method",
    "",
    "a.b",
    "{x}",
]
KEYS += [
    "train_batch_size",
    "output_dir",
    "training_arguments",
    "theseus_scheduler",
    "grouping",
    "\n",
]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["theseus", "chat", "...", "teacher", "data", "my.json", "auto", "/", "~", "~x/y"]
    ),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=6,
)
SETTINGS = cases(150, 5000)
VERBS = st.sampled_from(["distill", "teach", "check", "evaluate", "predict"])


def ends_well(path: Path, overrides: list[str], verb: str) -> None:
    before = sorted(Path().rglob("*"))
    try:
        loaded = load(path, overrides, verb=verb)
        assert isinstance(loaded, Loaded)
        json.dumps(loaded.resolved())
        tried("schema report: went through")
    except UserError as error:
        assert any(problem.severity == "error" for problem in error.problems)
        assert all(problem.place and problem.message for problem in error.problems)
        str(error).encode("utf-8")
        tried("schema report: refused")
    assert sorted(Path().rglob("*")) == before


def blocks(value: object) -> list[dict]:
    if not isinstance(value, dict):
        return []
    return [value] + [block for inner in value.values() for block in blocks(inner)]


@st.composite
def mutated(draw):
    """The example with keys dropped, renamed, given other values, or moved into other blocks."""
    values = copy.deepcopy(VALUES)
    values["teacher_architectures"]["model_name_or_path"] = "teacher"
    for _ in range(draw(st.integers(1, 4))):
        block = draw(st.sampled_from(blocks(values)))
        names = [*block, draw(st.sampled_from(KEYS))]
        key = draw(st.sampled_from(names))
        action = draw(st.sampled_from(["drop", "rename", "retype", "nest"]))
        if action == "retype" or key not in block:
            block[key] = draw(anything)
        elif action == "rename":
            block[draw(st.one_of(st.sampled_from(KEYS), st.text(max_size=8)))] = block.pop(key)
        elif action == "nest":
            block[key] = {draw(st.sampled_from(KEYS)): block[key]}
        else:
            del block[key]
    return values


@SETTINGS
@given(values=mutated(), verb=VERBS)
def test_any_change_of_the_example_ends_in_a_configuration_or_in_problems(world, values, verb):
    path = world.write(json.dumps(values, ensure_ascii=draw_ascii(values)))
    ends_well(path, [], verb)


def draw_ascii(values: dict) -> bool:
    """Lone surrogates can't be written as UTF-8: escape them."""
    try:
        json.dumps(values, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


@SETTINGS
@given(
    start=st.integers(0, len(TEXT)),
    length=st.integers(0, 40),
    middle=st.text(max_size=3),
    cut=st.booleans(),
)
def test_the_example_cut_anywhere_ends_so_too(world, start, length, middle, cut):
    text = TEXT[:start] if cut else TEXT[:start] + middle + TEXT[start + length :]
    ends_well(world.write(text), [], "distill")


@SETTINGS
@given(data=st.binary(max_size=60))
def test_any_bytes_end_so_too(world, data):
    (world.folder / "my.json").write_bytes(data)
    ends_well(Path("my.json"), [], "distill")


@SETTINGS
@given(
    key=st.one_of(st.sampled_from(KEYS + list(VALUES)), st.text(max_size=8)),
    value=st.text(max_size=12),
)
def test_any_override_ends_so_too(world, key, value):
    ends_well(world.write(), [f"{key}={value}"], "distill")
