"""What makes an index of replies smaller: an interaction one way, and pooled states."""

import numpy as np
import pytest
import torch
from tests.dc_bert_by_hand import attention_rows, dc_bert, jittered, numbers, one_way_form, placed
from tests.draws import reseeded

from chatstill.errors import UserError
from chatstill.models.networks.dc_bert.config import DcBertConfig
from chatstill.models.networks.dc_bert.pooling import pool_documents, pooled_positions

KINDS = ("bert", "roberta", "electra", "distilbert")
QUERIES = ["where is the box", "sure", "", "can we go home now ask me why"]
REPLIES = ["sure", "a red cat", "", "the box is not in the red box we go home"]


def states(rows, length, width=16, seed=1):
    generator = torch.Generator().manual_seed(reseeded(seed))
    return torch.randn(rows, length, width, generator=generator)


def masks(*lengths):
    return (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()


# -- one way ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"layers": 2, "outputs": 3}, {"shared": True, "outputs": 1}])
@torch.no_grad()
def test_one_way_is_plain_arithmetic(more):
    model = jittered(dc_bert(attends="one_way", **more).model)
    query, document = states(3, 5), states(3, 7, seed=2)
    sizes = [(5, 7), (2, 4), (3, 2)]
    query_mask, document_mask = (masks(*side) for side in zip(*sizes, strict=True))
    found = model.interact(query, query_mask, document, document_mask)
    for row, (own, other) in enumerate(sizes):
        pair = numbers(query[row, :own]), numbers(document[row, :other])
        expected = one_way_form(model.interaction, *pair, places=8)
        np.testing.assert_allclose(found[row], expected, atol=2e-5)


@torch.no_grad()
def test_the_layers_do_not_change_a_document():
    """o′ is its placed [CLS] row: that alone, with o, makes the logits."""
    model = jittered(dc_bert(attends="one_way", layers=2).model)
    query, document = states(1, 5), states(1, 7, seed=2)
    form, heads = model.interaction, []
    form.head = lambda o, other: heads.append((o, other)) or torch.zeros(1, 2)
    model.interact(query, masks(5), document, masks(7))
    _, replied = placed(form, numbers(query[0]), numbers(document[0]), 8)
    np.testing.assert_allclose(heads[0][1][0], replied[0], atol=1e-6)


def test_only_the_querys_rows_are_computed():
    model = dc_bert(attends="one_way", layers=2).model.eval()
    lengths = []
    for layer in model.interaction.layers:
        layer.output.register_forward_hook(lambda _, inputs, out: lengths.append(out.shape[1]))
    model.interact(states(2, 5), masks(5, 4), states(2, 9), masks(9, 3))
    assert lengths == [5, 5]


@pytest.mark.parametrize("teacher", KINDS)
@torch.no_grad()
def test_the_querys_cls_row_alone_gives_the_logits_of_the_whole_layer(teacher):
    made = dc_bert(teacher, outputs=3, attends="one_way")
    model = jittered(made.model)
    documents = model.encode_documents(*model.document_ids(REPLIES, made.tokenizer)[:2])
    keys, values, first = model.document_keys_values(documents.states, documents.mask)
    for text in QUERIES:
        query = model.encode_queries(*model.query_ids([text], made.tokenizer)[:2])
        found = model.interact_cached(query.states, query.mask, keys, values, documents.mask, first)
        every = query.states.expand(4, -1, -1), query.mask.expand(4, -1)
        expected = model.interact(*every, documents.states, documents.mask)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_cached_one_way_query_by_query_and_padded_keys_that_hold_anything():
    model = jittered(dc_bert(attends="one_way").model)
    query, document = states(3, 5), states(3, 7, seed=2)
    mask, other = masks(5, 2, 3), masks(7, 4, 2)
    keys, values, first = model.document_keys_values(document, other)
    hidden = (other == 0)[:, None, :, None].expand_as(keys)
    keys, values = keys.masked_fill(hidden, 30.0), values.masked_fill(hidden, 30.0)
    found = model.interact_cached(query, mask, keys, values, other, first)
    expected = model.interact(query, mask, document, other)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_attention_of_one_way_is_dropped_out_in_training_as_in_the_layers_of_the_teacher():
    model = dc_bert(attends="one_way", dropout=0.0).model.train()
    sides = states(2, 5), masks(5, 4), states(2, 9), masks(9, 3)
    plain = model.interact(*sides)
    model.interaction.layers[0].attention.self.dropout.p = 0.5
    assert not torch.equal(model.interact(*sides), plain)
    assert torch.equal(model.eval().interact(*sides), plain)


def test_one_way_computes_in_bf16_too():
    made = dc_bert(attends="one_way", layers=2)
    rows = made.tokenizer(["where is the box"], ["sure"], return_tensors="pt")
    plain = made.model.eval()(**rows).logits
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = made.model(**rows).logits
    found.float().sum().backward()
    torch.testing.assert_close(found.float(), plain, rtol=0.05, atol=0.05)


def test_it_starts_as_the_teachers_layers_too_and_says_so():
    made = dc_bert(attends="one_way")
    theirs = made.teacher.bert.encoder.layer[2].state_dict()
    found = made.model.interaction.layers[0].state_dict()
    assert all(torch.equal(found[name], theirs[name]) for name in theirs)
    assert "and changes the query's states alone" in made.lines[1]


def test_a_configuration_of_before_is_both_ways():
    written = dc_bert(attends="one_way").model.config.to_dict()
    assert DcBertConfig.from_dict(written).interaction == "one_way"
    del written["interaction"]
    assert DcBertConfig.from_dict(written).interaction == "both_ways"


def test_other_forms_have_one_way_only_as_a_word():
    assert dc_bert(kind="linear", attends="one_way").model.config.interaction == "both_ways"


# -- pooled ----------------------------------------------------------------------------------------


def test_cls_stays_and_neighbours_are_averaged_the_last_group_over_those_that_are_there():
    rows = [[9.0], [1.0], [3.0], [5.0], [7.0], [14.0]], [[8.0], [2.0], [4.0], [6.0], [0.0], [0.0]]
    mask = torch.tensor([[1] * 6, [1, 1, 1, 1, 0, 0]])
    pooled, seen = pool_documents(torch.tensor(rows), mask, 2)
    assert pooled[..., 0].tolist() == [[9, 2, 6, 14], [8, 3, 6, 0]]
    assert seen.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert seen.dtype == mask.dtype
    pooled, seen = pool_documents(torch.tensor(rows), mask, 3)
    assert pooled[..., 0].tolist() == [[9, 3, 10.5], [8, 4, 0]]
    assert seen.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert pool_documents(torch.tensor(rows), mask, 50)[0][..., 0].tolist() == [[9, 6], [8, 4]]


def test_a_group_of_one_changes_nothing_and_none_is_below():
    rows, mask = states(2, 5), masks(5, 3)
    assert pool_documents(rows, mask, 1)[0] is rows
    assert pool_documents(rows[:, :1], mask[:, :1], 3)[0].shape == (2, 1, 16)
    with pytest.raises(ValueError, match="size is 0"):
        pool_documents(rows, mask, 0)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_padding_changes_nothing_in_pooled_states(size):
    rows, mask = states(3, 7), masks(7, 4, 2)
    pooled, seen = pool_documents(rows, mask, size)
    odd = rows.masked_fill((mask == 0)[..., None], float("nan"))
    more = torch.nn.functional.pad(odd, (0, 0, 0, 5), value=float("inf"))
    longer, longer_seen = pool_documents(more, torch.nn.functional.pad(mask, (0, 5)), size)
    length = seen.shape[1]
    assert torch.equal(longer_seen[:, :length], seen) and not longer_seen[:, length:].any()
    assert torch.equal(longer[:, :length][seen.bool()], pooled[seen.bool()])


def test_half_precision_is_averaged_in_float32():
    rows = torch.tensor([[[0.0], [60000.0], [60000.0]]], dtype=torch.float16)
    pooled, _ = pool_documents(rows, masks(3), 2)
    assert pooled.dtype == torch.float16 and pooled[0, 1] == 60000


def test_positions_are_the_means_of_the_places_that_they_cover_whatever_the_length():
    table = torch.nn.Embedding(12, 1)
    table.weight.data = torch.arange(12.0)[:, None] ** 2
    of = [pooled_positions(table, 3, length, 2)[:, 0].tolist() for length in (1, 2, 4)]
    assert of == [[9], [9, (16 + 25) / 2], [9, (16 + 25) / 2, (36 + 49) / 2, (64 + 81) / 2]]
    assert pooled_positions(table, 3, 3, 1)[:, 0].tolist() == [9, 16, 25]
    assert pooled_positions(table, 3, 3, 5)[-1, 0] == (81 + 100 + 121) / 3  # the table ends with 11
    with pytest.raises(ValueError, match="beyond a table of 12"):
        pooled_positions(table, 3, 4, 5)
    with pytest.raises(ValueError, match="pool is 0"):
        pooled_positions(table, 3, 4, 0)


@pytest.mark.parametrize("size", [2, 3])
@torch.no_grad()
def test_pooled_states_placed_are_placed_states_pooled(size):
    """Full groups: the mean of states plus positions is the mean of states plus the mean of positions."""
    form = jittered(dc_bert().model).interaction
    rows, mask = states(2, 7), masks(7, 7)
    pooled, _ = pool_documents(rows, mask, size)
    expected, _ = pool_documents(form.placed_document(rows), mask, size)
    torch.testing.assert_close(form.placed_document(pooled, size), expected)


@pytest.mark.parametrize("attends", ["both_ways", "one_way"])
@torch.no_grad()
def test_pooled_replies_score_alike_whole_and_from_keys_and_beside_longer_ones(attends):
    made = dc_bert(attends=attends)
    model = jittered(made.model)
    query = model.encode_queries(*model.query_ids(QUERIES[:1], made.tokenizer)[:2])
    every = model.encode_documents(*model.document_ids(REPLIES, made.tokenizer)[:2])
    pooled, mask = pool_documents(every.states, every.mask, 2)
    sides = query.states.expand(4, -1, -1), query.mask.expand(4, -1)
    whole = model.interact(*sides, pooled, mask, pool=2)
    kept = model.document_keys_values(pooled, mask, pool=2)
    found = model.interact_cached(query.states, query.mask, *kept[:2], mask, kept[2])
    torch.testing.assert_close(found, whole, atol=1e-5, rtol=1e-5)
    assert (whole - model.interact(*sides, pooled, mask)).abs().max() > 1e-3  # other positions
    for row, text in enumerate(REPLIES):
        alone = model.encode_documents(*model.document_ids([text], made.tokenizer)[:2])
        states_, seen = pool_documents(alone.states, alone.mask, 2)
        single = model.interact(query.states, query.mask, states_, seen, pool=2)
        torch.testing.assert_close(single[0], whole[row], atol=1e-5, rtol=1e-5)


def test_a_form_without_positions_cannot_be_pooled():
    sides = states(1, 5), masks(5), states(1, 3), masks(3)
    with pytest.raises(ValueError, match="'linear' has no places"):
        dc_bert(kind="linear").model.interact(*sides, pool=2)


# -- narrow ----------------------------------------------------------------------------------------

FOUND = [f"{one} {other}" for one in ("sure", "not", "a red cat") for other in ("box", "go home")]


def encoded(made, texts=REPLIES):
    return made.model.encode_documents(*made.model.document_ids(texts, made.tokenizer)[:2])


@torch.no_grad()
def test_what_is_stored_is_narrow_and_widened_it_is_what_the_interaction_reads():
    made = dc_bert(width=5)
    jittered(made.model)
    found, plain = encoded(made), made.model.projection
    assert found.stored.shape == (*found.mask.shape, 5)
    assert torch.equal(made.model.widen(found.stored), found.states)
    assert torch.equal(found.vector, found.states[:, 0])
    ids, mask, _ = made.model.document_ids(REPLIES, made.tokenizer)
    states_ = made.model.dc_bert.document_encoder(ids, mask).last_hidden_state
    by_hand = numbers(states_) @ numbers(plain.down.weight).T + numbers(plain.down.bias)
    np.testing.assert_allclose(found.stored, by_hand, atol=1e-5)
    by_hand = by_hand @ numbers(plain.up.weight).T + numbers(plain.up.bias)
    np.testing.assert_allclose(found.states, by_hand, atol=1e-5)
    asked = made.model.encode_queries(*made.model.query_ids(QUERIES, made.tokenizer)[:2])
    assert asked.stored is asked.states


@torch.no_grad()
def test_without_a_width_the_states_themselves_are_stored():
    found = encoded(made := dc_bert())
    assert found.stored is found.states and made.model.widen(found.stored) is found.stored
    assert not [name for name in made.model.state_dict() if "projection" in name]


@torch.no_grad()
def test_half_precision_is_widened_in_the_networks_own():
    found = encoded(made := dc_bert(width=8))
    wide = made.model.widen(found.stored.half())
    assert wide.dtype == torch.float32
    torch.testing.assert_close(wide, found.states, atol=1e-2, rtol=1e-2)


@torch.no_grad()
def test_the_projection_starts_as_the_main_axes_of_training_replies():
    made = dc_bert(width=6, replies=FOUND)
    down, up = made.model.projection.down, made.model.projection.up
    torch.testing.assert_close(down.weight @ down.weight.T, torch.eye(6), atol=1e-5, rtol=0)
    assert torch.equal(up.weight, down.weight.T)
    every = []
    for text in ["", *FOUND]:
        ids, mask, _ = made.model.document_ids([text], made.tokenizer)
        every.append(numbers(made.model.dc_bert.document_encoder(ids, mask).last_hidden_state[0]))
    x = np.concatenate(every)
    _, sizes, axes = np.linalg.svd(x - x.mean(0), full_matrices=False)
    expected = x.mean(0) + (x - x.mean(0)) @ axes[:6].T @ axes[:6]
    found = up(down(torch.tensor(x).float()))
    np.testing.assert_allclose(found, expected, atol=2e-4)
    kept = 100 * (sizes[:6] ** 2).sum() / (sizes**2).sum()
    assert f"stored as 6: the main axes of {len(x)} states" in made.lines[2]
    assert f"hold {kept:.1f} % of their variance" in made.lines[2]


@torch.no_grad()
def test_with_all_axes_but_the_one_that_a_norm_takes_nothing_is_lost():
    """States behind a LayerNorm lie in a plane: 15 numbers tell the 16 of each."""
    made = dc_bert(replies=FOUND, width=15)
    rows = made.tokenizer(QUERIES, REPLIES, padding=True, return_tensors="pt")
    found = made.model.both_forms(**rows)
    torch.testing.assert_close(found.logits, found.unprojected.logits, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("width", [16, 17, 0])
def test_a_width_that_makes_nothing_smaller_names_both_numbers(width):
    with pytest.raises(UserError) as caught:
        dc_bert(width=width)
    (problem,) = caught.value.problems
    assert problem.code == "dc-bert.width-not-smaller"
    assert problem.place == "dc_bert_model_config.document_width"
    assert f"is {width}," in problem.message and "have 16 numbers" in problem.message
    assert dc_bert(kind="linear", width=width).model.config.document_width is None


def test_a_configuration_of_before_projects_nothing():
    written = dc_bert(width=3).model.config.to_dict()
    assert DcBertConfig.from_dict(written).document_width == 3
    del written["document_width"]
    assert DcBertConfig.from_dict(written).document_width is None


@torch.no_grad()
def test_pooled_before_it_is_widened_is_pooled_behind():
    found = encoded(made := dc_bert(width=5))
    narrow, mask = pool_documents(found.stored, found.mask, 2)
    wide, seen = pool_documents(found.states, found.mask, 2)
    assert torch.equal(mask, seen)
    inside = mask.bool()
    torch.testing.assert_close(made.model.widen(narrow)[inside], wide[inside], atol=1e-5, rtol=1e-5)


def by_hand_scores(form, query, document, one_way):
    """(heads, rows, L) of the first layer's [CLS] rows, of states (Lq, H) and (Ld, H)."""
    asked, replied = placed(form, query, document, 8)
    both = np.concatenate([asked, replied])
    places = [0] if one_way else [0, len(asked)]
    return attention_rows(form.layers[0], both, both, places)


@pytest.mark.parametrize("attends", ["both_ways", "one_way"])
@torch.no_grad()
def test_both_forms_are_the_projected_one_and_the_one_without(attends):
    made = dc_bert(width=5, attends=attends, layers=2)
    model, one_way = jittered(made.model), attends == "one_way"
    rows = made.tokenizer(QUERIES, REPLIES, padding=True, return_tensors="pt")
    found = model.both_forms(**rows)
    assert torch.equal(found.logits, model(**rows).logits)
    beside, heads = found.unprojected, model.config.num_attention_heads
    for row, (query, reply) in enumerate(zip(QUERIES, REPLIES, strict=True)):
        asked = model.encode_queries(*model.query_ids([query], made.tokenizer)[:2])
        ids, mask, _ = model.document_ids([reply], made.tokenizer)
        states_ = model.dc_bert.document_encoder(ids, mask).last_hidden_state
        whole = model.interact(asked.states, asked.mask, states_, mask)
        torch.testing.assert_close(beside.logits[row], whole[0], atol=1e-5, rtol=1e-5)
        inside = beside.mask[row].bool()
        for scores, document in (
            (beside.targets, states_),
            (beside.scores, encoded(made, [reply]).states),
        ):
            assert scores.shape[:4] == (2, 4, heads, 1 if one_way else 2)
            sides = numbers(asked.states[0]), numbers(document[0])
            expected = by_hand_scores(model.interaction, *sides, one_way)
            np.testing.assert_allclose(scores[0, row][:, :, inside], expected, atol=1e-4)


def test_targets_have_no_graph_and_both_forms_train_the_encoders():
    made = dc_bert(width=5)
    rows = made.tokenizer(QUERIES, REPLIES, padding=True, return_tensors="pt")
    found = made.model.train().both_forms(**rows)
    assert not found.unprojected.targets.requires_grad
    word = made.model.dc_bert.document_encoder.embeddings.word_embeddings.weight
    for part in (found.logits, found.unprojected.logits, found.unprojected.scores):
        (gradient,) = torch.autograd.grad(part.square().sum(), word, retain_graph=True)
        assert gradient.any()


def test_in_evaluation_only_the_projected_form_is_computed():
    made = dc_bert(width=5)
    passes = []
    made.model.interaction.layers[0].register_forward_hook(lambda *_: passes.append(1))
    rows = made.tokenizer(QUERIES, REPLIES, padding=True, return_tensors="pt")
    made.model(**rows)
    assert len(passes) == 1
    made.model.both_forms(**rows)
    assert len(passes) == 3
