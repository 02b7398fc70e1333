"""DC-BERT's network: how rows are parted, each form against plain arithmetic, what may be stored."""

import numpy as np
import pytest
import torch
from tests.dc_bert_by_hand import (
    dc_bert,
    jittered,
    linear_form,
    lstm_form,
    numbers,
    transformer_form,
)
from tests.draws import reseeded
from tests.path.world import tokenizer_of

from chatstill.data.encoded import Lengths
from chatstill.models.networks.dc_bert.config import DcBertConfig
from chatstill.models.networks.dc_bert.sides import dialogue_ids, part_rows
from chatstill.readers.word_pieces import RowEncoder

PAD, CLS, SEP = 0, 2, 3
KINDS = ("bert", "roberta", "electra", "distilbert")
QUERIES = ["where is the box", "sure", "", "can we go home now ask me why"]
REPLIES = ["sure", "a red cat", "", "the box is not in the red box we go home"]


# -- a row is parted ------------------------------------------------------------------------------


def parted(rows, types=None, mask=None, **config):
    config = DcBertConfig(
        **{
            "max_query_length": 4,
            "max_reply_length": 5,
            "cls_token_id": CLS,
            "sep_token_id": SEP,
            **config,
        }
    )
    tensors = [None if one is None else torch.tensor(one) for one in (rows, mask, types)]
    query, document = part_rows(*tensors, config)
    return [
        side.input_ids.masked_fill(side.attention_mask == 0, -1).tolist()
        for side in (query, document)
    ]


def test_each_text_gets_a_cls_and_a_sep_of_its_own():
    query, document = parted([[2, 7, 8, 3, 9, 3, 0]], [[0, 0, 0, 0, 1, 1, 0]])
    assert query == [[2, 7, 8, 3]]
    assert document == [[2, 9, 3]]


def test_two_separators_between_the_texts_as_robertas():
    row = [[2, 7, 8, 3, 3, 9, 10, 3]]
    assert parted(row, separators=2) == [[[2, 7, 8, 3]], [[2, 9, 10, 3]]]
    assert parted(row, [[0, 0, 0, 0, 1, 1, 1, 1]], separators=2) == parted(row, separators=2)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("turns", [("red cat", "box", "we go"), ("red", "", "go"), ("red", "cat")])
def test_a_dialogue_to_rank_for_is_cut_as_rows_are_at_every_place(kind, turns):
    tokenizer = tokenizer_of(kind)
    longest = sum(len(RowEncoder(tokenizer, Lengths(64)).ids_of([turn])[0]) + 1 for turn in turns)
    for most in range(1, longest + 1):
        config = DcBertConfig(
            max_query_length=most,
            max_reply_length=5,
            cls_token_id=tokenizer.cls_token_id,
            sep_token_id=tokenizer.sep_token_id,
            pad_token_id=tokenizer.pad_token_id,
            separators=2 if kind == "roberta" else 1,
        )
        encoder = RowEncoder(tokenizer, Lengths(64, most, 5), mark_sides=True)
        row = encoder([turns[-1]], ["sure"], [turns[:-1]])
        ids, types = (torch.tensor(one[None].astype(np.int64)) for one in (row.ids, row.types))
        query, _ = part_rows(ids, None, types, config)
        found = dialogue_ids(turns, tokenizer, config)
        assert found.input_ids.tolist() == query.input_ids.tolist(), most


def test_without_types_the_first_separator_parts_and_with_them_the_types_do():
    row = [[2, 7, 3, 8, 3, 9, 3]]  # two turns, and a reply
    assert parted(row, [[0, 0, 0, 0, 0, 1, 1]]) == [[[2, 7, 3, 8, 3]], [[2, 9, 3]]]
    assert parted(row) == [[[2, 7, 3]], [[2, 8, 3, 9, 3]]]
    assert parted(row, [[0] * 7]) == parted(row)


def test_longer_texts_are_cut_at_their_end_or_at_their_beginning():
    row, types = [[2, 11, 12, 13, 14, 15, 16, 3, *range(21, 28), 3]], [[0] * 8 + [1] * 8]
    right = [[[2, 11, 12, 13, 14, 3]], [[2, 21, 22, 23, 24, 25, 3]]]
    left = [[[2, 13, 14, 15, 16, 3]], [[2, 23, 24, 25, 26, 27, 3]]]
    assert parted(row, types) == right
    assert parted(row, types, truncation_side="left") == left


def test_empty_texts_padding_on_the_left_and_rows_of_other_lengths():
    rows = [[0, 0, 2, 3, 9, 3], [2, 7, 8, 3, 3, 0], [0, 2, 7, 3, 3, 0]]
    types = [[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 1, 0]]
    mask = [[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 0]]
    query, document = parted(rows, types, mask)
    assert query == [[2, 3, -1, -1], [2, 7, 8, 3], [2, 7, 3, -1]]
    assert document == [[2, 9, 3], [2, 3, -1], [2, 3, -1]]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("teacher", KINDS)
def test_a_text_alone_has_the_ids_that_it_has_in_a_row(teacher, side):
    made = dc_bert(teacher, query=4, reply=5, side=side)
    rows = made.tokenizer(QUERIES, REPLIES, padding=True, return_tensors="pt")
    query, document = part_rows(
        rows["input_ids"], rows["attention_mask"], rows.get("token_type_ids"), made.model.config
    )
    for alone, side in (
        (made.model.query_ids(QUERIES, made.tokenizer), query),
        (made.model.document_ids(REPLIES, made.tokenizer), document),
    ):
        assert torch.equal(alone.input_ids, side.input_ids)
        assert torch.equal(alone.attention_mask, side.attention_mask)


def test_cut_texts_are_counted():
    made = dc_bert(query=4, reply=6)
    assert made.model.query_ids(QUERIES, made.tokenizer).cut == 1
    assert made.model.document_ids(REPLIES, made.tokenizer).cut == 1
    with pytest.raises(ValueError, match="no texts"):
        made.model.query_ids([], made.tokenizer)


# -- the forms against plain arithmetic -----------------------------------------------------------


def states(rows, length, width=16, seed=1):
    generator = torch.Generator().manual_seed(reseeded(seed))
    return torch.randn(rows, length, width, generator=generator)


def masks(*lengths):
    return (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()


FORMS = {
    "transformer": lambda form, q, d: transformer_form(form, q, d, places=8),
    "linear": linear_form,
    "lstm": lstm_form,
}


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("transformer", {}),
        ("transformer", {"layers": 2, "outputs": 3}),
        ("linear", {}),
        ("linear", {"shared": True, "outputs": 1}),
        ("lstm", {}),
        ("lstm", {"shared": True, "outputs": 4}),
    ],
)
@torch.no_grad()
def test_logits_are_those_of_plain_arithmetic(kind, more):
    model = jittered(dc_bert(kind=kind, **more).model)
    query, document = states(3, 5), states(3, 7, seed=2)
    sizes = [(5, 7), (2, 4), (3, 2)]
    query_mask, document_mask = (masks(*side) for side in zip(*sizes, strict=True))
    found = model.interact(query, query_mask, document, document_mask)
    for row, (own, other) in enumerate(sizes):
        pair = numbers(query[row, :own]), numbers(document[row, :other])
        np.testing.assert_allclose(found[row], FORMS[kind](model.interaction, *pair), atol=2e-5)


@torch.no_grad()
def test_forward_is_encoders_then_interaction():
    """The encoders are ordinary ones: their states are those of the teacher's family on each text alone."""
    made = dc_bert()
    model = jittered(made.model)
    rows = made.tokenizer(QUERIES, REPLIES, padding=True, return_tensors="pt")
    for row, texts in enumerate(zip(QUERIES, REPLIES, strict=True)):
        alone = [made.tokenizer(text, return_tensors="pt")["input_ids"] for text in texts]
        alone[0] = torch.cat([alone[0][:, :7], alone[0][:, -1:]], 1)[:, : alone[0].shape[1]]
        encoders = (model.dc_bert.query_encoder, model.dc_bert.document_encoder)
        sides = [e(ids).last_hidden_state[0] for e, ids in zip(encoders, alone, strict=True)]
        expected = transformer_form(model.interaction, *map(numbers, sides), places=8)
        np.testing.assert_allclose(model(**rows).logits[row], expected, atol=2e-5)


@torch.no_grad()
def test_a_query_padded_by_hand_scores_the_same_and_so_does_one_beside_longer_ones():
    """A query takes up a fixed number of places: the reply's positions do not move."""
    made = dc_bert(query=6)
    model = jittered(made.model)
    document = model.encode_documents(*model.document_ids(["a red cat"], made.tokenizer)[:2])
    ids = made.tokenizer("sure", return_tensors="pt")["input_ids"]
    padded = torch.nn.functional.pad(ids, (0, 8 - ids.shape[1]))
    scores = []
    for own in (ids, padded):
        query = model.encode_queries(own, (own != PAD).long())
        scores.append(model.interact(query.states, query.mask, document.states, document.mask))
    torch.testing.assert_close(scores[0], scores[1], atol=1e-6, rtol=1e-5)
    rows = made.tokenizer(
        ["sure", "can we go home now"], ["a red cat"] * 2, padding=True, return_tensors="pt"
    )
    torch.testing.assert_close(model(**rows).logits[:1], scores[0], atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_padded_places_may_hold_anything():
    for kind in FORMS:
        model = jittered(dc_bert(kind=kind).model)
        query, document = states(2, 5), states(2, 6, seed=2)
        mask, other = masks(5, 2), masks(3, 6)
        before = model.interact(query, mask, document, other)
        query[mask == 0], document[other == 0] = 1e4, -1e4
        torch.testing.assert_close(model.interact(query, mask, document, other), before)


@torch.no_grad()
def test_a_replys_states_do_not_depend_on_the_query():
    made = dc_bert()
    model = jittered(made.model)
    encoded = model.encode_documents(*model.document_ids(REPLIES, made.tokenizer)[:2])
    for query in QUERIES:
        own = model.encode_queries(*model.query_ids([query], made.tokenizer)[:2])
        every = own.states.expand(len(REPLIES), -1, -1), own.mask.expand(len(REPLIES), -1)
        rows = made.tokenizer([query] * len(REPLIES), REPLIES, padding=True, return_tensors="pt")
        torch.testing.assert_close(
            model.interact(*every, encoded.states, encoded.mask),
            model(**rows).logits,
            atol=1e-5,
            rtol=1e-4,
        )


# -- what may be stored ----------------------------------------------------------------------------


@pytest.mark.parametrize("teacher", KINDS)
@torch.no_grad()
def test_the_two_cls_rows_alone_give_the_logits_of_the_whole_layer(teacher):
    made = dc_bert(teacher, outputs=3)
    model = jittered(made.model)
    documents = model.encode_documents(*model.document_ids(REPLIES, made.tokenizer)[:2])
    kept = model.document_keys_values(documents.states, documents.mask)
    heads, size = model.config.num_attention_heads, 16 // model.config.num_attention_heads
    assert kept[0].shape == kept[1].shape == (4, heads, documents.mask.shape[1], size)
    for number in range(len(QUERIES)):
        query = model.encode_queries(*model.query_ids([QUERIES[number]], made.tokenizer)[:2])
        keys, values, first = kept
        found = model.interact_cached(query.states, query.mask, keys, values, documents.mask, first)
        every = query.states.expand(4, -1, -1), query.mask.expand(4, -1)
        expected = model.interact(*every, documents.states, documents.mask)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_query_by_query_and_padded_keys_that_hold_anything():
    model = jittered(dc_bert().model)
    query, document = states(3, 5), states(3, 7, seed=2)
    mask, other = masks(5, 2, 3), masks(7, 4, 2)
    keys, values, first = model.document_keys_values(document, other)
    hidden = (other == 0)[:, None, :, None].expand_as(keys)
    keys, values = keys.masked_fill(hidden, 30.0), values.masked_fill(hidden, 30.0)
    torch.testing.assert_close(
        model.interact_cached(query, mask, keys, values, other, first),
        model.interact(query, mask, document, other),
        atol=1e-4,
        rtol=1e-4,
    )


@pytest.mark.parametrize("kind", ["linear", "lstm"])
@torch.no_grad()
def test_a_vector_of_each_reply_is_all_that_linear_and_lstm_need(kind):
    model = jittered(dc_bert(kind=kind).model)
    query, document = states(1, 5), states(3, 7, seed=2)
    mask, other = masks(5), masks(7, 4, 2)
    vector = model.pool_query(query, mask)
    found = model.interact_pooled(vector, model.pool_document(document, other))
    every = query.expand(3, -1, -1), mask.expand(3, -1)
    torch.testing.assert_close(found, model.interact(*every, document, other))


def test_a_form_that_has_no_such_thing_says_so():
    with pytest.raises(ValueError, match="has no keys and values"):
        dc_bert(kind="linear").model.document_keys_values(states(1, 3), masks(3))
    with pytest.raises(ValueError, match="this network has 2"):
        dc_bert(layers=2).model.document_keys_values(states(1, 3), masks(3))
    with pytest.raises(ValueError, match="reads more than a vector"):
        dc_bert().model.pool_query(states(1, 3), masks(3))


def test_the_vector_is_the_state_of_cls():
    made = dc_bert()
    found = made.model.encode_queries(*made.model.query_ids(QUERIES, made.tokenizer)[:2])
    assert torch.equal(found.vector, found.states[:, 0])


@pytest.mark.parametrize("kind", ["transformer", "linear", "lstm"])
def test_every_form_computes_in_bf16_too(kind):
    made = dc_bert(kind=kind)
    rows = made.tokenizer(["where is the box"], ["sure"], return_tensors="pt")
    plain = made.model.eval()(**rows).logits
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = made.model(**rows).logits
    found.float().sum().backward()
    torch.testing.assert_close(found.float(), plain, rtol=0.05, atol=0.05)
