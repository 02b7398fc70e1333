"""Whatever a configuration holds, every door ends with a result or with problems, and leaves no half."""

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chatstill.config.schema import RunKeys

from ..cases import cases
from .room import check_rest, door, listing, room
from .strategies import as_bytes, blocks, changed_json, one_key_changed, spliced

KEYS = {
    key: field.get_default(call_default_factory=True)
    for key, field in RunKeys.model_fields.items()
    if key != "max_steps"
}
KEYS |= dict.fromkeys(["successor_learning_rate", "save_steps", "eval_steps", "patience"], 1)
KEYS |= dict.fromkeys(["max_query_length", "max_reply_length", "warmup_percentage", "seed"], 1)
KEYS |= dict.fromkeys(["per_device_train_batch_size", "num_hidden_layers", "grouping", "{x}"], 1)
KEYS |= dict.fromkeys(["cache_dir", "normalize", "keep", "config_file", "successor_init"], "word")
ANSWERED = {  # what the engine would rightly do for hours
    "successor_num_train_epochs": 2,
    "gradient_accumulation_steps": 100,
}
OUTSIDE = re.compile(rb'"\s*[/~]|\.\.|\\/|\\u00(2[fF]|7[eE])')


def leaves_the_room(text: bytes) -> bool:
    """Whether a path in the text may lead out of the working directory."""
    return OUTSIDE.search(text) is not None


def too_long(values: object) -> bool:
    return any(
        isinstance(value, int | float) and not value <= ANSWERED[key]
        for block in blocks(values)
        for key, value in block.items()
        if key in ANSWERED
    )


def run_it(template, text: bytes, verb: str, kind: str) -> None:
    assume(not leaves_the_room(text))
    try:
        values = json.loads(text)
        assume(not too_long(values))
        output = values.get("output_dir") if isinstance(values, dict) else None
    except ValueError:
        output = None
    with room(template) as folder:
        (folder / "my.json").write_bytes(text)
        before = listing(folder)
        code = door(f"{verb}, {kind}", [verb, "my.json", "--set", "max_steps=2"])
        check_rest(folder, before, code, output if isinstance(output, str) else None)


@pytest.mark.parametrize("verb", ["distill", "teach", "check"])
def test_a_configuration_changed_in_its_structure(template, verb):
    @cases(12, 100)
    @given(values=changed_json(template.values, KEYS))
    def try_it(values):
        run_it(template, as_bytes(values), verb, "keys and values changed")

    try_it()


@pytest.mark.parametrize("verb", ["distill", "teach", "check"])
def test_a_configuration_with_one_other_value(template, verb):
    @cases(8, 100)
    @given(values=one_key_changed(template.values, KEYS))
    def try_it(values):
        run_it(template, as_bytes(values), verb, "one value changed")

    try_it()


@pytest.mark.parametrize("verb", ["distill", "teach", "check"])
def test_a_configuration_changed_at_any_byte(template, verb):
    content = as_bytes(template.values)

    @cases(30, 100)
    @given(text=spliced(content))
    def try_it(text):
        run_it(template, text, verb, "bytes changed")

    try_it()


@pytest.mark.parametrize("verb", ["evaluate", "predict"])
def test_a_configuration_for_a_finished_network(template, verb):
    file = ["data/chat/dev.data.txt"] if verb == "predict" else []

    @cases(25, 200)
    @given(values=changed_json(template.values, KEYS), network=st.sampled_from(["teacher2", "no"]))
    def try_it(values, network):
        text = as_bytes(values)
        assume(not leaves_the_room(text))
        with room(template) as folder:
            (folder / "my.json").write_bytes(text)
            before = listing(folder)
            target = ["--output", "new"]
            code = door(
                f"{verb}, keys and values changed",
                [verb, network, *file, "--config", "my.json", *target],
            )
            check_rest(folder, before, code, None)
            assert (folder / "new").exists() == (code == 0)

    try_it()
