"""The one reader of JSON that is not the user's own configuration: bounds on depth, size and numbers.

Python's reader takes NaN, texts of any depth until its stack is full, and files of any size. A text that
passes here can be walked, written again as JSON, and computed with.
"""

import json
import math
from collections.abc import Callable, Iterator
from json import JSONDecodeError
from pathlib import Path
from typing import Any

Pairs = Callable[[list[tuple[str, Any]]], Any]
MOST_BYTES = 100_000_000  # tokenizers of 250,000 pieces take 35 MB
MOST_DEPTH = 100
MOST_DIGITS = 300  # a float can still hold it


class JsonFault(ValueError):
    """What is wrong with a JSON text, as the rest of a sentence: ``is not JSON (line 3, …)``."""


def parse_json(text: str | bytes, *, finite: bool = True, pairs: Pairs | None = None) -> Any:
    """The value of a JSON text.

    Args:
        text: UTF-8 where it is bytes; a mark of the encoding in front is passed over.
        finite: Whether NaN and infinite numbers, which JSON does not have, are a fault.
        pairs: Makes an object of its keys and values, such as one that minds keys that stand twice.

    Raises:
        JsonFault: with what is wrong, and where.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        plain = text.removeprefix("\ufeff")
        value = json.loads(plain, parse_int=_integer, object_pairs_hook=pairs)
    except JsonFault:
        raise
    except JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise JsonFault(f"is not JSON ({where}: {error.msg})") from None
    except UnicodeDecodeError as error:
        raise JsonFault(f"is not UTF-8 (offset {error.start})") from None
    except RecursionError:
        raise JsonFault(_TOO_DEEP) from None
    except ValueError as error:  # of a number that Python itself refuses
        raise JsonFault(f"is not JSON ({error})") from None
    if text.count("[") + text.count("{") > MOST_DEPTH and _depth(value) > MOST_DEPTH:
        raise JsonFault(_TOO_DEEP)
    if finite and (found := _not_finite(value, text)) is not None:
        raise JsonFault(found)
    return value


def read_json(
    path: Path, *, finite: bool = True, most: int = MOST_BYTES, pairs: Pairs | None = None
) -> Any:
    """The value of a JSON file; ``finite`` and ``pairs`` as ``parse_json`` has them.

    Raises:
        JsonFault: with what is wrong, and where.
        OSError: there is no such file, or it cannot be read.
    """
    with path.open("rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise JsonFault(f"is larger than {most / 1e6:,.0f} MB")
    return parse_json(data, finite=finite, pairs=pairs)


def read_object(path: Path, *, finite: bool = True, most: int = MOST_BYTES) -> dict[str, Any]:
    """The object ``{ … }`` of a JSON file; raises as ``read_json``."""
    found = read_json(path, finite=finite, most=most)
    if not isinstance(found, dict):
        raise JsonFault(f"holds a JSON {type(found).__name__}, no object {{ … }}")
    return found


def known_object(path: Path) -> dict[str, Any]:
    """The same, empty where it cannot be read: for what is a hint alone."""
    try:
        return read_object(path)
    except (OSError, ValueError):
        return {}


def fault_of(error: Exception) -> str:
    """The rest of a sentence for what ``read_json`` raised: ``cannot be read (Permission denied)``."""
    if isinstance(error, JsonFault):
        return str(error)
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"


_TOO_DEEP = f"has more than {MOST_DEPTH} lists and objects inside each other"


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise JsonFault(f"holds a number of {len(digits):,} digits")
    return int(digits)


def _depth(value: Any) -> int:
    """How many lists and objects are inside each other."""
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [
            inner for one in level for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def _not_finite(value: Any, text: str) -> str | None:
    """The first number that is not finite; looked for only where the text may hold one."""
    if not any(sign in text for sign in ("NaN", "Infinity", "e", "E")) and len(text) < MOST_DIGITS:
        return None
    for path, number in _numbers(value):
        if not math.isfinite(number):
            shown = "NaN" if math.isnan(number) else "infinite"
            return f"has the number '{path}', which is {shown}; JSON knows only finite numbers"
    return None


def _numbers(value: Any) -> Iterator[tuple[str, float]]:
    """All floats in their order, each with its path: ``layers.3.scale``."""
    waiting = [("", value)]
    while waiting:
        path, one = waiting.pop()
        if isinstance(one, float):
            yield path or "itself", one
        elif isinstance(one, dict | list):
            pairs = one.items() if isinstance(one, dict) else enumerate(one)
            inner = [(f"{path}.{key}" if path else str(key), item) for key, item in pairs]
            waiting += [pair for pair in inner[::-1] if isinstance(pair[1], float | dict | list)]
