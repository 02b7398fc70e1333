"""Curves for TensorBoard, written where they are logged.

The libraries' own writers write from a thread of theirs: a full disk ends that thread with a traceback, and
the run hears of it later, if at all.
"""

import os
import socket
import time
from itertools import count
from pathlib import Path
from typing import IO, Any

from ..disk.full import writing


class Curves:
    """An event file in a folder; a run that goes on writes a new one beside those before.

    Args:
        folder: Made where it is missing.
        purge: What earlier files have from this step on is not drawn.

    Raises:
        OSError: of a full disk with the name of the file, at each call.
    """

    def __init__(self, folder: Path, purge: int | None = None) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        with writing(folder / "events"):
            folder.mkdir(parents=True, exist_ok=True)
        self.path, self._stream = _new_file(folder)
        self._events, self._writer = Event, RecordWriter(self._stream)
        self._write(file_version="brain.Event:2")
        if purge is not None:
            self._write(step=purge, session_log=SessionLog(status=SessionLog.START))
        self.flush()

    def add(self, name: str, value: float, step: int) -> None:
        """One point of a curve."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        point = Summary.Value(tag=name, simple_value=value)
        self._write(step=step, summary=Summary(value=[point]))

    def flush(self) -> None:
        """Hands all that was added to the system."""
        with writing(self.path):
            self._writer.flush()

    def close(self) -> None:
        """Flushes, and closes the file also where that fails."""
        with writing(self.path):
            self._stream.close()

    def _write(self, **fields: Any) -> None:
        event = self._events(wall_time=time.time(), **fields)
        with writing(self.path):
            self._writer.write(event.SerializeToString())


def _new_file(folder: Path) -> tuple[Path, IO[bytes]]:
    """A file of the name that TensorBoard looks for; the machine's name may hold anything."""
    host = (
        "".join(sign for sign in socket.gethostname() if sign.isalnum() or sign in "-.") or "host"
    )
    for number in count():
        path = folder / f"events.out.tfevents.{int(time.time()):010d}.{host}.{os.getpid()}.{number}"
        try:
            with writing(path):
                return path, open(path, "xb")
        except FileExistsError:
            continue
    raise AssertionError
