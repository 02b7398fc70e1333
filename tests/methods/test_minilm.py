"""MiniLM's and MiniLMv2's terms on tiny networks, against arithmetic over what eager attention shows."""

import json
import math

import pytest
import torch

from chatstill.errors import errors_of
from chatstill.lookup import method_files
from chatstill.methods.matches import Config
from chatstill.train.stage import StageModule
from tests.found import codes

from .test_vocabulary_terms import CTX, LENGTHS, method_of, network, plain_batch

HEADS = 2


def shares_of(method, more=0):
    """Plain value of each term, and the batch."""
    assert errors_of(method.problems()) == []
    batch = method.prepare_batch(plain_batch(more), CTX)
    stage = StageModule(method, method.phases()[0])
    loss, shares = stage(batch, CTX, method.counts(batch, CTX), 1.0)
    loss.backward()
    assert any(p.grad is not None and p.grad.any() for p in method.student.parameters())
    return {n: v.item() for n, v in shares.items() if not n.endswith("_weighted")}, batch


@torch.no_grad()
def last_layer(model, batch):
    """Of the last layer: attention probabilities (B, H, L, L), and its queries, keys, values (B, L, D)."""
    model.eval()
    attention, seen = model.bert.encoder.layer[-1].attention.self, {}
    handles = [
        getattr(attention, name).register_forward_hook(
            lambda module, args, out, name=name: seen.update({name: out.double()})
        )
        for name in ("query", "key", "value")
    ]
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    read = {name: batch[name] for name in ("input_ids", "attention_mask")}
    out = model(**read, output_attentions=True)
    model.set_attn_implementation(before)
    for handle in handles:
        handle.remove()
    return out.attentions[-1].double(), seen


def relation(states, heads, row, head, query):
    """A valid position's relation to the valid positions of its text, in one relation head."""
    length, size = LENGTHS[row], states.shape[-1] // heads
    part = states[row, :length, head * size : (head + 1) * size]
    scores = [float(part[query] @ part[key]) / math.sqrt(size) for key in range(length)]
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def mean_kl(pairs):
    """Mean over (p, q) of Σ p (log p - log q)."""
    each = [sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) for p, q in pairs]
    return sum(each) / len(each)


def rows_of(heads):
    for row, length in enumerate(LENGTHS):
        for head in range(heads):
            for query in range(length):
                yield row, head, query


def block(name):
    """The terms of a method file."""
    knobs = method_files()[name].defaults["distillation"]
    return {key: knobs[key] for key in ("masking", "terms")}


def test_minilm_compares_the_last_layers_probabilities_and_value_relations():
    method = method_of(network(2, width=8, seed=1), network(4), **block("MiniLM"))
    found, batch = shares_of(method)
    assert torch.equal(batch["input_ids"], plain_batch()["input_ids"]), "nothing is masked"
    (ours, mine), (theirs, other) = (last_layer(m, batch) for m in (method.student, method.teacher))
    pairs = [
        tuple(side[row, head, query, : LENGTHS[row]].tolist() for side in (theirs, ours))
        for row, head, query in rows_of(HEADS)
    ]
    assert found["attention"] == pytest.approx(mean_kl(pairs), rel=1e-4)
    pairs = [
        (relation(other["value"], HEADS, *at), relation(mine["value"], HEADS, *at))
        for at in rows_of(HEADS)
    ]
    assert found["values"] == pytest.approx(mean_kl(pairs), rel=1e-4)


@pytest.mark.parametrize("heads", [1, 4])
def test_minilm_v2_parts_queries_keys_and_values_into_heads_of_its_own(heads):
    terms = {name: {**term, "heads": heads} for name, term in block("MiniLMv2")["terms"].items()}
    method = method_of(network(2, width=8, seed=1), network(4), masking="none", terms=terms)
    found, batch = shares_of(method)
    mine, other = (last_layer(m, batch)[1] for m in (method.student, method.teacher))
    for name, kind in (("queries", "query"), ("keys", "key"), ("values", "value")):
        pairs = [
            (relation(other[kind], heads, *at), relation(mine[kind], heads, *at))
            for at in rows_of(heads)
        ]
        assert found[name] == pytest.approx(mean_kl(pairs), rel=1e-4), name


@pytest.mark.parametrize("name", ["MiniLM", "MiniLMv2"])
def test_more_padding_changes_no_loss(name):
    keys = json.loads(json.dumps(block(name)).replace("48", "4"))
    once, wider = (shares_of(method_of(**keys), more)[0] for more in (0, 5))
    assert once == pytest.approx(wider, rel=1e-5) and len(once) == len(keys["terms"])


def test_only_what_is_read_is_kept_and_the_teacher_stops_there():
    method = method_of(**block("MiniLM"))
    needs = method.needs(method.phases()[0])
    assert needs["student"].attention == (2,) and needs["teacher"].attention == (4,)
    assert needs["teacher"].values and needs["teacher"].highest == 4
    assert not needs["teacher"].vocabulary and not method.trains_outputs


def test_of_a_layer_the_parts_that_no_term_reads_are_left_alone():
    """Queries and keys of the last layer reach nothing that relations of its values read."""
    terms = {"v": {"feature": "relations", "of": "values", "loss": "kl", "layer_map": "only_top"}}
    method = method_of(masking="none", terms=terms)
    method.begin(method.phases()[0])
    last = method.student.bert.encoder.layer[-1]
    assert last.attention.self.value.weight.requires_grad
    for part in (last.attention.self.query, last.attention.self.key, last.output):
        assert not any(p.requires_grad for p in part.parameters())
    before = method.student.bert.encoder.layer[0]
    assert all(p.requires_grad for p in before.parameters())
    found, _ = shares_of(method)
    trained = [p for p in method.student.parameters() if p.requires_grad]
    assert found["v"] > 0 and all(p.grad is not None for p in trained), "DDP waits for every one"


def test_heads_that_do_not_fit_are_told():
    narrow = network(2, width=6, seed=1)
    found = method_of(narrow, **block("MiniLMv2")).problems()
    assert codes(found) == ["terms.relation-heads-do-not-divide"] * 3
    other = network(2, seed=1)
    other.config.num_attention_heads = 4
    found = method_of(other, **block("MiniLM")).problems()
    assert codes(found) == ["terms.head-counts-differ"] * 2
    terms = {"v": {"feature": "relations", "of": "values", "loss": "kl", "heads": 4}}
    assert method_of(other, terms=terms).problems() == []


def test_the_files_are_of_the_pretraining_level():
    for name in ("DistillerBert", "TinyBertGeneralDistill", "MiniLM", "MiniLMv2"):
        config = Config.model_validate_json(
            json.dumps(method_files()[name].defaults["distillation"]), strict=True
        )
        assert config.level == "pretraining" and config.rows()
