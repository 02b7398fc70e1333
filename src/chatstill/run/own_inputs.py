"""What a run reads and ``--fresh`` would move aside: files that lie in its own ``output_dir``."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Problem

if TYPE_CHECKING:
    from ..config import RunConfig

PATHS = ("model_name_or_path", "config_file", "tokenizer_name_or_path")


def moved_aside(config: RunConfig, folder: Path, made: Collection[Path] = ()) -> list[Problem]:
    """An error for each file or folder that the run reads out of the one to be moved.

    Args:
        config: Of the run.
        folder: What ``--fresh`` moves.
        made: Networks in it that are trained anew, as those of a chain's links.
    """
    hint = "Name another output_dir, or move that out of it first."
    inside = [
        path
        for path in dict.fromkeys(_inputs(config))
        if path.exists() and path.resolve().is_relative_to(folder.resolve()) and path not in made
    ]
    message = f"{{}} is read by this run and lies in {folder}, which would be moved aside"
    return [
        Problem("--fresh", message.format(path), hint, code="run.input-in-the-folder")
        for path in inside
    ]


def _inputs(config: RunConfig) -> Iterator[Path]:
    for name in type(config).model_fields:
        block = getattr(config, name)
        if name.endswith("_architectures") and block is not None:
            yield from (Path(value) for key in PATHS if (value := getattr(block, key)))
            if (folder := (block.network or {}).get("folder")) is not None:
                yield Path(folder)
    split_files = (config.data.train, config.data.dev, config.data.test) if config.data else ()
    named = (config.tokenizer_name_or_path, config.configuration_file, config.data_dir)
    yield from (Path(value) for value in (*named, *split_files, *config.plugins) if value)
