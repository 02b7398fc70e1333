"""Cutting many texts into words: each different text once, in several processes where there are many.

jieba cuts some 3,000 short texts a second on one core. So what was cut for the vocabulary is not cut again
for the rows: who uses one segmenter shares a ``Cutter``, which keeps words as numbers under texts' digests.
"""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from types import ModuleType

from ..errors import Problem, UserError
from .segment import Segmenter, load_segmenter

FEW = 20_000  # texts; below, starting processes takes longer than they save
QUICK = 20_000  # texts a second; sending them takes as long
AT_A_TIME = 32_768  # different texts that are in memory with their words
PART = 500  # texts that a process takes at a time
MOST_BYTES = 500_000_000  # kept
IDLE = 10.0  # seconds after which waiting processes end: each holds a dictionary
log = logging.getLogger("chatstill")


class Cutter:
    """Texts to words, remembered as far as memory allows.

    Args:
        segmenter: Loaded anew in each process, by its name and dictionary.
        processes: At most; default: one for each core, where cutting takes longer than sending.
        most_bytes: About what may be kept.
    """

    def __init__(
        self, segmenter: Segmenter, *, processes: int | None = None, most_bytes: int = MOST_BYTES
    ) -> None:
        self.segmenter = segmenter
        self.processes = processes or _cores()
        self._measures = processes is None
        self.num_cut = 0
        self._seconds = 0.0
        self._say_at = FEW
        self._room = self._most_bytes = most_bytes
        self._known: dict[bytes, bytes] = {}
        self._words: list[str] = []
        self._numbers: dict[str, int] = {}
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None

    def __call__(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """The words of each text, in order; texts are drawn as they are needed.

        Raises:
            UserError: see ``Segmenter.cut``; of the first text that it holds for.
        """
        rest = iter(texts)
        while some := list(islice(rest, AT_A_TIME)):
            yield from self._chunk(some)

    def known(self, text: str) -> list[str] | None:
        """The words of a text that was cut before; None if it was not cut, or is forgotten."""
        key = _digest(text)
        with self._lock:
            return self._kept(key) if key in self._known else None

    def rate(self) -> str:
        """What was cut so far, for the log: ``jieba 0.42.1 cut 30,000 texts (2,950 a second, 1 process)``."""
        name = f"{self.segmenter.name} {self.segmenter.version}".strip()
        per_second = self.num_cut / max(self._seconds, 1e-6)
        how_many = "1 process" if self._pool is None else f"{self.processes} processes"
        return f"{name} cut {self.num_cut:,} texts ({per_second:,.0f} a second, {how_many})"

    def forget(self) -> None:
        """Gives the memory back, once nothing is left to cut."""
        with self._lock:
            self._known, self._words, self._numbers = {}, [], {}
            self._room = self._most_bytes

    def close(self) -> None:
        """Ends the processes; further texts start them again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _chunk(self, texts: list[str]) -> Iterator[list[str]]:
        """The words of some texts. Words that are not kept stay in memory only until these are read."""
        keys = [_digest(text) for text in texts]
        with self._lock:
            new = {k: t for k, t in zip(keys, texts, strict=True) if k not in self._known}
            began, fresh = time.monotonic(), {}
            for key, words in zip(new, self._cut(list(new.values())), strict=True):
                if not self._keep(key, words):
                    fresh[key] = words
            self.num_cut += len(new)
            self._seconds += time.monotonic() - began
            if self.num_cut >= self._say_at:
                self._say_at = 2 * self.num_cut
                log.info("%s", self.rate())
            found = [fresh[key] if key in fresh else self._kept(key) for key in keys]
        yield from found

    def _keep(self, key: bytes, words: list[str]) -> bool:
        """Remembers a text's words; False where there is no room left."""
        unseen = [word for word in words if word not in self._numbers]
        need = 200 + 4 * len(words) + sum(150 + 2 * len(word) for word in unseen)
        if need > self._room:
            return False
        self._room -= need
        for word in dict.fromkeys(unseen):
            self._numbers[word] = len(self._words)
            self._words.append(word)
        self._known[key] = array("i", [self._numbers[word] for word in words]).tobytes()
        return True

    def _kept(self, key: bytes) -> list[str]:
        numbers = array("i")
        numbers.frombytes(self._known[key])
        return [self._words[number] for number in numbers]

    def _cut(self, texts: list[str]) -> Iterator[list[str]]:
        """The words of different texts, here or in processes."""
        many = self.num_cut + len(texts) >= FEW and len(texts) > PART
        if self.processes < 2 or not many:
            yield from map(self.segmenter.cut, texts)
            return
        done = 0
        if self._measures and self._pool is None:
            began, done = time.monotonic(), PART
            yield from [self.segmenter.cut(text) for text in texts[:PART]]
            if PART / (time.monotonic() - began + 1e-9) > QUICK:
                self.processes = 1
                yield from map(self.segmenter.cut, texts[PART:])
                return
        try:
            for words in self._in_processes(texts[done:]):
                done += 1
                yield words
        except (
            BrokenProcessPool
        ):  # a script without the guard that starting processes needs, or killed ones
            log.info("processes that cut words ended; going on in this one")
            self._stop()
            self.processes = 1
            yield from map(self.segmenter.cut, texts[done:])

    def _in_processes(self, texts: list[str]) -> Iterator[list[str]]:
        if self._timer is not None:
            self._timer.cancel()
        if self._pool is None:
            how = (self.segmenter.name, self.segmenter.dictionary, self.segmenter.place)
            spawned = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.processes, spawned, _start, how)
        waiting: list[Future[list[list[str]] | list[Problem]]] = []
        try:
            with _without_main():
                for at in range(0, len(texts), PART):
                    waiting.append(self._pool.submit(_cut, texts[at : at + PART]))
            for future in waiting:
                yield from _words_of(future.result())
        except BaseException:  # Ctrl-C too, and a reader that wants no more
            self._stop()
            raise
        self._timer = threading.Timer(IDLE, self.close)
        self._timer.daemon = True
        self._timer.start()

    def _stop(self) -> None:
        """Ends the processes in the middle of what they do."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        running = list((pool._processes or {}).values())
        for process in running:
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)
        for process in running:
            process.join()


@lru_cache(maxsize=2)
def cutter_of(segmenter: Segmenter) -> Cutter:
    """The one that all share who cut with this segmenter."""
    return Cutter(segmenter)


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes start without running the user's script, which each would do again from its first line."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _cores() -> int:
    """Cores that this process may use; 1 if it may start no other process."""
    if multiprocessing.current_process().daemon:
        return 1
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable is not None else os.cpu_count() or 1


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _words_of(found: list[list[str]] | list[Problem]) -> list[list[str]]:
    """What a process gives back; its problem is raised here, with its place."""
    problems = [one for one in found if isinstance(one, Problem)]
    if problems:
        raise UserError(problems)
    return [one for one in found if isinstance(one, list)]


# -- in a process that cuts ------------------------------------------------------------------------

_mine: Segmenter | None = None


def _start(name: str, dictionary: str, place: str) -> None:
    global _mine
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its processes
    threading.Thread(target=_follow_parent, daemon=True).start()
    _mine = load_segmenter(name, dictionary, place=place)


def _follow_parent() -> None:
    """Ends this process with the one that started it, also where that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)


def _cut(texts: Sequence[str]) -> list[list[str]] | list[Problem]:
    assert _mine is not None
    try:
        return [_mine.cut(text) for text in texts]
    except UserError as error:
        return error.problems
