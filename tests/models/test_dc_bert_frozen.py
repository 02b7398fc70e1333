"""An encoder of replies that stays as it is: its states are computed once, and are those of the encoder."""

import pytest
import torch
from tests.dc_bert_by_hand import dc_bert

from chatstill.methods.base import Context, RunValues
from chatstill.methods.dc_bert import Config, DcBert
from chatstill.models.networks.dc_bert.frozen import frozen_documents
from chatstill.models.networks.dc_bert.sides import part_rows

QUERIES = ["where is the box", "sure", "why", "can we go home now ask me why"]
REPLIES = ["sure", "a red cat", "sure", "the box is not in the red box we go home"]
CTX = Context(3, 0, 0, 0, 0, 10)
CPU = torch.device("cpu")


def rows_of(made):
    rows = made.tokenizer(QUERIES, REPLIES, padding=True, return_tensors="pt")
    return {**rows, "labels": torch.tensor([1, 0, 1, 0])}


def method_of(made, **knobs):
    config, run = Config(freeze_documents=True, **knobs), RunValues(1, 1e-3)
    return DcBert(config, made.model, made.teacher, objective="cross_entropy", run=run)


@pytest.mark.parametrize("teacher", ["bert", "roberta", "distilbert"])
def test_stored_states_are_those_of_the_encoder_without_dropout(teacher, tmp_path):
    made = dc_bert(teacher, reply=6, dropout=0.5)
    batch = rows_of(made)
    made.model.train()
    stored = frozen_documents(made.model, [batch, batch], tmp_path, CPU)
    assert made.model.dc_bert.document_encoder.training and len(stored) == 3
    side = part_rows(
        batch["input_ids"], batch["attention_mask"], batch.get("token_type_ids"), made.model.config
    )[1]
    made.model.eval()
    with torch.no_grad():
        wanted = made.model.encode_documents(*side).states
    inside = side.attention_mask.bool()
    assert torch.allclose(stored(*side)[inside], wanted[inside], atol=5e-3)


@pytest.mark.parametrize("knobs", [{}, {"document_width": 6}], ids=str)
def test_a_step_reads_them_runs_no_encoder_of_replies_and_trains_all_else(
    knobs, tmp_path, monkeypatch
):
    made = dc_bert(width=knobs.get("document_width"))
    method, batch = method_of(made, **knobs), rows_of(made)
    module = method.begin(method.phases()[0])
    before = method.forward(module, batch, CTX).logits
    method.prepare(lambda: iter([batch]), tmp_path, CPU)
    monkeypatch.setattr(made.model.dc_bert.document_encoder, "forward", None)
    found = method.forward(module, batch, CTX)
    assert torch.allclose(found.logits, before, atol=2e-2)
    sum(term.sum for term in method.terms(batch, found, None, CTX).values()).backward()
    frozen = {id(one) for one in made.model.dc_bert.document_encoder.parameters()}
    for name, parameter in module.named_parameters():
        assert parameter.requires_grad == (id(parameter) not in frozen), name
        assert (parameter.grad is None) == (id(parameter) in frozen), name


def test_one_encoder_for_both_texts_cannot_be_frozen_for_one():
    with pytest.raises(ValueError, match="exclude each other"):
        Config(freeze_documents=True, shared_encoder=True)
