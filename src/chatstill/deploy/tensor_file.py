"""A file of the index: tensors of safetensors, written whole or not at all, and read from the map."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..disk.write import replacing
from ..errors import Problem, UserError

MADE_BY = "made by"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], build: str) -> None:
    """Writes a file. Its header holds a digest of all that is in it, so two files have two headers."""
    from safetensors.torch import save

    made_by = {
        MADE_BY: _made_by(path, build, tensors)
    }  # one key: the order of several is not fixed
    data = save({key: value.contiguous() for key, value in tensors.items()}, made_by)
    with replacing(path, "wb") as stream:
        stream.write(data)


def _made_by(path: Path, build: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().flatten().view(torch.uint8).numpy().data)
    return f"{build} {path.name} {digest.hexdigest()}"


def is_whole(path: Path, build: str) -> bool:
    """Whether a file is there, of this build, with the content that it was written with."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as opened:
            known = (opened.metadata() or {}).get(MADE_BY, "")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}
            return bool(known == _made_by(path, build, tensors))
    except (OSError, SafetensorError):
        return False


def header_digest(path: Path) -> str:
    """sha256 of a file's header, which holds a digest of its content.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        start = stream.read(8)
        return hashlib.sha256(start + stream.read(int.from_bytes(start, "little"))).hexdigest()


class TensorFile:
    """An open file; its tensors are memory-mapped and stay readable when it is removed.

    Raises:
        UserError: it is missing, of another size, or another file than the index means.
    """

    def __init__(self, path: Path, size: int, head: str) -> None:
        from safetensors import SafetensorError, safe_open

        place = str(path)
        try:
            found = path.stat().st_size
            if found != size:
                message = f"has {found:,} bytes, the index was written with {size:,}"
                raise UserError(Problem(place, message, REBUILD, code="index.file-of-another-size"))
            if header_digest(path) != head:
                message = "is not the file that the index was written with"
                raise UserError(Problem(place, message, REBUILD, code="index.another-file"))
            with safe_open(place, framework="pt") as opened:
                self.tensors: dict[str, Tensor] = {
                    name: opened.get_tensor(name) for name in opened.keys()
                }
        except (OSError, SafetensorError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            message = f"cannot be read ({getattr(error, 'strerror', None) or error})"
            raise UserError(
                Problem(place, message, REBUILD, code="index.file-unreadable")
            ) from None


REBUILD = "Put the file back, or build the index again: chatstill index … --fresh."


def pack_texts(name: str, texts: Sequence[str]) -> dict[str, Tensor]:
    """Texts as tensors: their UTF-8 bytes on end, and where each of them ends."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    data = np.frombuffer(b"".join(encoded), np.uint8).copy()
    ends = np.cumsum([len(one) for one in encoded], dtype=np.int64)
    return {name: torch.from_numpy(data), f"{name}.ends": torch.from_numpy(ends)}


class Texts(Sequence[str]):
    """Texts of a file, read from its map one by one."""

    def __init__(self, tensors: Mapping[str, Tensor], name: str) -> None:
        self._data, self._ends = tensors[name].numpy(), tensors[f"{name}.ends"].numpy()

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(len(self)))]
        start = int(self._ends[number - 1]) if number > 0 else 0
        data: bytes = self._data[start : int(self._ends[number])].tobytes()
        return data.decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return (self[number] for number in range(len(self)))
