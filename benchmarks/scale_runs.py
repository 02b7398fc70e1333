"""Starts chatstill in processes of its own and watches them: time to a step, resident memory."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

import scale_data

POLL = 0.1
PREPARE = """
import json, os, sys, time
from pathlib import Path
from chatstill.data.encoded import Lengths
from chatstill.data.views import prepare_view
from chatstill.readers.word_pieces import RowEncoder
from chatstill.tasks import get_task
from chatstill.text.tokenizers import resolve_tokenizer

file, teacher, cache = map(Path, sys.argv[1:])
tokenizer = resolve_tokenizer(None, str(teacher), None, None)
before, started = os.times(), time.perf_counter()
rows = get_task("chat").read(file, "train")
view = prepare_view(rows, RowEncoder(tokenizer, Lengths(64)), cache, source_fingerprint="benchmark")
seconds, after = time.perf_counter() - started, os.times()
used = after.user + after.system - before.user - before.system
size = sum(path.stat().st_size for path in view.folder.iterdir())
print(json.dumps({"seconds": seconds, "rows_per_second": len(view) / seconds,
                  "cores_used": used / seconds, "bytes": size}))
"""


def environment() -> dict[str, str]:
    """Tokenizers use every core, as in a run."""
    return {**os.environ, "TOKENIZERS_PARALLELISM": "true"}


def prepare(work: Path) -> dict[str, Any]:
    """Tokenises the whole file in a process of its own."""
    cache = work / "prepared"
    shutil.rmtree(cache, ignore_errors=True)
    words = [str(scale_data.train_file(work)), str(work / "teacher"), str(cache)]
    command = [sys.executable, "-c", PREPARE, *words]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    shutil.rmtree(cache, ignore_errors=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(work: Path, processes: int, batch: int, stop_after: float) -> dict[str, Any]:
    """A run from nothing, interrupted inside the epoch, and started again."""
    place = work / f"run-{processes}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    config = place / "run.json"
    text = json.dumps(scale_data.settings(work, place / "out", batch // processes))
    config.write_text(text, encoding="utf-8")
    rows = sum(1 for _ in open(scale_data.train_file(work), "rb"))
    steps = rows // batch
    stop = max(int(steps * stop_after), 1)
    with Watched(processes, config) as first:
        to_first = first.wait_for(place / "out" / "history.jsonl", 1)
        first.wait_for(place / "out" / "history.jsonl", stop)
    done = last_step(place / "out" / "history.jsonl")
    with Watched(processes, config) as second:
        resume = second.wait_for(place / "out" / "history.jsonl", done + 1)
    shutil.rmtree(place)
    return {
        "processes": processes,
        "first_step": to_first,
        "peaks": first.peaks(),
        "stopped_after": done,
        "steps_per_epoch": steps,
        "resume": resume,
        "peaks_again": second.peaks(),
    }


def last_step(history: Path) -> int:
    """The last step that was recorded; 0 where nothing was."""
    try:
        lines = history.read_text(encoding="utf-8").splitlines()
        return int(json.loads(lines[-1])["step"]) if lines else 0
    except (OSError, ValueError):  # not there yet, or a line half written
        return 0


class Watched:
    """`chatstill distill` with so many processes; leaving the block interrupts it and waits."""

    def __init__(self, processes: int, config: Path) -> None:
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        words = [*(launcher if processes > 1 else []), "-m", "chatstill", "distill", str(config)]
        self._log = open(config.with_suffix(".log"), "ab")
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, *words],
            env=environment(),
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._launcher = self._process.pid if processes > 1 else None
        self._peaks: dict[int, int] = {}
        self._own: dict[int, int] = {}

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        while self._process.poll() is None:
            self._look()
            time.sleep(POLL)
        self._log.close()

    def wait_for(self, history: Path, step: int) -> float:
        """Seconds since the start when this step was recorded.

        Raises:
            SystemExit: the run ended before.
        """
        while last_step(history) < step:
            if self._process.poll() is not None:
                raise SystemExit(f"the run ended before step {step}: see {self._log.name}")
            self._look()
            time.sleep(POLL)
        seconds = time.perf_counter() - self.started
        self._look()
        return seconds

    def peaks(self) -> list[int]:
        """Peak resident bytes of each training process."""
        return sorted(size for pid, size in self._peaks.items() if pid != self._launcher)

    def own_peaks(self) -> list[int]:
        """The same without pages of files, which the system takes back when it needs them; as polled."""
        return sorted(size for pid, size in self._own.items() if pid != self._launcher)

    def _look(self) -> None:
        """Linux keeps the highest resident size of each process."""
        with contextlib.suppress(psutil.NoSuchProcess, OSError):
            whole = psutil.Process(self._process.pid)
            for process in [whole, *whole.children(recursive=True)]:
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
                said = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
                if "VmHWM" in said:
                    self._peaks[process.pid] = _bytes(said["VmHWM"])
                    own = max(_bytes(said["RssAnon"]), self._own.get(process.pid, 0))
                    self._own[process.pid] = own


def _bytes(told: str) -> int:
    """``  123 kB`` of /proc."""
    return int(told.split()[0]) * 1024
