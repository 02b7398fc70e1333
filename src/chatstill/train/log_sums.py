"""The sums behind the next line of the log. Checkpoints hold them: an interruption cuts no mean short."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..losses.sums import wide
from .control import Agreement


class LogSums:
    """What has been added up since the last line of the log.

    Attributes:
        steps: Optimizer steps.
        trained: The same, each counted by the share of its micro-batches that were trained on.
        terms: Each process's own sum of every term, plain and weighted.
    """

    def __init__(self) -> None:
        self.steps, self.trained = 0, 0.0
        self.terms: dict[str, Tensor] = {}

    def add_terms(self, shares: Mapping[str, Tensor]) -> None:
        """The terms of a micro-batch."""
        for name, share in shares.items():
            self.terms[name] = self.terms.get(name, 0.0) + wide(share)

    def add_step(self, trained: float) -> None:
        """An optimizer step, of whose micro-batches a share was trained on."""
        self.steps += 1
        self.trained += trained

    def means(self, loss: float, agreement: Agreement) -> dict[str, float | None]:
        """``loss`` and ``term/NAME`` over the micro-batches that were trained on; the sums begin anew.

        Args:
            loss: The mean over all steps; None comes back where nothing was trained on.
            agreement: Adds up over the processes: all of them call this.
        """
        names = sorted(self.terms)
        totals = agreement.sums([float(self.terms[name]) for name in names])
        steps, trained = max(self.steps, 1), self.trained
        found: dict[str, float | None] = {"loss": loss * (steps / trained) if trained else None}
        found.update({f"term/{n}": t / trained for n, t in zip(names, totals, strict=True)})
        self.steps, self.trained = 0, 0.0
        self.terms.clear()
        return found

    def state(self, loss: Tensor, agreement: Agreement, rank: int, world: int) -> dict[str, Any]:
        """For a checkpoint: the sums of every process; all of them call this.

        Args:
            loss: This process's sum of the loss.
            agreement: Brings the processes' values together.
            rank: Of this process.
            world: How many there are.
        """
        names = sorted(self.terms)
        sums = [float(loss), *(float(self.terms[name]) for name in names)]
        row = [0.0] * (len(sums) * world)
        row[rank * len(sums) : (rank + 1) * len(sums)] = sums
        every = agreement.sums(row)
        rows = [every[start : start + len(sums)] for start in range(0, len(every), len(sums))]
        return {"steps": self.steps, "trained": self.trained, "names": names, "sums": rows}

    def restore(self, saved: Any, rank: int, world: int, device: torch.device) -> float:
        """Takes over what ``state`` gave and returns this process's sum of the loss.

        Nothing is taken from a checkpoint without it, as earlier versions wrote them. Where other
        processes go on than were stopped, the first one takes all.
        """
        try:
            steps, trained = int(saved["steps"]), float(saved["trained"])
            names, rows = [str(name) for name in saved["names"]], saved["sums"]
            if (before := len(rows)) != world:
                # A process's loss is scaled by their number, since their mean is logged; terms are not.
                loss, *sums = (sum(column) for column in zip(*rows, strict=True))
                rows = [[loss * world / before, *sums]]
            loss, *sums = [float(value) for value in rows[rank]] if rank < len(rows) else [0.0]
            terms = dict(zip(names, sums or [0.0] * len(names), strict=True))
        except (KeyError, TypeError, ValueError, IndexError, OverflowError):
            return 0.0
        self.steps, self.trained = steps, trained
        self.terms = {
            name: torch.tensor(value, dtype=_wide(device), device=device)
            for name, value in terms.items()
        }
        return loss


def _wide(device: torch.device) -> torch.dtype:
    """The dtype of ``wide`` there: a checkpoint's numbers keep their digits."""
    return wide(torch.zeros((), device=device)).dtype
