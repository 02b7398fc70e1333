"""The command line: ``chatstill VERB …`` and the doors. Whatever goes wrong is said in plain words."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SET_UP = (
    "chatstill is not set up for this Python. Once, in its folder: make setup (then use .venv/bin/python), "
    "or: python -m pip install torch==2.13.0 && python -m pip install -c constraints.txt -e ."
)
INTERRUPTED = 130
STOPPED = "interrupted: nothing that was saved before is lost."
EXAMPLE = Path("config") / "distill.example.1.json"


def main(arguments: Sequence[str] | None = None, *, default: Path = EXAMPLE) -> int:
    """Runs ``chatstill`` and gives its exit code.

    Args:
        arguments: Default: those of the process.
        default: The configuration that ``distill`` and ``check`` read where none is named.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its notices; ours say what matters
    try:
        with _ending_at_once():
            # In the order in which the help shows their verbs.
            from . import training, verbs, augmenting, looking, serving  # noqa: F401, I001
            from .guard import guarded
            from .options import app
            from .terminal import take_any_sign
            from .usage import call
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == __package__.split(".")[0]:
            raise
        sys.stderr.write(f"{SET_UP}\n(missing: {error.name})\n")
        return 1
    take_any_sign()
    return guarded(lambda: call(app, given, default))


@contextmanager
def _ending_at_once() -> Iterator[None]:
    """Ctrl-C while the libraries of the command line are imported ends the process then and there.

    Python would show in which of them it came, and some of them pass over it.
    """
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        os.write(2, f"{STOPPED}\n".encode())
        os._exit(INTERRUPTED)

    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def run_glue(door: str) -> int:
    """``python run_glue.py [my.json] …``: ``distill``, by default with the example beside the door."""
    return main(["distill", *sys.argv[1:]], default=_example(Path(door).resolve().parent))


def data_augmentation(door: str) -> int:
    """``python data_utils/data_augmentation.py [my.json] …``: ``augment``, likewise one folder above."""
    return main(["augment", *sys.argv[1:]], default=_example(Path(door).resolve().parents[1]))


def run_method(door: str, method: str, student: str) -> int:
    """``python elmo/elmo_distill.py [my.json] …``: ``distill`` by one method, whatever the file names.

    Args:
        door: The script, in a folder of the repository.
        method: The ``model_type``; ``--set`` may name another.
        student: That of its student.
    """
    default = _example(Path(door).resolve().parents[1])
    keys = {"model_type": method, "student_architectures.model_type": student}
    sets = [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
    given = sys.argv[1:]
    if not {"-h", "--help"} & {*given}:
        _say_what_is_passed_over(given, default, method)
    return main(["distill", *sets, *given], default=default)


def _example(repository: Path) -> Path:
    """The example configuration, by its short name where that leads to it."""
    beside = repository / EXAMPLE
    return EXAMPLE if EXAMPLE.resolve() == beside else beside


def _say_what_is_passed_over(given: Sequence[str], default: Path, method: str) -> None:
    """A line where the file names another method."""
    try:
        from ..config.source import parse_object
        from ..errors import UserError
        from ..lookup import find_method_file
    except ModuleNotFoundError:  # ``main`` says what is to be installed
        return
    values = [place + 1 for place, word in enumerate(given) if word == "--set"]
    paths = [Path(w) for n, w in enumerate(given) if n not in values and not w.startswith("-")]
    path = paths[0] if paths else default
    named = parse_object(path)[0].values.get("model_type") if path.is_file() else None
    if not isinstance(named, str):
        return
    try:
        same = find_method_file(named, None, ()).model_type == method
    except UserError:  # none of that name
        same = False
    if not same:
        sys.stderr.write(f"{path} names the method '{named}'; this script runs '{method}'.\n")
