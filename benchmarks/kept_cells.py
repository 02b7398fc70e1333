"""Finished cells beside the tables: figures and scores, not the networks, so that another machine goes on.

``results/cells/BENCHMARK/SET--CELL.tar.xz`` holds what the tables read of a cell. A benchmark unpacks them
into its work folder when it starts and packs what has become finished; a cell whose teacher's network is not
there is preceded by the teacher, trained once more.
"""

import argparse
import io
import lzma
import shutil
import tarfile
from pathlib import Path

ONE_FILE = ".cell.json"  # of benchmarks that draw all they need of a cell together themselves
RECORD = ".record.json"  # seconds and commits of a cell's attempts
COSTS = "costs.json"  # bytes and milliseconds, measured while the network was there
ANSWERS = "predictions.tsv"
READ = ("metrics.json", ANSWERS, COSTS)
EARLIER = "-earlier-"  # and a number, behind a run folder's name: figures of before it was trained once more


def _place(options: argparse.Namespace) -> Path | None:
    return options.out / "cells" / options.cells if options.cells else None


def restore(options: argparse.Namespace) -> int:
    """Unpacks what is not in the work folder; the number of files.

    A cell that is being trained once more has no figures just now, and must not get its old ones.
    """
    written, place = 0, _place(options)
    for packed in sorted(place.glob("*.tar.xz")) if place else ():
        folder, _, name = packed.name.removesuffix(".tar.xz").partition("--")
        if earlier(options.work / folder / name):
            continue
        with tarfile.open(packed) as archive:
            for member in archive:
                if not (options.work / member.name).exists():
                    archive.extract(member, options.work, filter="data")
                    written += 1
    return written


def keep(options: argparse.Namespace) -> int:
    """Packs the finished cells, the changed ones anew; the number of archives that were written."""
    written, place = 0, _place(options)
    if place is None:
        return 0
    for config in sorted(options.work.glob("*/*.json")):
        if config.name.endswith(RECORD):
            continue
        name = config.name.removesuffix(".json").removesuffix(".cell")
        tested = config.parent.name not in getattr(options, "untested", ())
        files = files_of(config.parent, name, tested=tested)
        if not files:
            continue
        packed = _packed(options.work, files)
        target = place / f"{config.parent.name}--{name}.tar.xz"
        if not target.is_file() or target.read_bytes() != packed:
            place.mkdir(parents=True, exist_ok=True)
            fresh = target.with_suffix(".new")
            fresh.write_bytes(packed)
            fresh.replace(target)
            written += 1
    return written


def files_of(folder: Path, name: str, *, tested: bool = True) -> list[Path]:
    """What tables read of a cell; empty where it is not finished.

    Args:
        folder: Where the cells of its kind lie.
        name: Of its run folder.
        tested: Whether it is finished only when its network was scored on test rows.
    """
    whole = folder / f"{name}{ONE_FILE}"
    if whole.is_file():
        return [whole]
    parts = [folder / name, *([folder / f"{name}-test"] if tested else [])]
    if not all((part / READ[0]).is_file() for part in parts):
        return []
    found: list[Path] = []
    for part in parts:  # answers of test rows are read, not those of dev beside them
        read = [file for file in READ if file != ANSWERS or not tested or part != parts[0]]
        wanted = [*read, *(f"*/{file}" for file in read)]  # of a chain's links too
        found += [file for pattern in wanted for file in sorted(part.glob(pattern))]
    for before in earlier(folder / name):
        found += files_of(folder, before.name, tested=tested)
    record = folder / f"{name}{RECORD}"
    return [*found, record] if record.is_file() else found


def network_is_there(folder: Path) -> bool:
    """Whether a cell's folder holds what others are taught by, or start from."""
    return any((folder / name).is_dir() for name in ("teacher", "student"))


def forget(folder: Path, *, tested: bool = True) -> None:
    """Takes a finished cell's figures away, so that it runs again; they stay beside it, as earlier ones."""
    if not files_of(folder.parent, folder.name, tested=tested):
        return
    name = f"{folder.name}{EARLIER}{len(earlier(folder)) + 1}"
    folder.rename(folder.with_name(name))
    test = folder.with_name(f"{folder.name}-test")
    if test.is_dir():
        test.rename(folder.with_name(f"{name}-test"))
    folder.with_suffix(RECORD).unlink(missing_ok=True)


def earlier(folder: Path) -> list[Path]:
    """The folders of a cell's figures from before it was trained once more."""
    return sorted(folder.parent.glob(f"{folder.name}{EARLIER}[0-9]"))


def keep_costs(folder: Path) -> None:
    """Of a cell that ran again: what its network costs hangs on its shape, so what was measured holds."""
    for before in earlier(folder):
        if (before / COSTS).is_file() and not (folder / COSTS).is_file():
            shutil.copy(before / COSTS, folder)


def _packed(work: Path, files: list[Path]) -> bytes:
    """The same bytes for the same files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in files:
            about = tarfile.TarInfo(file.relative_to(work).as_posix())
            data = file.read_bytes()
            about.size, about.mode = len(data), 0o644
            archive.addfile(about, io.BytesIO(data))
    return lzma.compress(stream.getvalue())
