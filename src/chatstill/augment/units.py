"""The candidates of all units that lack them, by one process or several."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch

from ..disk.json_file import parse_json
from ..errors import Problem, RunFailure, UserError
from .candidates import Finder
from .work import Work, read_sentences, write_choices

Done = Callable[[int], None]
MOST_WORKERS = 8


def usual_workers(device: str) -> int:
    """As many as cores, eight at most; one where a GPU computes."""
    return 1 if device != "cpu" else min(len(os.sched_getaffinity(0)), MOST_WORKERS)


def find_unit(finder: Finder, folder: Path, unit: int) -> int:
    """Writes the candidates of a unit; gives its number of sentences."""
    sentences = read_sentences(folder, unit)
    write_choices(folder, unit, finder.of(sentences))
    return len(sentences)


def find_here(work: Work, finder: Finder, done: Done) -> None:
    """All missing units in this process, with one thread, as the workers have: sums come in one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for unit in work.missing():
            done(find_unit(finder, work.folder, unit))
    finally:
        torch.set_num_threads(threads)


def find_in_processes(work: Work, workers: int, done: Done) -> None:
    """All missing units in several processes; which one has a unit does not show in its candidates.

    Raises:
        UserError: a worker was stopped by the user's data.
        RunFailure: a worker ended before its time.
    """
    left = work.missing()
    with ExitStack() as stack:
        free: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        number = min(workers, len(left))
        pool = stack.enter_context(ThreadPoolExecutor(max(number, 1)))  # left last: see below
        for _ in range(number):
            free.put(stack.enter_context(_worker(work.folder)))

        def one(unit: int) -> int:
            process = free.get()
            try:
                _ask(process, unit)
                return len(read_sentences(work.folder, unit))
            finally:
                free.put(process)

        waiting = [pool.submit(one, unit) for unit in left]
        try:
            for future in as_completed(waiting):
                done(future.result())
        except BaseException:  # the workers end, and with them what the threads wait for
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _ask(process: subprocess.Popen[str], unit: int) -> None:
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(f"{unit}\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except OSError:
        line = ""
    if not line:
        raise RunFailure(f"a worker ended before its time (unit {unit}); start it again to go on")
    found = parse_json(line)
    if "problems" in found:
        raise UserError([_again(**told) for told in found["problems"]])


def _again(*, code: str, **told: Any) -> Problem:
    """A problem that a worker found."""
    return Problem(**told, code=code)


@contextmanager
def _worker(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with the block, or when this process is gone."""
    named = [sys.executable, "-m", "chatstill.augment.worker", str(folder)]
    with subprocess.Popen(
        named,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,  # Ctrl-C is this process's to answer
        env={**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
    ) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            try:
                process.stdin.close()
            except OSError:
                pass
            process.terminate()
