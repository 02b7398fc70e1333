"""The command line: ``chatstill VERB …`` and the doors. Whatever goes wrong is said in plain words."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

SET_UP = (
    "chatstill is not set up for this Python. Once, in its folder: make setup (then use .venv/bin/python), "
    "or: python -m pip install torch==2.13.0 && python -m pip install -c constraints.txt -e ."
)
EXAMPLE = Path("config") / "distill.example.1.json"


def main(arguments: Sequence[str] | None = None, *, default: Path = EXAMPLE) -> int:
    """Runs ``chatstill`` and gives its exit code.

    Args:
        arguments: Default: those of the process.
        default: The configuration that ``distill`` and ``check`` read where none is named.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its notices; ours say what matters
    try:
        from . import looking  # noqa: F401 (its verbs)
        from .guard import guarded
        from .usage import call
        from .verbs import app
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == __package__.split(".")[0]:
            raise
        sys.stderr.write(f"{SET_UP}\n(missing: {error.name})\n")
        return 1
    return guarded(lambda: call(app, given, default))


def run_glue(door: str) -> int:
    """``python run_glue.py [my.json] …``: ``distill``, by default with the example beside the door."""
    beside = Path(door).resolve().parent / EXAMPLE
    here = EXAMPLE.resolve() == beside
    return main(["distill", *sys.argv[1:]], default=EXAMPLE if here else beside)
