"""States of texts by a network that does not change: computed once for each different text, kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .fingerprint import fingerprint
from .store import ArrayWriter, locked, open_array, read_manifest

BATCH_TOKENS = 1 << 12
COMMIT_EVERY = 64  # batches
Compute = Callable[[Tensor, Tensor], Tensor]


class TextStates:
    """States (L, W) of texts in 16-bit floats, found by the text's ids.

    Args:
        folder: Where caches lie; this one gets a folder named by what it holds.
        texts: Ids of texts without padding; equal ones count once.
        compute: Ids (B, L) and mask (B, L) to states (B, L, W); the same on every process.
        width: W.
        network: Fingerprint of what computes.

    Raises:
        ValueError: states that are not finite, or beyond 16-bit floats.
    """

    def __init__(
        self,
        folder: Path,
        texts: Iterable[np.ndarray],
        compute: Compute,
        width: int,
        network: str,
    ) -> None:
        different = {np.asarray(ids, np.int32).tobytes() for ids in texts}
        self._texts = sorted(different, key=lambda data: (len(data), data))
        lengths = np.array([len(data) // 4 for data in self._texts], np.int64)
        self._first = np.cumsum(lengths) - lengths
        self._number = {data: number for number, data in enumerate(self._texts)}
        self._width = width
        digest = hashlib.sha256()
        for data in self._texts:
            digest.update(len(data).to_bytes(8, "little") + data)
        facts = {"network": network, "width": width, "texts": digest.hexdigest()}
        place = folder / fingerprint(facts)
        with locked(place.with_name(f".{place.name}.lock")):
            manifest = read_manifest(place)
            if manifest is None:
                self._fill(place, compute)
                manifest = read_manifest(place)
        assert manifest is not None, f"{place} was written a moment ago"
        self.folder = place
        self._states = open_array(place, "states", manifest["files"]["states"]).reshape(-1, width)

    def __len__(self) -> int:
        return len(self._texts)

    def _fill(self, place: Path, compute: Compute) -> None:
        with ArrayWriter(place, {"states": np.float16}) as writer:
            start = int((writer.state or {"texts": 0})["texts"])
            batches = 0
            while start < len(self._texts):
                length = len(self._texts[start]) // 4
                same = start
                while same < len(self._texts) and len(self._texts[same]) // 4 == length:
                    same += 1
                end = min(same, start + max(1, BATCH_TOKENS // length))  # no padding: one length
                rows = np.stack([np.frombuffer(one, np.int32) for one in self._texts[start:end]])
                ids = torch.from_numpy(rows.astype(np.int64))
                states = compute(ids, torch.ones_like(ids)).float().cpu().numpy()
                with np.errstate(over="ignore"):
                    stored = states.astype(np.float16)
                if not np.isfinite(stored).all():
                    raise ValueError("states of replies are not finite, or beyond 16-bit floats")
                writer.append("states", stored.reshape(-1))
                start, batches = end, batches + 1
                if batches % COMMIT_EVERY == 0:
                    writer.commit({"texts": start})
            writer.publish({"texts": len(self._texts)})

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, L, W) in float32 of ids (B, L) padded on the right; zeros where the mask is 0.

        Raises:
            KeyError: a text that was not among those computed.
        """
        rows, lengths = ids.cpu().numpy().astype(np.int32), mask.sum(1).cpu().numpy()
        found = np.zeros((*rows.shape, self._width), np.float32)
        for row, (one, length) in enumerate(zip(rows, lengths, strict=True)):
            first = self._first[self._number[one[:length].tobytes()]]
            found[row, :length] = self._states[first : first + length]
        return torch.from_numpy(found).to(ids.device)
