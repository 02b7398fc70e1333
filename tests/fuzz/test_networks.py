"""Whatever stands in a network's folder, it is loaded or refused in words."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..cases import cases
from .room import check_rest, door, listing, room
from .strategies import as_bytes, changed_json, spliced

NAMES = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")
MORE = {"id2label": {}, "num_labels": 2, "model_type": "bert", "auto_map": {}, "architectures": []}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("verb", ["predict", "check"])
def test_a_file_of_the_network_changed(template, name, verb):
    content = (template.folder / "teacher2" / name).read_bytes()
    changed = spliced(content)
    if name in ("config.json", "tokenizer_config.json"):
        values = json.loads(content)
        changed = st.one_of(spliced(content), changed_json(values, MORE).map(as_bytes))

    @cases(8, 60)
    @given(content=changed)
    def try_it(content):
        with room(template) as folder:
            Path("teacher2", name).write_bytes(content)
            Path("my.json").write_text(json.dumps(template.values), encoding="utf-8")
            before = listing(folder)
            arguments = {
                "predict": ["predict", "teacher2", "data/chat/dev.data.txt", "--output", "new"],
                "check": ["check", "my.json"],
            }[verb]
            code = door(f"{verb}, {name} changed", arguments)
            check_rest(folder, before, code, None)

    try_it()
