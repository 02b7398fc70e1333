"""Teachers and data that all path tests share; made once."""

import json
import logging
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from chatstill.run import run as pipeline

from . import by_hand, world


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """Chat and GLUE files."""
    folder = tmp_path_factory.mktemp("world")
    for write in (world.write_chat, world.write_sst2, world.write_stsb):
        write(folder / "data")
    return folder


@pytest.fixture(scope="session")
def teacher_of(shared):
    """A teacher of any kind that is right about chat; built when first asked for. Never written to."""

    def get(kind: str = "bert") -> Path:
        folder = shared / f"teacher-{kind}"
        if not folder.exists():
            world.build_network(folder, kind)
            by_hand.make_right(folder)
        return folder

    return get


@pytest.fixture
def copy_of(teacher_of, tmp_path):
    """A teacher to be changed: ``copy_of("bert", id2label={...})``."""

    def make(kind: str = "bert", **config) -> Path:
        folder = tmp_path / "copied-teacher"
        shutil.copytree(teacher_of(kind), folder)
        path = folder / "config.json"
        values = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**values, **config}), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def run(shared, teacher_of, tmp_path):
    """Runs a verb in this process: ``run(learning_rate=1).text`` is what it printed."""

    def go(verb: str = "distill", *, fresh: bool = False, name: str = "out", **changes):
        teacher = changes.pop("teacher", None) or teacher_of()
        data = changes.pop("data", None) or shared / "data"
        output = tmp_path / name
        values = world.values_for(data, output, teacher, **changes)
        where = world.console()
        loaded = world.loaded(values, tmp_path / "configs", "check" if verb == "check" else verb)
        extra = {} if verb == "check" else {"fresh": fresh}
        getattr(pipeline, verb)(loaded, console=where, **extra)
        return SimpleNamespace(folder=output, text=world.said(where), loaded=loaded, values=values)

    return go


@pytest.fixture(scope="session")
def finished(shared, teacher_of, tmp_path_factory) -> SimpleNamespace:
    """One finished run that several tests look at. Nobody changes it."""
    folder = tmp_path_factory.mktemp("finished")
    values = world.values_for(shared / "data", folder / "out", teacher_of())
    where = world.console()
    loaded = world.loaded(values, folder)
    pipeline.distill(loaded, console=where)
    return SimpleNamespace(
        folder=folder / "out", text=world.said(where), values=values, loaded=loaded
    )


@pytest.fixture(autouse=True)
def quiet_log():
    """Every run opens its own log."""
    yield
    log = logging.getLogger("chatstill")
    for handler in list(log.handlers):
        log.removeHandler(handler)
        handler.close()
    log.propagate = True
