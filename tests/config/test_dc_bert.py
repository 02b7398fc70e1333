"""The block of DC-BERT in a user's file: what works as it stands, what is said of what does not."""

import json

import pytest

from chatstill.config.chain import load_chain
from chatstill.methods.dc_bert import Config
from tests.found import refused
from tests.pages import fences, names, section, table

KEY = "dc_bert_model_config"
PAGE = "docs/dc_bert.md"


@pytest.fixture
def dc(world):
    """The example file with another ``model_type``, and nothing else changed."""
    world.values["model_type"] = "dc-bert"
    return world


def test_the_example_file_works_with_model_type_changed(dc):
    loaded = dc.load()
    assert loaded.config.method_name == "dc_bert"
    assert loaded.config.method.last_layer_model_type == "transformer"
    assert loaded.config.method.copy_from_bert_layer_num == -1
    assert loaded.warnings == []


@pytest.mark.parametrize("name", ["DC-BERT", "DcBert", "dc_bert", "dcbert", "Decoupled-BERT"])
def test_its_name_is_known_in_any_spelling(dc, name):
    dc.values["model_type"] = name
    assert dc.load().config.model_type == "dc-bert"


def test_without_the_block_one_error_prints_it(dc):
    del dc.values[KEY]
    (problem,) = dc.problems()
    assert problem.message == (
        "the block 'dc_bert_model_config' is missing, which the method 'dc-bert' needs."
    )
    dc.values |= json.loads("{" + problem.hint.partition("\n")[2] + "}")
    assert dc.load().config.method.last_layer_model_type == "transformer"


@pytest.mark.parametrize("value", [None, True, False, "last", "-1", 1.5, [1]])
def test_what_is_no_layer_is_told_with_the_range(dc, value):
    dc.values[KEY]["copy_from_bert_layer_num"] = value
    (problem,) = dc.problems()
    assert problem.place == dc.place("copy_from_bert_layer_num")
    assert problem.message == (
        "'dc_bert_model_config.copy_from_bert_layer_num': must be a whole number: a layer of the teacher "
        f"from 0, or -1 for its last back to -N of N layers; found {json.dumps(value)}."
    )


def test_all_faults_of_the_block_come_at_once(dc):
    dc.values[KEY] |= {
        "num_interaction_layers": 0,
        "shared_encoder": "yes",
        "temperature": 0,
        "weight_soft": -1,
        "two_towers": 1,
        "interaction": "both",
        "document_width": 0,
        "last_layer_model_type": 3,
    }
    report = dc.report()
    for message in (
        "'dc_bert_model_config.num_interaction_layers' must be at least 1, found the number 0.",
        "'dc_bert_model_config.shared_encoder' must be true or false, found the text \"yes\".",
        "'dc_bert_model_config.temperature' must be above 0, found the number 0.",
        "'dc_bert_model_config.weight_soft' must be at least 0, found the number -1.",
        '\'dc_bert_model_config.interaction\' must be "both_ways" or "one_way", found the text "both".',
        "'dc_bert_model_config.document_width' must be at least 1, found the number 0.",
        "unknown key 'two_towers' in dc_bert_model_config.",
        "Did you mean 'two_tower'?",
        "'dc_bert_model_config.last_layer_model_type' must be text in quotes, found the number 3.",
    ):
        assert message in report


def test_something_has_to_train_the_outputs(dc):
    dc.values[KEY] |= {"weight_hard": 0}
    (problem,) = dc.problems()
    assert "weight_hard and weight_soft are both 0: nothing trains the logits." in problem.message
    dc.values[KEY] |= {"weight_soft": 1}
    assert not dc.load().method_class.all_labelled(dc.load().config.method)


def test_as_the_type_of_a_student_it_names_the_method(dc):
    dc.values["model_type"] = "KD"
    dc.values["student_architectures"] = {"model_type": "DC-BERT"}
    (problem,) = [p for p in dc.problems() if p.severity == "error"]
    assert problem.code == "network.made-by-a-method" and "'dc-bert'" in problem.message
    assert problem.hint.startswith('Set "model_type": "dc-bert" at the top')


def test_a_built_in_form_names_no_file_and_another_does(dc):
    method = dc.load().method_class
    assert method.files(dc.load().config.method, ["mine.py"]) == {}
    dc.values[KEY]["last_layer_model_type"] = "MaxSim"
    config = dc.load().config.method
    assert list(method.files(config, ["mine.py"]).values()) == ["mine.py"]
    (dc.folder / "models").mkdir()
    (dc.folder / "models" / "dc_bert.py").write_text("", encoding="utf-8")
    assert list(method.files(config, [])) == ["last_layer_model_type.0"]


def test_the_page_names_every_key_with_its_default():
    rows = table(section(PAGE, f"Keys of `{KEY}`"))
    listed = {names(row[0])[0]: json.loads(names(row[1])[0]) for row in rows}
    fields = {key: field.default for key, field in Config.model_fields.items() if key != "note"}
    assert listed == fields


def test_the_configuration_of_the_page_is_one(dc):
    (text,) = fences(PAGE, "json")
    block = json.loads(text)
    dc.values |= {key: block[key] for key in ("model_type", KEY)}
    assert dc.load().warnings == []


def test_alone_it_is_the_same_network_without_the_teachers_labels(dc):
    dc.values["compare_alone"] = {"learning_rate": 1e-4}
    with refused("chain.nothing-to-compare-alone"):
        load_chain(dc.write(), [], verb="distill")
    dc.values[KEY] |= {"weight_soft": 0.5, "shared_encoder": True}
    taught, alone = (
        link.loaded.config for link in load_chain(dc.write(), [], verb="distill").links
    )
    assert (taught.model_type, alone.model_type) == ("dc-bert", "dc-bert")
    assert (taught.method.weight_soft, alone.method.weight_soft) == (0.5, 0)
    assert alone.method.shared_encoder and alone.learning_rate == 1e-4
