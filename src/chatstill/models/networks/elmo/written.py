"""The two files of an ELMo, written: what ``options`` and ``weights`` read, the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....disk.full import writing
from ....disk.write import write_json
from .files import OPTIONS, WEIGHTS
from .options import OURS, PLACES, Options
from .tokens import Sizes
from .weights import tensors

CHARACTERS = 262  # as a usable file says it; the table has 261 rows


def options_of(sizes: Sizes) -> dict[str, Any]:
    """``options.json`` of a language model."""
    return {
        "lstm": {
            "dim": sizes.cell_size,
            "projection_dim": sizes.projection_size,
            "n_layers": sizes.layers,
            "cell_clip": sizes.cell_clip,
            "proj_clip": sizes.proj_clip,
            "use_skip_connections": sizes.residual,
        },
        "char_cnn": {
            "embedding": {"dim": sizes.char_size},
            "filters": [list(pair) for pair in sizes.filters],
            "n_highway": sizes.highways,
            "activation": sizes.activation,
            "n_characters": CHARACTERS,
            "max_characters_per_token": PLACES,
        },
        "bidirectional": True,
    }


def write_files(
    folder: Path,
    sizes: Sizes,
    parameters: Mapping[str, np.ndarray],
    words: Mapping[str, Any],
) -> None:
    """Writes ``options.json`` and ``weights.hdf5``.

    Args:
        folder: It is there.
        sizes: Of the language model.
        parameters: Arrays float32 by the names of ``layers.BiLm``.
        words: How its words were cut; a key that other readers pass over.

    Raises:
        RunFailure: the disk is full.
    """
    import h5py

    values = options_of(sizes)
    pairs = [tuple(pair) for pair in values["char_cnn"]["filters"]]
    options = Options.model_validate(
        {**values, "char_cnn": {**values["char_cnn"], "filters": pairs}}
    )
    write_json(folder / OPTIONS, {**values, OURS: dict(words)})
    with writing(folder / WEIGHTS), h5py.File(folder / WEIGHTS, "w") as file:
        for each in tensors(options, projection=sizes.token_projection):
            array = each.joined(*(parameters[name] for name, _ in each.parameters))
            assert array.shape == each.shape, f"{each.name}: {array.shape}, not {each.shape}"
            file.create_dataset(each.name, data=np.ascontiguousarray(array, np.float32))
