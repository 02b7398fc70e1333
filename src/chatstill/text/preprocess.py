"""Changes to texts that no tokenizer file can hold: traditional characters to simplified ones.

Whoever uses the student has to do the same to its texts; so it is only done when asked for, and the
model's card and config say so.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import Problem, UserError
from ..tasks.base import Rows

EXTRA = 'python -m pip install "chatstill[opencc]"'


def preprocessor(name: str) -> Callable[[str], str]:
    """The change of a text that a conversion of OpenCC makes, such as ``t2s``.

    Raises:
        UserError: OpenCC is not installed.
    """
    try:
        import opencc
    except ImportError as error:
        message = f'"{name}" needs the package opencc, which is not installed'
        raise UserError(
            Problem(
                "preprocess",
                message,
                f"Install it: {EXTRA}",
                code="preprocess.opencc-not-installed",
            )
        ) from error
    try:
        converter = opencc.OpenCC(name)
    except Exception as error:
        # OpenCC raises one of several kinds for a conversion that it does not know.
        message = f"OpenCC has no conversion {name!r}"
        raise UserError(
            Problem(
                "preprocess",
                message,
                "Take t2s, tw2s, tw2sp or hk2s.",
                code="preprocess.no-such-conversion",
            )
        ) from error
    return lambda text: str(converter.convert(text))


def preprocess_version(name: str | None) -> str:
    """What a conversion's results depend on, for fingerprints; empty without one."""
    if name is None:
        return ""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{name}-opencc-{version('opencc')}"
    except PackageNotFoundError:
        return name


def preprocessed(rows: Rows, name: str | None) -> Rows:
    """Changes the texts of rows while they are read. Without a name the rows stay as they are."""
    return rows if name is None else rows.change(preprocessor(name))
