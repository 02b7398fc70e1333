"""The loss over the vocabulary: equal to the plain form in chunks of any size, and flat in memory."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from chatstill.losses import vocabulary_answers, vocabulary_kl, vocabulary_loss, vocabulary_mse
from tests.draws import reseeded

POSITIONS, WIDTH, PIECES = 23, 8, 50


def made(dtype=torch.float64, *, positions=POSITIONS, pieces=PIECES):
    generator = torch.Generator().manual_seed(reseeded(3))
    shapes = ((positions, WIDTH), (pieces, WIDTH), (pieces,))
    states, weight, bias = (
        torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes
    )
    return states, weight, bias, torch.randint(pieces, (positions,), generator=generator)


def plain(states, weight, bias, targets):
    return F.cross_entropy(F.linear(states, weight, bias), targets, reduction="sum")


@pytest.mark.parametrize("chunk", [1, 7, POSITIONS, 1000, 0])
@pytest.mark.parametrize("with_bias", [True, False])
def test_value_and_gradients_are_those_of_the_plain_form(chunk, with_bias):
    states, weight, bias, targets = made()
    inputs = (states, weight, bias) if with_bias else (states, weight)
    bias = bias if with_bias else None
    expected = plain(states, weight, bias, targets)
    wanted = torch.autograd.grad(3 * expected, inputs)
    loss = vocabulary_loss(states, (weight, bias), targets, chunk)
    found = torch.autograd.grad(3 * loss, inputs)
    torch.testing.assert_close(loss, expected)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_only_what_is_trained_gets_a_gradient():
    states, weight, bias, targets = made()
    loss = vocabulary_loss(states, (weight.detach(), bias.detach()), targets, 7)
    (found,) = torch.autograd.grad(loss, [states])
    (wanted,) = torch.autograd.grad(plain(states, weight, bias, targets), [states])
    torch.testing.assert_close(found, wanted)
    body = vocabulary_loss(states.detach(), (weight, bias), targets, 7)
    found = torch.autograd.grad(body, [weight, bias])
    wanted = torch.autograd.grad(plain(states, weight, bias, targets), [weight, bias])
    torch.testing.assert_close(found[0], wanted[0])
    torch.testing.assert_close(found[1], wanted[1])


def test_no_position_gives_nothing_and_a_gradient_of_zeros():
    states, weight, bias, targets = made()
    loss = vocabulary_loss(states[:0], (weight, bias), targets[:0])
    loss.backward()
    assert loss.item() == 0 and not weight.grad.any() and not states.grad.any()


def test_half_precision_is_summed_in_float32():
    states, weight, bias, targets = made(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = vocabulary_loss(states, (weight, bias), targets, 7)
    found = torch.autograd.grad(loss, [states, weight])
    wanted = torch.autograd.grad(plain(states, weight, bias, targets), [states, weight])
    assert loss.dtype == found[0].dtype == torch.float32
    torch.testing.assert_close(loss, plain(states, weight, bias, targets), rtol=0.02, atol=0)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("chunk", [1, 7, POSITIONS])
def test_answers_are_the_loss_of_each_position_and_whether_it_is_right(chunk):
    states, weight, bias, targets = made()
    scores = F.linear(states, weight, bias)
    targets[:5] = scores[:5].argmax(-1)
    losses, right = vocabulary_answers(states, (weight, bias), targets, chunk)
    expected = F.cross_entropy(scores, targets, reduction="none").float()
    torch.testing.assert_close(losses, expected)
    assert right.tolist() == (scores.argmax(-1) == targets).tolist()
    assert right[:5].all() and not right.all()


def taught(dtype=torch.float64):
    """Those of the student, and a teacher of another width over the same pieces."""
    generator = torch.Generator().manual_seed(reseeded(4))
    shapes = ((POSITIONS, WIDTH + 3), (PIECES, WIDTH + 3), (PIECES,))
    teacher = [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]
    return made(dtype)[:3], teacher


def plain_kl(student, teacher, temperature=1.0, squared=True):
    """Sum over positions and pieces of p (log p - log q), as METHODS has it."""
    scores = [F.linear(*side) / temperature for side in (student, teacher)]
    q, p = (side.softmax(-1) for side in scores)
    return (p * (p.log() - q.log())).sum() * (temperature**2 if squared else 1)


def plain_mse(student, teacher):
    return (F.linear(*student) - F.linear(*teacher)).square().sum()


CASES = [
    (vocabulary_kl, {"temperature": 2.0}, lambda s, t: plain_kl(s, t, 2.0)),
    (vocabulary_kl, {}, plain_kl),
    (
        vocabulary_kl,
        {"temperature": 3.0, "temperature_squared": False},
        lambda s, t: plain_kl(s, t, 3.0, squared=False),
    ),
    (vocabulary_mse, {}, plain_mse),
]


@pytest.mark.parametrize("chunk", [1, 7, POSITIONS, 0])
@pytest.mark.parametrize(("loss", "knobs", "reference"), CASES)
def test_terms_against_a_teacher_are_those_of_the_plain_form(loss, knobs, reference, chunk):
    student, teacher = taught()
    expected = reference(student, teacher)
    wanted = torch.autograd.grad(3 * expected, student)
    layers = [(weight, bias) for _, weight, bias in (student, teacher)]
    value = loss(student[0], layers[0], teacher[0], layers[1], chunk=chunk, **knobs)
    found = torch.autograd.grad(3 * value, student)
    torch.testing.assert_close(value, expected)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_kl_is_of_the_teacher_to_the_student_and_0_between_equals():
    student, teacher = taught()
    layers = [(weight, bias) for _, weight, bias in (student, teacher)]
    there = vocabulary_kl(student[0], layers[0], teacher[0], layers[1])
    back = vocabulary_kl(teacher[0], layers[1], student[0], layers[0])
    assert there.item() > 0 and abs(there - back) > 0.01 * there
    itself = vocabulary_kl(student[0], layers[0], student[0], layers[0], temperature=5.0)
    assert itself.item() == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad(itself, student[1])[0], torch.zeros_like(student[1]), atol=1e-12, rtol=0
    )


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else [made]:
            if isinstance(one, torch.Tensor):
                self.numbers = max(self.numbers, one.numel())
        return made


@pytest.mark.parametrize("positions", [200, 2000])
def test_memory_does_not_grow_with_positions_times_pieces(positions):
    """Nothing larger than a chunk's scores or the parameters is made, and nothing larger is kept."""
    pieces, chunk, kept = 300, 10, []
    states, weight, bias, targets = made(torch.float32, positions=positions, pieces=pieces)
    allowed = max(chunk * pieces, pieces * WIDTH, positions * WIDTH)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t.numel()), t)[1], id_):
        with Largest() as forward:
            loss = vocabulary_loss(states, (weight, bias), targets, chunk)
        with Largest() as backward:
            loss.backward()
    assert max(forward.numbers, backward.numbers, *kept) <= allowed < positions * pieces
    kept.clear()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t.numel()), t)[1], id_):
        with Largest() as forward:
            plain(states, weight, bias, targets)
    assert forward.numbers == max(kept) == positions * pieces  # what the plain form takes


def id_(tensor):
    return tensor
