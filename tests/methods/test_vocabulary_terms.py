"""Terms of the vocabulary at the pre-training level on tiny networks, against plain arithmetic."""

import json
import math

import numpy as np
import pytest
import torch
import transformers as tf
from pydantic import ValidationError

from chatstill.data.masking import Masking
from chatstill.errors import errors_of
from chatstill.methods.base import Context, RunValues
from chatstill.methods.matches import Config, Matches
from chatstill.train.stage import StageModule
from tests.draws import reseeded
from tests.found import codes

CTX = Context(1, 0, 0, 0, 0, 10)
LENGTHS, LONGEST, PIECES, MASK = (9, 6, 4), 9, 31, 4
T = 2.0


def network(layers, width=16, seed=0, pieces=PIECES, kind="bert"):
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": 2}
    config = tf.AutoConfig.for_model(
        kind,
        vocab_size=pieces,
        intermediate_size=32,
        max_position_embeddings=32,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.5,
        **sizes,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(reseeded(seed))
        return tf.AutoModelForMaskedLM.from_config(config).eval()


def plain_batch(more=0):
    """Rows of other lengths; ``more`` columns of padding behind them."""
    generator = torch.Generator().manual_seed(reseeded(3))
    shapes = ((len(LENGTHS), LONGEST), (len(LENGTHS), more))
    ids = torch.cat([torch.randint(5, PIECES, s, generator=generator) for s in shapes], dim=1)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(LENGTHS):
        mask[row, :length] = 1
    return {"input_ids": ids, "attention_mask": mask, "index": torch.arange(len(LENGTHS))}


def method_of(student=None, teacher=None, **keys):
    config = Config.model_validate_json(json.dumps({"level": "pretraining", **keys}), strict=True)
    special = np.zeros(PIECES, bool)
    special[:5] = True
    run = RunValues(1, 1e-3, masking=Masking(MASK, special, 0.4))
    return Matches(
        config,
        student or network(2, seed=1),
        teacher or network(4),
        objective="cross_entropy",
        run=run,
    )


def term(method, more=0):
    """What the engine logs of the only term, and the batch as both networks read it."""
    assert errors_of(method.problems()) == []
    batch = method.prepare_batch(plain_batch(more), CTX)
    stage = StageModule(method, method.phases()[0])
    loss, shares = stage(batch, CTX, method.counts(batch, CTX), 1.0)
    loss.backward()
    assert any(p.grad is not None and p.grad.any() for p in method.student.parameters())
    (value,) = [v for name, v in shares.items() if not name.endswith("_weighted")]
    return value.item(), batch


def places(batch, masked=False):
    """(row, column) of valid tokens, or of masked ones."""
    known = batch["targets"] >= 0 if masked else batch["attention_mask"].bool()
    return [tuple(place) for place in known.nonzero().tolist()]


@torch.no_grad()
def scores(model, batch):
    read = {name: batch[name] for name in ("input_ids", "attention_mask")}
    return model.eval()(**read).logits.double().tolist()


def softmax(row, temperature=1.0):
    powers = [math.exp(z / temperature) for z in row]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("masked", [False, True])
def test_alpha_ce_is_kl_over_the_vocabulary(masked):
    method = method_of(alpha_ce=1, temperature=T, restrict_ce_to_mask=masked)
    value, batch = term(method)
    ours, theirs = (scores(model, batch) for model in (method.student, method.teacher))
    each = []
    for row, column in places(batch, masked):
        p, q = softmax(theirs[row][column], T), softmax(ours[row][column], T)
        each.append(T * T * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    assert len(each) == (len(places(batch, True)) if masked else sum(LENGTHS))
    assert value == pytest.approx(sum(each) / len(each), rel=1e-4)


def test_alpha_mlm_is_cross_entropy_at_masked_positions_with_what_stood_there():
    method = method_of(alpha_mlm=1)
    value, batch = term(method)
    ours, original = scores(method.student, batch), plain_batch()["input_ids"]
    each = [
        -math.log(softmax(ours[row][column])[int(original[row, column])])
        for row, column in places(batch, True)
    ]
    assert value == pytest.approx(sum(each) / len(each), rel=1e-4)
    assert not torch.equal(batch["input_ids"], original), "both networks read masked tokens"


@pytest.mark.parametrize(("reduction", "pieces"), [(None, PIECES), ("mean", PIECES), ("sum", 1)])
def test_alpha_mse_is_of_the_scores(reduction, pieces):
    keys = {} if reduction is None else {"reduction": reduction}
    method = method_of(alpha_mse=1, **keys)
    value, batch = term(method)
    ours, theirs = (scores(model, batch) for model in (method.student, method.teacher))
    total = sum(
        (a - b) ** 2
        for row, column in places(batch)
        for a, b in zip(ours[row][column], theirs[row][column], strict=True)
    )
    assert value == pytest.approx(total / (sum(LENGTHS) * pieces), rel=1e-4)


def test_alpha_cos_is_of_the_last_hidden_states():
    method = method_of(alpha_cos=1, masking="none")
    value, batch = term(method)
    assert "targets" not in batch
    with torch.no_grad():
        last = [
            model(
                **{k: batch[k] for k in ("input_ids", "attention_mask")}, output_hidden_states=True
            )
            for model in (method.student, method.teacher)
        ]
    each = []
    for row, column in places(batch):
        one, other = (out.hidden_states[-1][row, column].tolist() for out in last)
        product = sum(a * b for a, b in zip(one, other, strict=True))
        each.append(1 - product / (math.hypot(*one) * math.hypot(*other)))
    assert value == pytest.approx(sum(each) / len(each), rel=1e-4)


@pytest.mark.parametrize(
    "keys",
    [
        {"alpha_ce": 1, "temperature": T},
        {"alpha_ce": 1, "restrict_ce_to_mask": True},
        {"alpha_mlm": 1},
        {"alpha_mse": 1},
    ],
)
def test_more_padding_changes_no_loss(keys):
    assert term(method_of(**keys))[0] == pytest.approx(term(method_of(**keys), more=5)[0], rel=1e-5)


def test_the_teacher_reads_what_the_student_reads_and_drops_nothing_out():
    """Against itself a network has nothing to learn, masked tokens or not, in training mode too."""
    teacher = network(2)
    teacher.config.hidden_dropout_prob = 0.5
    for part in teacher.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.5
    student = network(2)
    student.load_state_dict(teacher.state_dict())
    method = method_of(student, teacher.train(), alpha_ce=1)
    batch = method.prepare_batch(plain_batch(), CTX)
    stage = StageModule(method, method.phases()[0]).eval()
    _, shares = stage(batch, CTX, method.counts(batch, CTX), 1.0)
    assert shares["alpha_ce"].item() == pytest.approx(0, abs=1e-9)


def test_no_scores_of_the_whole_vocabulary_are_made():
    """Neither network's last layer gets a position."""
    method, seen = method_of(alpha_ce=1), []
    method.teacher.cls.predictions.decoder.register_forward_hook(
        lambda module, args, out: seen.append(out.shape)
    )
    term(method)
    assert seen == [(len(LENGTHS), 0, PIECES)]


def test_of_the_head_what_is_read_is_trained():
    """With terms of hidden states alone the head stays as it is."""
    method = method_of(alpha_cos=1)
    method.begin(method.phases()[0])
    trained = {name for name, p in method.student.named_parameters() if p.requires_grad}
    assert not any(name.startswith("cls.") for name in trained) and trained
    assert not method.trains_outputs
    method = method_of(alpha_ce=1)
    method.begin(method.phases()[0])
    assert all(p.requires_grad for p in method.student.parameters()) and method.trains_outputs


def decoder(layers, seed=0):
    config = tf.LlamaConfig(
        vocab_size=PIECES,
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=32,
        max_position_embeddings=32,
        initializer_range=0.5,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(reseeded(seed))
        return tf.LlamaForCausalLM(config).eval()


def test_alpha_clm_is_cross_entropy_with_the_next_token_of_the_text():
    """Of each text the last token has none; padding is never one."""
    method = method_of(decoder(2, seed=1), decoder(4), alpha_clm=1, masking="none")
    value, batch = term(method)
    ours, ids = scores(method.student, batch), batch["input_ids"].tolist()
    each = [
        -math.log(softmax(ours[row][column])[ids[row][column + 1]])
        for row, length in enumerate(LENGTHS)
        for column in range(length - 1)
    ]
    assert value == pytest.approx(sum(each) / len(each), rel=1e-4)
    again = method_of(decoder(2, seed=1), decoder(4), alpha_clm=1, masking="none")
    assert term(again, more=5)[0] == pytest.approx(value, rel=1e-5)


def test_a_decoder_learns_no_masked_tokens_and_an_encoder_no_next_ones():
    found = method_of(decoder(2), decoder(4), alpha_mlm=1, alpha_ce=1).problems()
    assert codes(found) == ["terms.tokens-of-the-other-side", "terms.decoder-with-masks"]
    found = method_of(alpha_clm=1, masking="none").problems()
    assert codes(found) == ["terms.tokens-of-the-other-side"]


def test_other_vocabularies_and_missing_layers_are_told():
    found = method_of(network(2, pieces=PIECES + 3), alpha_ce=1, alpha_mlm=1).problems()
    assert codes(found) == ["terms.vocabularies-differ"] * 2
    config = tf.BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2)
    classifier = tf.BertForSequenceClassification(config)
    assert codes(method_of(classifier, alpha_ce=1).problems()) == ["terms.no-vocabulary-layer"]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"alpha_ce": 1, "level": "task"}, "on a task it is called task_ce"),
        ({"task_ce": 1}, "on a corpus it is called alpha_ce"),
        ({"task_pkd": 1}, "task level"),
        ({"alpha_clm": 1, "level": "task"}, "pre-training level"),
        ({"alpha_mlm": 1, "masking": "none"}, "'masking' is none"),
        ({"alpha_ce": 1, "restrict_ce_to_mask": True, "masking": "none"}, "'masking' is none"),
        ({"alpha_ce": 1, "whole_words": True, "masking": "none"}, "'whole_words' has no effect"),
        ({"alpha_ce": 1, "masked_share": 0.4, "masking": "none"}, "'masked_share' has no effect"),
        ({"masked_share": 0.2, "level": "task", "task_ce": 1}, "where tokens are masked"),
        ({"terms": {"a": {"feature": "logits", "loss": "hard"}}}, "pre-training level"),
        ({"terms": {"a": {"feature": "vocabulary", "loss": "mlm"}}, "level": "task"}, "task level"),
    ],
)
def test_keys_of_the_other_level_are_refused(keys, words):
    with pytest.raises(ValidationError, match=words):
        Config.model_validate_json(json.dumps({"level": "pretraining", **keys}), strict=True)
