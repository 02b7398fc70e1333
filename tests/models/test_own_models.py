"""Models of a user's own file: known by their model_type, faults by file and line; ``qa`` heads."""

import json
from types import SimpleNamespace

import pytest
import torch
from tests.found import holds, refused

from chatstill.errors import UserError
from chatstill.models.custom import own_type, register
from chatstill.models.load import load_classifier, load_config
from chatstill.registry.model_types import borrowed_types, built_in, own_models

HEAD = """
import torch
from torch import nn
from transformers import BertConfig, BertPreTrainedModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

class Config(PreTrainedConfig):
    model_type = "NAME"
    def __init__(self, vocab_size=20, width=4, **more):
        self.vocab_size, self.width = vocab_size, width
        super().__init__(**more)

class Model(PreTrainedModel):
    config_class = Config
    def __init__(self, config):
        super().__init__(config)
        self.words = nn.Embedding(config.vocab_size, config.width)
        self.head = nn.Linear(config.width, config.num_labels)
        self.post_init()
    def forward(self, input_ids, attention_mask):
        return SequenceClassifierOutput(logits=self.head(self.words(input_ids).mean(1)))
"""


def block(**values):
    empty = dict.fromkeys(
        ("model_type", "model_name_or_path", "config_file", "num_hidden_layers", "num_labels")
    )
    return SimpleNamespace(**{**empty, **values})


def load(architecture, num_labels=2, names=("no", "yes"), problem="classification"):
    return load_classifier(
        architecture, role="teacher", num_labels=num_labels, label_names=names, problem=problem
    ).model


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """``plugin("my-cnn")`` writes and registers own.py with a model of that name."""
    monkeypatch.chdir(tmp_path)

    def write(name, *changes):
        text = HEAD.replace("NAME", name)
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        file = f"{name.replace('-', '_')}.py"
        (tmp_path / file).write_text(text, encoding="utf-8")
        register([file])
        return file

    return write


def test_a_model_is_known_by_its_model_type_however_it_is_written(plugin):
    file = plugin("own-a")
    assert {*own_models([file])} == {"own-a"}
    model = load(block(model_type="Own_A"), num_labels=3, names=("a", "b", "c"))
    assert type(model).__name__ == "Model" and model.config.num_labels == 3
    assert model.config.id2label == {0: "a", 1: "b", 2: "c"}
    assert own_type("owna").plugin == file and own_type("own-z") is None


def test_its_sizes_come_from_a_file_and_random_weights_follow_the_seed(plugin, tmp_path):
    plugin("own-b")
    (tmp_path / "sizes.json").write_text(json.dumps({"width": 6}), encoding="utf-8")
    architecture = block(model_type="own-b", config_file="sizes.json")
    one, other = load(architecture), load(architecture)
    assert one.words.weight.shape == (20, 6)
    assert torch.equal(one.words.weight, other.words.weight)


def test_a_saved_one_loads_again_to_the_same_logits(plugin, tmp_path):
    plugin("own-c")
    model = load(block(model_type="own-c"))
    model.save_pretrained(tmp_path / "saved")
    again = load(block(model_name_or_path=str(tmp_path / "saved")), num_labels=None, names=None)
    ids = torch.tensor([[1, 2, 3]])
    mask = torch.ones_like(ids)
    assert torch.equal(model(ids, mask).logits, again(ids, mask).logits)


BERT = """
    config_class = Config
    def __init__(self, config):
        super().__init__(config)
        from transformers import BertModel
        self.bert = BertModel(config)
        self.scorer = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()
    def forward(self, input_ids, attention_mask):
        states = self.bert(input_ids, attention_mask).last_hidden_state
        return SequenceClassifierOutput(logits=self.scorer(states[:, 0]))
"""


def bert_plugin(tmp_path, name):
    text = HEAD.split("class Config")[0]
    text += f"class Config(BertConfig):\n    model_type = '{name}'\n"
    text += f"class Model(BertPreTrainedModel):{BERT}"
    (tmp_path / "own_bert.py").write_text(text, encoding="utf-8")
    register(["own_bert.py"])


def test_a_model_that_continues_bert_takes_weights_of_bert(tmp_path, monkeypatch):
    from transformers import BertConfig, BertForSequenceClassification

    monkeypatch.chdir(tmp_path)
    bert_plugin(tmp_path, "own-bert")
    sizes = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 30}
    bert = BertForSequenceClassification(BertConfig(num_hidden_layers=2, **sizes))
    bert.save_pretrained(tmp_path / "bert")
    model = load(block(model_type="own-bert", model_name_or_path="bert"))
    assert model.config.model_type == "own-bert"
    word = model.bert.embeddings.word_embeddings.weight
    assert torch.equal(word, bert.bert.embeddings.word_embeddings.weight)
    (tmp_path / "own_d.py").write_text(HEAD.replace("NAME", "own-d"), encoding="utf-8")
    register(["own_d.py"])
    with refused("network.two-types", "'own-d'", "'bert'"):
        load(block(model_type="own-d", model_name_or_path="bert"))


FAULTS = {
    "forward raises": (("self.head(", "self.heads("), "line 21: Model.forward fails: AttributeErr"),
    "another shape": ((".mean(1)", ""), "line 20: Model.forward gives logits of shape (2, 5, 2)"),
    "no logits": (("SequenceClassifierOutput(logits=", "dict(x="), "gives no logits for 2 rows"),
    "no mask": (
        ("input_ids, attention_mask", "input_ids"),
        ("plugin.forward-takes-too-little", "attention_mask"),
    ),
    "cannot be built": (("nn.Linear(", "nn.Lineal("), "line 18: Model can't be built: Attribute"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_faulty_model_is_told_by_its_line_before_it_is_used(kind, plugin):
    change, message = FAULTS[kind]
    name = f"own-{kind.replace(' ', '-').replace('-', 'x')}"
    file = plugin(name, change)
    with pytest.raises(UserError) as caught:
        load(block(model_type=name))
    assert holds(caught, message) and str(caught.value).startswith(file)


def test_a_config_class_that_cannot_be_made_is_told(plugin):
    with pytest.raises(UserError, match=r"own_e\.py: .*Config\(\) fails: TypeError"):
        plugin("own-e", ("vocab_size=20, width=4", "vocab_size, width"))


def test_a_class_with_a_type_of_transformers_is_no_own_model_and_the_hint_says_so(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    text = (
        "from transformers import BertPreTrainedModel\nclass Mine(BertPreTrainedModel):\n    pass\n"
    )
    (tmp_path / "borrowed.py").write_text(text, encoding="utf-8")
    assert own_models(["borrowed.py"]) == {}
    (hint,) = borrowed_types(["borrowed.py"])
    assert hint.place == "borrowed.py: line 2"
    assert hint.code == "plugin.type-of-transformers" and "'bert'" in hint.message


def test_the_last_class_of_one_config_is_the_model(plugin):
    last = ("    def forward", "    pass\nclass Last(Model):\n    def forward")
    assert own_models([plugin("own-g", last)])["own-g"].model.__name__ == "Last"


# -- qa and sequence-classification ------------------------------------------------------------------


@pytest.fixture
def bert(tmp_path):
    """``bert(num_labels)`` saves a tiny classifier, or for None a body without head, as a folder."""
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    def make(num_labels):
        sizes = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8}
        config = BertConfig(num_hidden_layers=1, vocab_size=30, **sizes)
        config.num_labels = num_labels or 2
        kind = BertModel if num_labels is None else BertForSequenceClassification
        kind(config).save_pretrained(tmp_path / f"bert-{num_labels}")
        return str(tmp_path / f"bert-{num_labels}")

    return make


@pytest.mark.parametrize(
    ("found", "given", "outputs"),
    [(None, None, 1), (None, 2, 2), (1, None, 1), (2, None, 2), (3, None, 1)],
)
def test_a_qa_network_has_one_logit_or_those_of_its_weights(found, given, outputs, bert):
    model = load(block(model_type="qa", model_name_or_path=bert(found), num_labels=given))
    assert model.config.num_labels == outputs == model.classifier.out_features
    assert model.config.id2label[outputs - 1] == "yes"
    kinds = {1: "multi_label_classification", 2: "single_label_classification"}
    assert model.config.problem_type == kinds[outputs]


def test_a_qa_teacher_that_is_used_as_it_is_keeps_its_head(bert):
    for outputs in (1, 2):
        architecture = block(model_type="QA", model_name_or_path=bert(outputs))
        assert load(architecture, None, None).config.num_labels == outputs
    with refused("student.qa-logits", "3"):
        load(block(model_type="qa", model_name_or_path=bert(3)), None, None)


def test_qa_needs_a_task_of_two_labels(bert):
    architecture = block(model_type="qa", model_name_or_path=bert(None))
    with refused("student.qa-needs-two-classes", "3 labels"):
        load(architecture, 3, ("a", "b", "c"))
    with pytest.raises(UserError, match="the task has a regression"):
        load(architecture, 1, None, "regression")


def test_sequence_classification_is_the_type_of_the_config(bert):
    architecture = block(model_type="sequence_classification", model_name_or_path=bert(2))
    assert load_config(architecture, "teacher").model_type == "bert"
    assert load(architecture).config.num_labels == 2
    assert built_in("Sequence-Classification") == "sequence-classification"
    assert built_in("bert") is None
