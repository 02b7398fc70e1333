"""The pages of the package's networks name every key of their block, with its default."""

import json

import pytest

from chatstill.methods.bilm import Config
from chatstill.models.networks import network

from .pages import names, section, table

PAGES = {"static": "static_students", "bilstm": "rnn_students", "elmo": "elmo"}
OF_WORDS = {"segmenter", "user_dictionary", "min_count", "max_words"}


@pytest.mark.parametrize("kind", PAGES)
def test_every_key_of_a_network(kind):
    rows = table(section(f"docs/{PAGES[kind]}.md", "Keys of `network`"))
    listed = {names(row[0])[0]: row[1] for row in rows}
    fields = {key: one for key, one in network(kind).Block.model_fields.items() if key != "note"}
    left_out = set() if kind == "static" else OF_WORDS
    assert {*listed} == {*fields} - left_out
    for key, default in listed.items():
        if default.startswith("`"):
            assert json.loads(names(default)[0]) == fields[key].default, key


def test_every_key_of_a_bidirectional_language_model():
    listed = {names(row[0])[0]: row for row in table(section("docs/elmo.md", "Keys of `bilm`"))}
    fields = {key: one for key, one in Config.model_fields.items() if key != "note"}
    assert {*listed} == {*fields}
    for key, row in listed.items():
        shown = json.loads(names(row[1] or row[2])[0])
        default = fields[key].default
        assert shown == json.loads(json.dumps(default)), key


def test_the_keys_of_ltd_bert_are_those_of_the_bilstm_and_its_own():
    own = [row for row in table(section("docs/rnn_students.md", "LTD-BERT")) if row[1]]
    fields = {key: one for key, one in network("ltd").Block.model_fields.items() if key != "note"}
    listed = {names(row[0])[0]: row[1] for row in own}
    of_network = {"pooling", "idf", "unknown_idf"}
    assert of_network <= {*listed}
    assert {*fields} == {*network("bilstm").Block.model_fields} - {"note"} | of_network | {
        "vector_width"
    }
    for key in of_network:
        assert json.loads(names(listed[key])[0]) == fields[key].default, key
