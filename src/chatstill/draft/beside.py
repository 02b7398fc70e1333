"""Files beside a training file that are called as it is, with another word for ``train``."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import Problem, UserError
from ..tasks.tables import Layout, Table

TEST = ("test", "测试")
DEV = ("dev", "valid", "validation", "val", "eval", "验证", "开发", *TEST)
UNLABELED = ("unlabeled", "unlabelled", "无标签", "未标注", "无标注")
IS_TEST = (
    "no dev file is there: it chooses the best step, so figures on it are no test set's any more"
)
_TRAIN = re.compile("train(ing)?")
_TRAIN_ALONE = re.compile("(?<![a-z])train(ing)?(?![a-z])")  # not that of ``constraints_train``
_TRAIN_CHINESE = re.compile("训练")


def is_training(stem: str) -> bool:
    """Whether a file in a folder is called as training files are: ``train``, ``training``, ``训练集`` …"""
    return re.fullmatch("train(ing)?|训练(集|数据)?", stem.casefold()) is not None


def dev_beside(file: Path) -> tuple[Path, str]:
    """The dev file beside a training file, and a comment.

    Raises:
        UserError: there is none.
    """
    for word in DEV:
        if (other := beside(file, (word,))) is not None:
            return other, IS_TEST if word in TEST else ""
    chinese = _TRAIN_CHINESE.search(file.stem) is not None
    shown = [word for word in DEV if word.isascii() is not chinese][:3]
    names = ", ".join(f"{_called(file, word)[0]}{file.suffix}" for word in shown)
    message = f"there are no dev rows beside it: looked for {names} …"
    hint = "Take some rows out of the training file (a tenth, whole groups) and put them there."
    raise UserError(Problem(str(file), message, hint, code="draft.no-dev-rows"))


def beside(file: Path, words: Sequence[str], ending: str | None = None) -> Path | None:
    """The file of the same kind, or ending, that is called as the training file is, with one of the words."""
    names = [name for word in words for name in _called(file, word)]
    wanted = file.suffix if ending is None else ending
    for other in sorted(file.parent.iterdir()):
        if other.stem.casefold() in names and other.suffix == wanted and other != file:
            return other
    return None


def texts_beside(file: Path, texts: Sequence[str], encoding: str) -> Path | None:
    """A .txt file of rows without labels that holds the texts alone.

    Args:
        file: The training file, which has column names.
        texts: Columns of the texts.
        encoding: Of the files.
    """
    other = beside(file, UNLABELED, ".txt") if texts else None
    if other is None:
        return None
    try:
        alone = Table(other, Layout(encoding=encoding, texts=tuple(texts))).first
    except UserError:
        return None
    return other if alone else None


def _called(file: Path, word: str) -> list[str]:
    """The training file's stem with the word for that of training; else, or in another language, the word."""
    stem = file.stem.casefold()
    signs = (_TRAIN_ALONE, _TRAIN) if word.isascii() else (_TRAIN_CHINESE,)
    sign = next((sign for sign in signs if sign.search(stem)), None)
    if sign is not None:
        return [sign.sub(word, stem)]
    return [word] if word.isascii() else [f"{word}集", word, f"{word}数据"]
