"""Hashes of contents: files, and plain values in a canonical form."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

CHUNK = 1 << 20


def file_sha256(path: str | os.PathLike[str]) -> str:
    """The sha256 of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def files_sha256(paths: Iterable[str | os.PathLike[str]]) -> dict[str, str]:
    """The sha256 of several files by file name with its path as given."""
    return {str(path): file_sha256(path) for path in sorted(map(Path, paths))}


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """The sha256 of a network's weights: names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def array_digest(values: np.ndarray) -> str:
    """The sha256 of an array's type, shape and bytes."""
    head = f"{values.dtype.str} {values.shape}\n".encode()
    return hashlib.sha256(head + np.ascontiguousarray(values).tobytes()).hexdigest()


def fingerprint(value: Any) -> str:
    """The sha256 of a value made of dicts, lists, strings, numbers and None; key order is free.

    Raises:
        TypeError: something else is in it.
        ValueError: a number is not finite.
    """
    text = json.dumps(
        value, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":")
    )
    return hashlib.sha256(text.encode("ascii")).hexdigest()
