"""``weights.hdf5`` of a released ELMo, read by h5py and checked data set by data set. No torch is loaded.

A file may come from anywhere: nothing of it is taken before all of it is known to be sound, and nothing that
leads out of it is followed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ....errors import Said
from .options import Options

EXTRA = 'python -m pip install "chatstill[elmo]"'
PROJECTION = ("CNN_proj/W_proj", "CNN_proj/b_proj")
OURS = ("CNN", "RNN", "char_embed")  # what names of the format begin with
ROWS = 261


class Tensor(NamedTuple):
    """A data set of the file.

    Attributes:
        name: In the file.
        shape: There.
        parameters: Names in ``layers.BiLm``, and how each is made of the array.
        joined: How the array is made of the parameters.
    """

    name: str
    shape: tuple[int, ...]
    parameters: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...]
    joined: Callable[..., np.ndarray]


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _turned(array: np.ndarray) -> np.ndarray:
    return array.T


def tensors(options: Options, *, projection: bool = True) -> Iterator[Tensor]:
    """The data sets that a file of these options holds.

    Args:
        options: Of the file beside it.
        projection: Whether token vectors are projected; a file whose F is P may lack that.
    """
    lstm, letters = options.lstm, options.char_cnn
    filters, width, size = options.filter_size, lstm.projection_dim, lstm.dim
    depth = letters.embedding.dim
    yield Tensor("char_embed", (ROWS, depth), (("tokens.characters", _same),), _same)
    for number, (wide, count) in enumerate(letters.filters):
        to = f"tokens.convolutions.{number}"
        shape = (1, wide, depth, count)
        yield Tensor(f"CNN/W_cnn_{number}", shape, ((f"{to}.weight", _filter),), _as_filter)
        yield Tensor(f"CNN/b_cnn_{number}", (count,), ((f"{to}.bias", _same),), _same)
    for number in range(letters.n_highway):
        for kind in ("carry", "transform"):
            at, to = f"CNN_high_{number}", f"tokens.highways.{number}.{kind}"
            square = (filters, filters)
            yield Tensor(f"{at}/W_{kind}", square, ((f"{to}.weight", _turned),), _turned)
            yield Tensor(f"{at}/b_{kind}", (filters,), ((f"{to}.bias", _same),), _same)
    if projection:
        to = "tokens.projection"
        yield Tensor(PROJECTION[0], (filters, width), ((f"{to}.weight", _turned),), _turned)
        yield Tensor(PROJECTION[1], (width,), ((f"{to}.bias", _same),), _same)
    for number, direction in enumerate(("ahead", "back")):
        for layer in range(lstm.n_layers):
            at, to = f"RNN_{number}/RNN/MultiRNNCell/Cell{layer}/LSTMCell", f"{direction}.{layer}"
            both = (
                (f"{to}.inputs.weight", lambda array: array[:width].T),
                (f"{to}.recurrent.weight", lambda array: array[width:].T),
            )
            yield Tensor(f"{at}/W_0", (2 * width, 4 * size), both, _stacked)
            yield Tensor(f"{at}/B", (4 * size,), ((f"{to}.inputs.bias", _same),), _same)
            down = ((f"{to}.projection.weight", _turned),)
            yield Tensor(f"{at}/W_P_0", (size, width), down, _turned)


def _filter(array: np.ndarray) -> np.ndarray:
    """(number, d, width) of (1, width, d, number)."""
    return array[0].transpose(2, 1, 0)


def _as_filter(array: np.ndarray) -> np.ndarray:
    """(1, width, d, number) of (number, d, width)."""
    return array.transpose(2, 1, 0)[None]


def _stacked(inputs: np.ndarray, recurrent: np.ndarray) -> np.ndarray:
    """(2 P, 4 C) of two (4 C, P)."""
    return np.concatenate([inputs.T, recurrent.T])


def read_weights(
    path: Path, options: Options, *, values: bool = True
) -> dict[str, np.ndarray] | list[Said]:
    """Arrays float32 by the names of ``layers.BiLm``, or everything that is wrong with the file.

    Args:
        path: The file.
        options: Of the file beside it.
        values: Whether numbers are read; without them the arrays are left out, and only the structure is
            looked at.
    """
    if (missing := library_missing(path)) is not None:
        return [missing]
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return _read(_Reading(h5py, file, path), options, values)
    except Exception as error:  # whatever the library raises of a damaged file
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        message = f"{path} is damaged or no HDF5 file: {reason}."
        return [Said(message, "Copy it again.", code="elmo.weights-unreadable")]


def library_missing(path: Path | str) -> Said | None:
    """What is said where h5py is not there."""
    if importlib.util.find_spec("h5py") is not None:
        return None
    message = f"{path} needs h5py, which is not installed."
    return Said(message, f"Install it: {EXTRA}", code="elmo.h5py-missing")


def projects(path: Path, options: Options) -> bool:
    """Whether token vectors are projected: where F is not P, and where the file says how."""
    if options.filter_size != options.lstm.projection_dim:
        return True
    import h5py

    with h5py.File(path, "r") as file:
        return PROJECTION[0] in file


class _Reading:
    """A file that is open."""

    def __init__(self, library: Any, file: Any, path: Path) -> None:
        self.library, self.file, self.path = library, file, path

    def data_set(self, wanted: Tensor) -> Any:
        """The data set, or a ``Said`` about it."""
        at = self.file
        for part in wanted.name.split("/"):
            if not isinstance(at, self.library.Group) or part not in list(at):
                return self._said(wanted, "is missing", code="elmo.tensor-missing")
            if not isinstance(at.get(part, getlink=True), self.library.HardLink):
                what = "is a link, which is not followed: it may lead to another file"
                return self._said(wanted, what, code="elmo.tensor-is-a-link")
            at = at[part]
        if not isinstance(at, self.library.Dataset):
            return self._said(wanted, "is a group, expected numbers", code="elmo.tensor-is-a-group")
        if at.is_virtual or at.external:
            return self._said(wanted, "lies in another file", code="elmo.tensor-is-elsewhere")
        if at.dtype.kind != "f" or at.dtype.itemsize != 4:
            what = f"holds {at.dtype}, expected 32-bit floats"
            return self._said(wanted, what, code="elmo.tensor-of-another-type")
        if at.shape != wanted.shape:
            what = f"has shape {at.shape}, the options say {wanted.shape}"
            return self._said(wanted, what, code="elmo.tensor-of-another-shape")
        return at

    def numbers(self, wanted: Tensor, data_set: Any) -> np.ndarray | Said:
        """Its values, or what is wrong with them."""
        array = np.asarray(data_set[()], np.float32)
        if np.isfinite(array).all():
            return array
        what = f"holds {int((~np.isfinite(array)).sum()):,} NaN or infinite numbers"
        return self._said(wanted, what, code="elmo.tensor-not-finite")

    def beyond(self, known: set[str]) -> list[Said]:
        """Parts of a language model that the options do not count, by the names of the format."""
        more: list[str] = []

        def look(name: str, what: Any) -> None:
            if isinstance(what, self.library.Dataset) and name.startswith(OURS):
                more.extend({name} - known)

        self.file.visititems(look)  # links are not followed
        what = "is in the file, and the options count no such part"
        return [
            Said(f"{self.path}: {name} {what}.", code="elmo.tensor-not-counted")
            for name in sorted(more)
        ]

    def _said(self, wanted: Tensor, what: str, *, code: str) -> Said:
        return Said(f"{self.path}: {wanted.name} {what}.", code=code)


def _read(reading: _Reading, options: Options, values: bool) -> dict[str, np.ndarray] | list[Said]:
    projection = options.filter_size != options.lstm.projection_dim
    projection = projection or PROJECTION[0] in reading.file
    faults: list[Said] = []
    arrays: dict[str, np.ndarray] = {}
    known: set[str] = set()
    for wanted in tensors(options, projection=projection):
        known.add(wanted.name)
        found = reading.data_set(wanted)
        if values and not isinstance(found, Said):
            found = reading.numbers(wanted, found)
        if isinstance(found, Said):
            faults.append(found)
        elif values:
            arrays |= {name: made_of(found) for name, made_of in wanted.parameters}
    faults += reading.beyond(known)
    return faults or arrays
