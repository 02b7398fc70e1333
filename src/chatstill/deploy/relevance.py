"""How a network's outputs become the number that replies are ranked by."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from ..errors import Problem, UserError
from ..models.own import POSITIVE, own_block
from ..tasks.label_names import same_names
from ..tasks.positive import plain_positive


class Relevance(NamedTuple):
    """How logits become the number that replies are ranked by.

    Attributes:
        column: Of the logits.
        softmax: Whether it is one of classes that exclude each other.
        sigmoid: Whether its score is the probability of a logit.
        meaning: For people.
    """

    column: int
    softmax: bool
    sigmoid: bool
    meaning: str

    def margin(self, logits: torch.Tensor) -> torch.Tensor:
        """(B,) of logits (B, C): higher is more relevant; of classes the log-odds, which never saturate."""
        found = logits[:, self.column]
        if not self.softmax:
            return found
        others = [n for n in range(logits.shape[1]) if n != self.column]
        return found - torch.logsumexp(logits[:, others], -1)

    def score(self, margin: float) -> float:
        """The probability of the relevant class, or the score itself."""
        if self.softmax or self.sigmoid:
            return float(torch.sigmoid(torch.tensor(margin, dtype=torch.float64)))
        return margin


def relevance_of(model: Any, label: str | None) -> Relevance:
    """What replies are ranked by.

    Args:
        model: Its config names the outputs.
        label: The class that a relevant reply has; None where the names say it.

    Raises:
        UserError: nothing says which of several outputs it is.
    """
    config = model.config
    names = [str(config.id2label[number]) for number in range(int(config.num_labels))]
    several = config.problem_type == "single_label_classification" and len(names) > 1
    if len(names) == 1 and label is None:
        sigmoid = config.problem_type != "regression"
        return Relevance(
            0, False, sigmoid, "the network's probability" if sigmoid else "its output"
        )
    wanted = label if label is not None else _told(config, names)
    if wanted in names:
        return Relevance(
            names.index(wanted), several, not several, f"the probability of label {wanted!r}"
        )
    shown = ", ".join(repr(name) for name in names)
    if label is not None:
        message = f"there is no label {label!r}: the network's are {shown}"
        raise UserError(Problem("--label", message, code="rank.no-such-label"))
    message = f"nothing says which of the network's labels a relevant reply has: {shown}"
    raise UserError(
        Problem("--label", message, f"Name it: --label {names[-1]}", code="rank.label-not-told")
    )


def _told(config: Any, names: list[str]) -> str | None:
    """The class that counted where the network was trained, else the one whose name says it."""
    kept = own_block(config).get(POSITIVE)
    if isinstance(kept, str):
        places = same_names([kept], [(name,) for name in names])
        if places[0] is not None:
            return names[places[0]]
    return plain_positive(names)
