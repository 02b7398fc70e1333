"""What is captured of a forward pass is what the network computes."""

import pytest
import torch
from transformers import (
    LongformerConfig,
    LongformerForSequenceClassification,
    XLNetConfig,
    XLNetForSequenceClassification,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from chatstill.features import Needs
from chatstill.features.capture import (
    capture,
    first_tokens,
    inputs_of,
    mean_of_tokens,
    takes_token_types,
)
from chatstill.features.probe import changed_by_capture, lacks_attention
from chatstill.losses import raw_scores
from chatstill.models.layers import layer_list
from chatstill.models.readable import unreadable
from chatstill.train.kernels import quick_kernels
from tests.draws import reseeded

from ..models.tiny_models import tiny_batch, tiny_model

THROUGH_THE_INTERFACE = ("bert", "roberta", "electra", "distilbert", "modernbert", "llama", "qwen3")
OWN_ATTENTION = ("gpt-oss", "gemma2")  # sinks, a cap: sdpa has neither
OTHERS = ("deberta", "mpnet", "roformer")


def layers_of(model):
    return layer_list(model)[2]


@pytest.mark.parametrize("kind", THROUGH_THE_INTERFACE)
def test_softmax_of_the_scores_is_eagers_attention(kind):
    """Masks of all kinds, grouped heads (llama: 2 heads share 1 key) and rotary positions."""
    model, batch = tiny_model(kind, 4), tiny_batch()
    kept = capture(model, layers_of(model), batch, Needs(attention=(1, 2, 3, 4))).attention
    eager = tiny_model(kind, 4)
    eager.set_attn_implementation("eager")
    with torch.no_grad():
        attentions = eager(**batch, output_attentions=True).attentions
    inside = batch["attention_mask"].bool()
    for layer, expected in enumerate(attentions, 1):
        own = kept[layer]
        scores = raw_scores(own.query, own.key, own.scaling)
        assert scores.shape == expected.shape == (3, 2, 9, 9)
        # Where eager's attention is 0 the mask stood: padding, the future, another window.
        probabilities = scores.masked_fill(expected == 0, -torch.inf).softmax(-1)
        rows = inside[:, None, :, None].expand_as(expected)
        torch.testing.assert_close(probabilities[rows], expected[rows], rtol=1e-4, atol=1e-5)


def test_scores_of_grouped_keys():
    """Four heads of queries share two of keys: the first two of them the first."""
    values = {"num_attention_heads": 4, "num_key_value_heads": 2}
    model, batch = tiny_model("llama", 2, **values), tiny_batch()
    eager = tiny_model("llama", 2, **values)
    eager.set_attn_implementation("eager")
    own = capture(model, layers_of(model), batch, Needs(attention=(2,))).attention[2]
    with torch.no_grad():
        expected = eager(**batch, output_attentions=True).attentions[1]
    scores = raw_scores(own.query, own.key, own.scaling)
    found = scores.masked_fill(expected == 0, -torch.inf).softmax(-1)
    rows = batch["attention_mask"].bool()[:, None, :, None].expand_as(expected)
    assert expected.shape[1] == 4
    torch.testing.assert_close(found[rows], expected[rows], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", (*THROUGH_THE_INTERFACE, *OTHERS))
def test_hidden_states_are_those_at_the_layers_boundaries(kind):
    model, batch = tiny_model(kind, 4), tiny_batch()
    kept = capture(model, layers_of(model), batch, Needs(logits=True, hidden_states=(0, 1, 3)))
    with torch.no_grad():
        whole = model(**batch, output_hidden_states=True)
    for index, state in kept.hidden_states.items():
        assert torch.equal(state, whole.hidden_states[index])
    assert torch.equal(kept.logits, whole.logits)


@pytest.mark.parametrize("kind", ("bert", "llama", "modernbert", "deberta"))
@pytest.mark.parametrize("highest", (0, 1, 2, 4))
def test_a_pass_that_ends_early_keeps_the_same(kind, highest):
    """Llama and ModernBERT end with a norm over the last layer: no state may have gone through it."""
    model, batch = tiny_model(kind, 4), tiny_batch()
    needs = Needs(hidden_states=tuple(range(highest + 1)), cls=(highest,))
    whole = capture(model, layers_of(model), batch, needs)
    ran = []
    for layer in layers_of(model):
        layer.register_forward_hook(lambda *_: ran.append(1))
    cut = capture(model, layers_of(model), batch, needs, stop_early=True)
    assert len(ran) == highest
    for index in needs.hidden_states:
        assert torch.equal(whole.hidden_states[index], cut.hidden_states[index])
    assert torch.equal(whole.cls[highest], cut.cls[highest])


def test_gradients_flow_through_everything_that_is_kept():
    model, batch = tiny_model("bert", 2).train(), tiny_batch()
    needs = Needs(hidden_states=(2,), attention=(1,), cls=(1,), vector=True)
    kept = capture(model, layers_of(model), batch, needs)
    first, second = layers_of(model)
    own = kept.attention[1]
    for tensor, reached in (
        (raw_scores(own.query, own.key, own.scaling), first.attention.self.key.weight),
        (kept.hidden_states[2], second.output.dense.weight),
        (kept.cls[1], first.output.dense.weight),
        (kept.vector, second.output.dense.weight),
    ):
        (gradient,) = torch.autograd.grad(tensor.square().sum(), reached, retain_graph=True)
        assert gradient.abs().sum() > 0


def test_the_network_is_left_as_it_was():
    model, batch = tiny_model("bert", 2), tiny_batch()
    name = model.config._attn_implementation
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    needs = Needs(hidden_states=(0, 1), attention=(2,))
    capture(model, layers_of(model), batch, needs, stop_early=True)
    assert model.config._attn_implementation == name
    again = ALL_ATTENTION_FUNCTIONS.get_interface(name, None)
    assert again is ALL_ATTENTION_FUNCTIONS[name], "nothing listens any more"
    assert hooks == [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]


def test_a_recomputed_layer_is_kept_once():
    """Gradient checkpointing runs layers again in the backward pass; gradients stay the same."""
    model, batch = tiny_model("bert", 2).train(), tiny_batch()
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    gradients = []
    for checkpointing in (False, True):
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        kept = capture(model, layers_of(model), batch, Needs(hidden_states=(1,), attention=(2,)))
        own = kept.attention[2]
        loss = raw_scores(own.query, own.key, own.scaling).square().sum()
        model.zero_grad()
        (loss + kept.hidden_states[1].square().sum()).backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 20
    for left, right in zip(*gradients, strict=True):
        torch.testing.assert_close(left, right)


@pytest.mark.parametrize("kind", (*THROUGH_THE_INTERFACE, "gpt-oss"))
@pytest.mark.parametrize("implementation", (None, "eager"))
def test_logits_are_the_same_bits_while_attention_is_captured(kind, implementation):
    model, batch = tiny_model(kind, 2), tiny_batch()
    if implementation is not None:
        model.set_attn_implementation(implementation)
    with torch.no_grad():
        plain = model(**batch).logits
        inside = capture(model, layers_of(model), batch, Needs(logits=True, attention=(1, 2)))
    assert torch.equal(inside.logits, plain)
    assert changed_by_capture(model, layers_of(model), Needs(attention=(1, 2))) == 0


def test_sinks_take_part_while_attention_is_captured():
    """The attention of a gpt-oss by hand: softmax over the scores and one sink for each head."""
    model, batch = tiny_model("gpt-oss", 1, layer_types=["full_attention"]), tiny_batch()
    (layer,) = layers_of(model)
    outputs = []
    layer.self_attn.o_proj.register_forward_pre_hook(lambda _, args: outputs.append(args[0]))
    with torch.no_grad():
        own = capture(model, [layer], batch, Needs(attention=(1,), values=True)).attention[1]
    row = 0  # without padding
    scores = own.scaling * own.query[row] @ own.key[row].mT
    scores = scores.masked_fill(torch.ones(9, 9).triu(1).bool(), -torch.inf)
    sinks = layer.self_attn.sinks.detach().reshape(2, 1, 1).expand(2, 9, 1)
    share = torch.cat([scores, sinks], -1).softmax(-1)[..., :-1]
    expected = (share @ own.value[row]).transpose(0, 1).reshape(9, -1)
    torch.testing.assert_close(outputs[0][row], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", (*THROUGH_THE_INTERFACE, *OWN_ATTENTION, *OTHERS))
def test_quick_kernels_leave_every_attention_as_it_is(kind):
    model, batch = tiny_model(kind, 2), tiny_batch()
    with torch.no_grad():
        plain = model(**batch).logits
        with quick_kernels():
            assert torch.equal(model(**batch).logits, plain)


@pytest.mark.parametrize("kind", (*THROUGH_THE_INTERFACE, "gpt-oss"))
def test_who_offers_scores(kind):
    model = tiny_model(kind, 2)
    assert lacks_attention(model, layers_of(model)) is None


@pytest.mark.parametrize("kind", (*OTHERS, "gemma2"))
def test_who_does_not(kind):
    model = tiny_model(kind, 2).train()
    assert lacks_attention(model, layers_of(model)) is not None
    assert model.training


@pytest.mark.parametrize(("kind", "why"), [("gemma2", "softcap"), ("mpnet", "interface")])
def test_attention_that_cannot_be_read_is_refused_by_name(kind, why):
    model = tiny_model(kind, 2)
    (problem,) = unreadable(model, Needs(logits=True, attention=(1,)), "teacher")
    assert problem.place == "teacher_architectures" and problem.severity == "error"
    assert f"a {model.config.model_type}" in problem.message and why in problem.message
    assert unreadable(model, Needs(logits=True, hidden_states=(1,)), "teacher") == []


def test_a_network_that_computes_otherwise_while_it_is_read_is_refused():
    class Watched(type(tiny_model("bert", 2))):
        """Answers otherwise where somebody listens to its layers."""

        def forward(self, *args, **kwargs):
            out = super().forward(*args, **kwargs)
            heard = any(layer._forward_hooks for layer in self.bert.encoder.layer)
            out.logits = out.logits * (1.01 if heard else 1.0)
            return out

    model = tiny_model("bert", 2)
    model.__class__ = Watched
    (problem,) = unreadable(model, Needs(hidden_states=(1,)), "student")
    assert (
        problem.place == "student_architectures"
        and problem.code == "terms.reading-changes-the-network"
    )


def test_first_token_and_mean_with_padding_on_either_side():
    states = torch.arange(12.0).view(2, 3, 2)
    states[0, 2] = states[1, 0] = torch.nan
    mask = torch.tensor([[1, 1, 0], [0, 1, 1]])
    assert first_tokens(states, mask).tolist() == [[0.0, 1.0], [8.0, 9.0]]
    assert mean_of_tokens(states, mask).tolist() == [[1.0, 2.0], [9.0, 10.0]]


def test_states_of_a_network_that_pads_further_are_those_of_the_row():
    config = LongformerConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        attention_window=8,
        max_position_embeddings=64,
        pad_token_id=1,
    )
    torch.manual_seed(reseeded(0))
    model = LongformerForSequenceClassification(config).eval()
    ids = torch.randint(3, 40, (2, 13))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    needs = Needs(hidden_states=(0, 1, 2), vector=True)
    with torch.no_grad():
        found = capture(model, layer_list(model)[2], batch, needs)
    assert {len(states[0]) for states in found.hidden_states.values()} == {13}
    torch.testing.assert_close(found.vector, found.hidden_states[2].mean(1))


def test_xlnet_is_given_its_segments():
    config = XLNetConfig(vocab_size=40, d_model=16, n_layer=1, n_head=2, d_inner=24)
    assert takes_token_types(XLNetForSequenceClassification(config))
    assert not takes_token_types(tiny_model("distilbert"))


def test_a_network_reads_neither_labels_nor_row_numbers_nor_the_teachers_rows():
    batch = tiny_batch() | {"labels": torch.zeros(2), "index": torch.arange(2)}
    batch |= {"row_weights": torch.ones(2), "teacher_input_ids": torch.zeros(2, 3)}
    read = {*tiny_batch()}
    assert {*inputs_of(tiny_model("bert", 1), batch)} == read
    assert {*inputs_of(tiny_model("distilbert", 1), batch)} == read - {"token_type_ids"}
