"""Values that say "fill me in": they count as unset, and a report lists them."""

from typing import Any

from ...errors import Problem
from ..places import KeyPath, dotted
from ..schema import PLACEHOLDER
from ..source import Source

_NAMES = ("model_type", "model_name_or_path", "config_file", "tokenizer_name_or_path")
_BLOCKS = ("teacher_architectures", "student_architectures", "pretrained_architectures")
FILLABLE: tuple[KeyPath, ...] = (
    *(
        (key,)
        for key in ("model_type", "configuration_file", "task_name", "data_dir", "output_dir")
    ),
    *((key,) for key in ("tokenizer_name_or_path", "cache_dir")),
    *((block, key) for block in _BLOCKS for key in _NAMES),
    *(("augmentation", key) for key in ("model_name_or_path", "word_vectors")),
)
"""Keys whose value may be a placeholder."""


def is_placeholder(value: Any) -> bool:
    """``""``, ``"..."``, ``"<path to …>"`` and sentences that begin with ``must feed this value``."""
    if not isinstance(value, str):
        return False
    text = value.strip()
    dots = not text.strip(".…") and text not in (".", "..")
    bracketed = text.startswith("<") and text.endswith(">")
    return dots or bracketed or text.startswith(PLACEHOLDER[: len("must feed this value")])


def clear_placeholders(source: Source) -> dict[KeyPath, Problem]:
    """Takes placeholders out.

    Returns:
        Per key the error to report if the run needs a value there.
    """
    unfilled = {}
    for path in FILLABLE:
        value = source.get(path)
        if is_placeholder(value):
            shown = f'"{value[:24]}…"' if len(value) > 24 else f'"{value}"'
            unfilled[path] = source.problem(
                path,
                f"'{dotted(path)}' is still to be filled in ({shown}).",
                code="config.placeholder",
            )
            source.drop(path)
    return unfilled


def optional_left(unfilled: dict[KeyPath, Problem], needed: set[KeyPath]) -> list[Problem]:
    """One warning per block for placeholders that the run can do without."""
    problems = []
    for block in _BLOCKS:
        paths = [path for path in unfilled if path[0] == block and path not in needed]
        if paths:
            keys = " and ".join(str(path[-1]) for path in paths)
            holds = (
                "hold placeholders, which count"
                if len(paths) > 1
                else "holds a placeholder, which counts"
            )
            message = f"{block}: {keys} still {holds} as not set."
            problems.append(
                Problem(
                    unfilled[paths[0]].place,
                    message,
                    severity="warning",
                    code="config.placeholders-left",
                )
            )
    return problems
