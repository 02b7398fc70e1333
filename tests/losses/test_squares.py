"""The sum of squared differences against autograd's own."""

import pytest
import torch

from chatstill.losses.squares import squared_difference
from tests.draws import reseeded

SEEN = {"all": None, "some": torch.tensor([[[True], [False], [True]]])}


@pytest.mark.parametrize("name", SEEN)
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_value_and_gradients_of_both_sides(name, kind):
    seen, generator = SEEN[name], torch.Generator().manual_seed(reseeded(1))
    values = [torch.randn(2, 3, 4, generator=generator).to(kind) for _ in range(2)]
    results = []
    for plain in (True, False):
        left, right = (value.clone().requires_grad_() for value in values)
        if plain:
            squares = (left.float() - right.float()) ** 2
            total = (squares if seen is None else squares * seen).sum()
        else:
            total = squared_difference(left, right, seen)
        (total / 3).backward()
        results.append((total.detach(), left.grad, right.grad))
    for plain, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain)


def test_what_is_not_seen_may_be_anything():
    left = torch.tensor([1.0, float("nan"), float("inf")], requires_grad=True)
    total = squared_difference(left, torch.zeros(3), torch.tensor([True, False, False]))
    total.backward()
    assert total.item() == 1.0 and left.grad.tolist() == [2.0, 0.0, 0.0]
