"""A process that looks for candidates: units are named on its input, what became of each on its output.

Its parent starts it as ``python -m chatstill.augment.worker FOLDER``. It ends when its input does, so also
when its parent is killed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import IO

from ..disk.json_file import read_object
from ..errors import UserError

FINDER = "finder.json"


def main(folder: Path, asked: IO[str], said: IO[str]) -> None:
    """Answers each unit's number with ``{"unit": n}``, or with the problems that ended it."""
    import torch

    from .finding import open_finder
    from .named import Named
    from .units import find_unit

    torch.set_num_threads(1)
    values = read_object(folder / FINDER)
    try:
        finder = open_finder(
            Named(**values["named"]),
            values["number"],
            folder,
            chinese=values["chinese"],
            device="cpu",
        )
        for line in asked:
            unit = int(line)
            find_unit(finder, folder, unit)
            said.write(json.dumps({"unit": unit}) + "\n")
            said.flush()
    except UserError as error:
        keys = ("place", "message", "hint", "severity", "code")
        told = [{key: getattr(problem, key) for key in keys} for problem in error.problems]
        said.write(json.dumps({"problems": told}) + "\n")
        said.flush()


if __name__ == "__main__":
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        main(Path(sys.argv[1]), sys.stdin, sys.stdout)
    except BrokenPipeError:  # its parent was killed while it worked
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
