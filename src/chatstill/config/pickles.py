"""The classes that a pickle names, read without making any of them."""

import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PLAIN_MODULES = ("torch", "collections", "_codecs", "numpy", "builtins", "__builtin__", "argparse")

_LARGEST_PICKLE = 20_000_000


def foreign_classes(path: Path) -> set[str]:
    """Classes a pickle would make that a plain dictionary of tensors does not need."""
    found = set()
    for module, name in _globals_of(path):
        plain = module.split(".")[0] in _PLAIN_MODULES and not module.startswith("torch.nn.modules")
        if not plain:
            found.add(f"{module}.{name}")
    return found


def _globals_of(path: Path) -> Iterator[tuple[str, str]]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            inner = [item for item in archive.infolist() if item.filename.endswith("/data.pkl")]
            if not inner:
                raise zipfile.BadZipFile("no data.pkl")
            if inner[0].file_size <= _LARGEST_PICKLE:
                with archive.open(inner[0]) as stream:
                    yield from _globals_in(stream)
        return
    if _begins_as_zip(path):
        raise zipfile.BadZipFile("cut off")
    with path.open("rb") as stream:
        for _ in range(4):  # the old format: magic number, version, system, then the object
            yield from _globals_in(stream)


def _begins_as_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"PK"


def _globals_in(stream: Any) -> Iterator[tuple[str, str]]:
    words: list[str] = []
    for code, argument, _ in pickletools.genops(stream):
        if code.name == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            yield module, name
        elif code.name == "STACK_GLOBAL" and len(words) >= 2:
            yield words[-2], words[-1]
        elif isinstance(argument, str):
            words.append(argument)
