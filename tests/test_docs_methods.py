"""docs/methods.md names every key of a term, every method file and every layer map, as they are."""

import json

from chatstill import lookup
from chatstill.config.schema import Architecture, StudentArchitecture
from chatstill.features.layer_map import MATCH_TYPES, describe_pairs, match_layers
from chatstill.methods.matches import Config, Matches
from chatstill.terms.keys import OldKeys
from chatstill.terms.rows import LOSSES, Match, Row

from .pages import fences, names, section, table

PAGE, TITLE = "docs/methods.md", "Methods with a teacher beside the student"


def test_every_key_of_a_term():
    rows = table(section(PAGE, "Terms"))
    keys = rows[: next(n for n, row in enumerate(rows) if row[0] == "`linear`")]
    assert {names(row[0])[0] for row in keys} == {*Row.model_fields} - {"note"}
    losses = next(row[2] for row in keys if row[0] == "`loss`")
    assert {*names(losses)} == {*LOSSES} | {loss for own in LOSSES.values() for loss in own}


def test_layer_maps_and_their_example():
    below = table(section(PAGE, "Terms"))[len(Row.model_fields) - 1 :]
    rows = {names(row[0])[0]: row for row in below}
    listed = {name for row in rows.values() for name in names(row[0])}
    assert listed == {*MATCH_TYPES}
    for kind, row in rows.items():
        assert row[2].split(";")[0] == describe_pairs(match_layers(kind, 3, 6)), kind


def test_keys_of_existing_files():
    listed = {
        name for row in table(section(PAGE, "Keys of existing files")) for name in names(row[0])
    }
    assert listed == {*OldKeys.model_fields}


def test_the_files_of_terms():
    listed = {names(row[0])[0]: names(row[1])[0] for row in table(section(PAGE, TITLE))}
    files = {
        name: file.path.name
        for name, file in lookup.method_files().items()
        if issubclass(lookup.method(file.method), Matches)
    }
    assert listed == files


def test_keys_of_the_student():
    listed = {names(row[0])[0] for row in table(section(PAGE, "The student"))}
    of_any_network = listed & {*Architecture.model_fields}
    assert of_any_network == {"model_name_or_path", "config_file", "num_hidden_layers"}
    assert listed - of_any_network == {*StudentArchitecture.model_fields} - {
        *Architecture.model_fields
    }


def test_examples_load():
    blocks = [json.loads(text) for text in fences(PAGE, "json")]
    assert len(blocks) == 3
    for block in blocks:
        knobs = {key: block[key] for key in ("terms", "matches", "level") if key in block}
        if knobs:
            config = Config.model_validate_json(json.dumps(knobs), strict=True)
            assert set(config.rows()) == {"soft", "top", "hidden_states_mse_1_2"}
    assert Match.model_fields.keys() - Row.model_fields.keys() == {"student_layer", "teacher_layer"}
    assert Matches.block in section(PAGE, "Keys of existing files")
