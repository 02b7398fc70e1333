"""Whole runs of the methods that train a student beside its teacher, as a user starts them."""

import json

import pytest
import torch
import transformers as tf
from safetensors.torch import load_file, save_file

from chatstill.errors import UserError
from chatstill.run import task_level
from chatstill.train.stage import StageModule
from tests.found import refused, told

from ..models.tiny_models import tiny_config
from . import by_hand, world
from .test_networks import swapped

PLAIN = {"theseus_scheduler": None, "num_train_epochs": 1}


def metrics_of(result):
    return json.loads((result.folder / "metrics.json").read_text(encoding="utf-8"))


def terms_logged(result):
    lines = (result.folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return {key for record in records for key in record if key.startswith("term/")}


@pytest.fixture
def narrow(teacher_of, tmp_path):
    """A config file: 2 layers of width 8, as many heads as the teacher."""
    values = json.loads((teacher_of() / "config.json").read_text(encoding="utf-8"))
    values.update(num_hidden_layers=2, hidden_size=8, intermediate_size=12)
    path = tmp_path / "narrow.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return str(path)


def problems_of(run, **changes):
    with pytest.raises(UserError) as caught:
        run(**PLAIN, **changes)
    return told(caught)


def test_kd(run):
    terms = {"soft": {"weight": 0.7}}
    result = run(model_type="kd", **PLAIN, distillation={"terms": terms})
    assert metrics_of(result)["method"] == "KD"
    assert terms_logged(result) == {
        "term/soft",
        "term/soft_weighted",
        "term/hard",
        "term/hard_weighted",
    }
    assert "kl of logits, weight 0.7, temperature 10" in result.text
    resolved = json.loads((result.folder / "config.resolved.json").read_text(encoding="utf-8"))
    weight = resolved["distillation.terms.soft.weight"]
    assert weight["value"] == 0.7 and weight["origin"].startswith(result.loaded.name)
    temperature = resolved["distillation.terms.soft.temperature"]
    assert temperature == {"value": 10, "origin": "config/models_config/KDDistill.json"}
    assert resolved["distillation.terms.soft.reduction"]["origin"] == "default"


def test_single_pairs_of_layers(run):
    """Rows of ``matches``: in the plan, the log and the resolved configuration."""
    match = {"student_layer": 1, "teacher_layer": 2, "feature": "hidden_states", "loss": "mse"}
    result = run(model_type="KD", **PLAIN, distillation={"matches": [match]})
    assert "term/hidden_states_mse_1_2" in terms_logged(result)
    resolved = json.loads((result.folder / "config.resolved.json").read_text(encoding="utf-8"))
    assert resolved["distillation.matches"]["value"] == [{**match, "weight": 1.0}]


def test_labels_are_matched_by_name(run, copy_of, teacher_of):
    """A teacher with its outputs the other way round: gold labels and figures follow the names."""
    metrics = []
    for name, teacher in (("as", teacher_of()), ("swapped", swapped(copy_of()))):
        terms = {"hard": {"weight": 1}, "soft": {"weight": 0}}
        result = run(
            name=name, model_type="KD", teacher=teacher, **PLAIN, distillation={"terms": terms}
        )
        metrics.append(metrics_of(result)["dev"]["metrics"])
    assert metrics[0] == pytest.approx(metrics[1])
    assert metrics[0]["auc"] > 0.6


def test_pkd_starts_from_the_pretrained_model(run, teacher_of):
    pretrained = {"model_name_or_path": str(teacher_of())}
    result = run(model_type="PKD-BertDistill", **PLAIN, pretrained_architectures=pretrained)
    assert "starts as the pre-trained model's layers [0, 1] (0-based)" in result.text
    assert "patience of cls, weight 100, mean over layers and width; layers 1→2" in result.text


def test_the_classifier_of_a_pretrained_model_is_left_out(run, copy_of):
    """It belongs to another task, or to these labels in another order."""
    folder = copy_of(id2label={"0": "match", "1": "no_match"})
    pretrained = {"model_name_or_path": str(folder)}
    result = run(
        model_type="PKD-BertDistill", **PLAIN, pretrained_architectures=pretrained, max_steps=1
    )
    assert "its classifier is new" in result.text
    student = tf.AutoModelForSequenceClassification.from_pretrained(result.folder / "student")
    given = tf.AutoModelForSequenceClassification.from_pretrained(folder)
    assert student.config.id2label == {0: "no_match", 1: "match"}
    assert (student.classifier.weight - given.classifier.weight).abs().max() > 0.02
    embeddings = [m.bert.embeddings.word_embeddings.weight for m in (student, given)]
    torch.testing.assert_close(*embeddings, atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("names", "refuses"),
    [(("Match", "No match"), True), (("NO_MATCH", "MATCH"), False), (("0", "1"), False)],
)
def test_a_students_classifier_answers_in_the_teachers_order(run, copy_of, names, refuses):
    """Whatever their case, and where the outputs have numbers alone: these are the task's."""
    student = copy_of(id2label={str(n): name for n, name in enumerate(names)}, label2id={})
    asked = {**PLAIN, "student_architectures": {"model_name_or_path": str(student)}}
    if refuses:
        with refused("labels.other-order", names[0]):
            run("check", model_type="KD", **asked)
    else:
        run("check", model_type="KD", **asked)


def test_pkd_without_the_pretrained_model(run):
    found = problems_of(run, model_type="PKD-BertDistill")
    assert "[student.pretrained-missing]" in found and '"copy_from": "none"' in found
    assert "'pretrained_architectures.model_name_or_path'" in found
    student = {"copy_from": "teacher", "copy_layers": [1, 3]}
    result = run("check", model_type="PKD-BertDistill", **PLAIN, student_architectures=student)
    assert "starts as the teacher's layers [1, 3]" in result.text


def test_tinybert_in_two_steps_with_a_narrow_student(run, narrow):
    first = run(
        model_type="TinyBertTaskDistillStep1",
        name="first",
        **PLAIN,
        student_architectures={"config_file": narrow},
    )
    assert "projection 8→16 (shared)" in first.text
    assert "attention_scores, weight 1; layers 1→2, 2→4" in first.text
    assert "its classifier is not trained" in first.text
    second = run(
        model_type="TinyBertTaskDistillStep2",
        name="second",
        **PLAIN,
        student_architectures={"model_name_or_path": str(first.folder / "student")},
    )
    before, after = (world.weights_of(r.folder / "student") for r in (first, second))
    assert before.keys() == after.keys() and not [name for name in after if "projection" in name]
    assert not torch.equal(before["classifier.weight"], after["classifier.weight"])
    assert after["bert.embeddings.word_embeddings.weight"].shape[1] == 8


def test_a_file_of_ones_own_with_the_keys_of_existing_files(run, tmp_path):
    own = tmp_path / "own.json"
    keys = {
        "model_type": "my-distil",
        "level": "task",
        "temperature": 4,
        "task_ce": 0.5,
        "task_cros": 0.5,
        "alpha_mlm": 0.0,
        "use_hidden_states": True,
        "hidden_match_type": "top",
        "hidden_mse": 1,
        "use_attentions": False,
        "att_mse": 1,
    }
    own.write_text(json.dumps(keys), encoding="utf-8")
    result = run(model_type=None, configuration_file=str(own), **PLAIN, hidden_mse=0.25)
    assert metrics_of(result)["method"] == "my-distil"
    assert terms_logged(result) >= {"term/task_ce", "term/task_cros", "term/hidden_mse"}
    assert "term/att_mse" not in terms_logged(result)
    assert "mse of hidden_states, weight 0.25; layers 0→2, 1→3, 2→4" in result.text


def test_slips_in_a_file_of_ones_own(run, tmp_path):
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"model_type": "a", "task_ce": 1, "hiden_mse": 1}), encoding="utf-8")
    found = problems_of(run, model_type=None, configuration_file=str(own))
    assert (
        "[method.file-unknown-key]" in found and "'hiden_mse'" in found and "'hidden_mse'" in found
    )


def test_old_keys_at_fault_are_told_where_they_stand(run):
    found = problems_of(run, model_type="KD", alpha_mlm=2, task_cos=-1)
    assert "distill.json: line 1" in found and "KDDistill.json" not in found
    assert "'distillation.alpha_mlm'" in found and "'distillation.task_cos'" in found
    assert found.count("[config.refused-value]") == 2


def test_slips_in_a_term(run):
    terms = {"soft": {"temprature": 3}, "hard": {"weight": "0.5"}}
    found = problems_of(run, model_type="KD", distillation={"terms": terms})
    assert "[config.unknown-key]" in found and "'temprature'" in found and "'temperature'" in found
    assert "[config.wrong-value]" in found and "'distillation.terms.hard.weight'" in found


def test_what_does_not_fit_comes_at_once_before_training(run, narrow, tmp_path):
    values = json.loads(open(narrow, encoding="utf-8").read())
    path = tmp_path / "three.json"
    path.write_text(json.dumps({**values, "num_hidden_layers": 3, "num_attention_heads": 4}))
    found = problems_of(
        run,
        model_type="TinyBertTaskDistillStep1",
        student_architectures={"config_file": str(path)},
    )
    assert "[terms.layer-map-does-not-fit]" in found
    pairs = {"hidden": {"layer_map": "top"}, "attention": {"layer_map": "top"}}
    found = problems_of(
        run,
        model_type="TinyBertTaskDistillStep1",
        distillation={"terms": pairs},
        student_architectures={"config_file": str(path)},
    )
    assert "[terms.head-counts-differ]" in found and "4 attention heads, the teacher 2" in found


def test_copied_layers_of_another_shape(run, narrow):
    student = {"config_file": narrow, "copy_from": "teacher"}
    found = problems_of(run, model_type="KD", student_architectures=student)
    assert "[theseus.shape-differs]" in found and "is 8, the teacher's is 16" in found
    assert "copy_from" in found


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ({"num_hidden_layers": 2, "copy_layers": "last"}, "the teacher's layers [2, 3]"),
        ({"num_hidden_layers": 2, "copy_layers": "evenly"}, "the teacher's layers [0, 3]"),
        ({"copy_layers": [0, 1, 3]}, "the teacher's layers [0, 1, 3]"),
        ({"copy_from": "none"}, "the student starts at random: as asked"),
        ({"copy_from": "none", "num_hidden_layers": 6}, "student            6 layers"),
    ],
)
def test_where_a_student_starts(run, student, words):
    assert words in run("check", model_type="KD", **PLAIN, student_architectures=student).text


def test_a_student_deeper_than_its_teacher_starts_at_random(run, teacher_of, tmp_path):
    values = json.loads((teacher_of() / "config.json").read_text(encoding="utf-8"))
    path = tmp_path / "deep.json"
    path.write_text(json.dumps(values | {"num_hidden_layers": 6}), encoding="utf-8")
    student = {"config_file": str(path)}
    said = run("check", model_type="KD", **PLAIN, student_architectures=student).text
    assert "the student starts at random: it has more layers than the teacher" in said
    found = problems_of(run, model_type="KD", student_architectures={"num_hidden_layers": 6})
    assert "[student.deeper-than-its-start]" in found and '"copy_from": "none"' in found


def test_a_student_that_keeps_case(run, tmp_path):
    """The same vocabulary, and other words of it."""
    folder = world.build_network(tmp_path / "cased", layers=2)
    vocabulary = {piece: number for number, piece in enumerate(world.PIECES)}
    tf.BertTokenizer(vocab=vocabulary, do_lower_case=False).save_pretrained(folder)
    student = {"model_name_or_path": str(folder)}
    said = run("check", model_type="KD", **PLAIN, student_architectures=student).text
    assert "the student reads its own tokens" in said


def test_regression(run, shared, tmp_path):
    teacher = world.build_network(tmp_path / "scorer", outputs=1)
    by_hand.fit_scores(by_hand.make_right(teacher), *world.stsb_examples())
    result = run(model_type="KD", task_name="stsb", teacher=teacher, **PLAIN)
    assert metrics_of(result)["task"] == "stsb"
    assert terms_logged(result) >= {"term/soft", "term/hard"}
    assert "squared difference of logits, weight 0.5\n" in result.text, "scores have no temperature"


def test_a_run_with_other_terms_is_another_run(run):
    run(model_type="KD", **PLAIN)
    with pytest.raises(UserError, match=r"distillation|terms|weight"):
        run(model_type="KD", **PLAIN, distillation={"terms": {"soft": {"weight": 0.9}}})
    again = run(model_type="KD", **PLAIN)
    assert "holds this run, finished" in again.text


def test_a_student_without_token_types_leaves_them_to_its_teacher(run, tmp_path, monkeypatch):
    """A DistilBERT reads no segments; its BERT teacher must still get them, or it answers worse."""
    from chatstill.train.teachers import LiveTeacher

    seen = []
    original = LiveTeacher.features

    def watched(self, batch):
        seen.append(batch["token_type_ids"].sum().item())
        return original(self, batch)

    monkeypatch.setattr(LiveTeacher, "features", watched)
    path = tmp_path / "distilbert.json"
    config = world.config_of("distilbert", len(world.PIECES), 2, 0.1)
    path.write_text(config.to_json_string(), encoding="utf-8")
    student = {"config_file": str(path)}
    for name, cached in (("live", False), ("cached", True)):
        changes = {"student_architectures": student, "teacher_cache": cached, "name": name}
        result = run(model_type="KD", **PLAIN, **changes)
        assert result.folder.is_dir() and len(seen) > 3 and min(seen) > 0
        seen.clear()


@pytest.fixture
def other_tokens(tmp_path):
    """A student's folder with a vocabulary of its own: letters in place of words."""
    folder = tmp_path / "letters"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *world.LETTERS]
    pieces += [f"##{letter}" for letter in world.LETTERS]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tf.BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    config = world.config_of("bert", len(pieces), 2, 0.1)
    tf.BertForSequenceClassification(config).save_pretrained(folder)
    return {"model_name_or_path": str(folder)}


@pytest.mark.parametrize("cached", [False, True])
def test_a_student_with_a_tokenizer_of_its_own(run, other_tokens, teacher_of, monkeypatch, cached):
    """Logits and [CLS] states of the same row, each network on its own view of the texts."""
    teacher = tf.AutoModelForSequenceClassification.from_pretrained(teacher_of()).eval()
    rows = [line.split("\t") for line in world.chat_rows(12)]
    inputs = tf.AutoTokenizer.from_pretrained(teacher_of())(
        [row[0] for row in rows], [row[1] for row in rows], padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        right = teacher(**inputs).logits
    checked = []
    original = StageModule.forward

    def watched(self, batch, *args):
        if self._source is not None:
            found = self._source.features(batch).logits.cpu()
            torch.testing.assert_close(found, right[batch["index"].cpu()], rtol=1e-4, atol=1e-4)
            checked.append(len(found))
        return original(self, batch, *args)

    changes = {"student_architectures": other_tokens, "teacher_cache": cached}
    changes |= {"max_seq_length": 64, "task_pkd": 1}
    train = task_level.train

    def from_here_on(*args):  # the pre-flight's sample has row numbers of its own
        monkeypatch.setattr(StageModule, "forward", watched)
        return train(*args)

    monkeypatch.setattr(task_level, "train", from_here_on)
    result = run(model_type="KD", **PLAIN, **changes)
    assert sum(checked) >= 48
    assert "the student reads its own tokens: 57 entries" in result.text
    assert metrics_of(result)["teacher"]["value"] > 0.9, "scored on its own tokens"
    kept = tf.AutoTokenizer.from_pretrained(result.folder / "student")
    assert len(kept) == 57


def test_terms_by_token_need_one_tokenizer(run, other_tokens):
    changes = {"student_architectures": other_tokens, "max_seq_length": 64}
    found = problems_of(run, model_type="TinyBertTaskDistillStep1", **changes)
    assert "[tokenizer.not-the-teachers]" in found and "57 entries" in found


@pytest.fixture
def turned_round(tmp_path):
    """A pre-trained model with as many pieces as the teacher, in another order."""
    folder = world.build_network(tmp_path / "pretrained")
    pieces = [*world.PIECES[:5], *reversed(world.PIECES[5:])]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tf.BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    return folder


def test_a_student_of_pretrained_layers_has_its_tokens(run, turned_round):
    """Its embeddings are that model's: the teacher's ids would name other words."""
    pretrained = {"model_name_or_path": str(turned_round)}
    result = run(model_type="PKD-BertDistill", **PLAIN, pretrained_architectures=pretrained)
    assert "the student reads its own tokens: 30 entries" in result.text
    kept = tf.AutoTokenizer.from_pretrained(result.folder / "student")
    assert kept.get_vocab() == tf.AutoTokenizer.from_pretrained(turned_round).get_vocab()
    found = problems_of(
        run,
        model_type="TinyBertTaskDistillStep1",
        pretrained_architectures=pretrained,
        student_architectures={"copy_from": "pretrained"},
        name="tiny",
    )
    assert "[tokenizer.not-the-teachers]" in found


def test_a_student_in_one_file_reads_the_tokens_beside_it(run, other_tokens):
    file = f"{other_tokens['model_name_or_path']}/model.safetensors"
    changes = {"student_architectures": {"model_name_or_path": file}, "max_seq_length": 64}
    assert (
        "reads its own tokens: 57 entries" in run("check", model_type="KD", **PLAIN, **changes).text
    )


def test_another_tokenizer_does_not_fit_copied_embeddings(run, other_tokens):
    student = {"tokenizer_name_or_path": other_tokens["model_name_or_path"]}
    found = problems_of(run, model_type="KD", student_architectures=student)
    assert "[tokenizer.another-than-the-start]" in found


def test_gold_labels_alone_are_fine_tuning(run, copy_of):
    """Without dropout the same steps, losses and weights as `chatstill teach` on the same layers."""
    start = copy_of(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    tensors = load_file(start / "model.safetensors")
    pretrained = {name: t for name, t in tensors.items() if not name.startswith("classifier")}
    save_file(pretrained, start / "model.safetensors", metadata={"format": "pt"})
    plain = {"theseus_scheduler": None, "student_architectures": None, "logging_steps": 1}
    taught = {"model_name_or_path": str(start), "num_hidden_layers": 2}
    one = run("teach", name="taught", model_type=None, **{**plain, "teacher_architectures": taught})
    terms = {"soft": {"weight": 0}, "hard": {"weight": 1}}
    changes = {
        **plain,
        "model_type": "KD",
        "distillation": {"terms": terms},
        "pretrained_architectures": {"model_name_or_path": str(start)},
        "student_architectures": {"num_hidden_layers": 2, "copy_from": "pretrained"},
    }
    other = run(name="distilled", **changes)
    weights = [
        load_file(found.folder / part / "model.safetensors")
        for found, part in ((one, "teacher"), (other, "student"))
    ]
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def test_scores_beyond_the_window_of_a_layer_are_warned_of(run, tmp_path):
    tokenizer = world.tokenizer_of("bert")
    config = tiny_config("modernbert", 4)  # a local layer sees two tokens on each side
    config.vocab_size = len(tokenizer)
    teacher = tmp_path / "windows"
    tf.AutoModelForSequenceClassification.from_config(config).save_pretrained(teacher)
    tokenizer.save_pretrained(teacher)
    steps = {"model_type": "TinyBertTaskDistillStep1", **PLAIN, "allow_weak_teacher": True}
    told = "the term 'attention' compares the scores of all tokens of a row, up to 16"
    said = run("check", teacher=teacher, max_seq_length=16, **steps).text
    assert told in said and "the teacher's layer 2 (2)" in said
    assert "the term 'attention' compares" not in run("check", max_seq_length=16, **steps).text
