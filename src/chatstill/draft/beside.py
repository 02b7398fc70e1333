"""Files beside a training file that are called as it is, with another word for ``train``."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import Problem, UserError

DEV = ("dev", "valid", "validation", "val", "eval", "test")
IS_TEST = (
    "no dev file is there: it chooses the best step, so figures on it are no test set's any more"
)
_TRAIN = re.compile("train(ing)?")
_TRAIN_ALONE = re.compile("(?<![a-z])train(ing)?(?![a-z])")  # not that of ``constraints_train``


def dev_beside(file: Path) -> tuple[Path, str]:
    """The dev file beside a training file, and a comment.

    Raises:
        UserError: there is none.
    """
    for word in DEV:
        if (other := beside(file, (word,))) is not None:
            return other, IS_TEST if word == "test" else ""
    names = ", ".join(f"{_called(file, word)}{file.suffix}" for word in DEV[:3])
    message = f"there are no dev rows beside it: looked for {names} …"
    hint = "Take some rows out of the training file (a tenth, whole groups) and put them there."
    raise UserError(Problem(str(file), message, hint, code="draft.no-dev-rows"))


def beside(file: Path, words: Sequence[str]) -> Path | None:
    """The file of the same kind that is called as the training file is, with one of the words."""
    names = [_called(file, word) for word in words]
    for other in sorted(file.parent.iterdir()):
        if other.stem.casefold() in names and other.suffix == file.suffix and other != file:
            return other
    return None


def _called(file: Path, word: str) -> str:
    """The training file's stem with the word for ``train`` or ``training``; else the word alone."""
    stem = file.stem.casefold()
    train = next((sign for sign in (_TRAIN_ALONE, _TRAIN) if sign.search(stem)), None)
    return word if train is None else train.sub(word, stem)
