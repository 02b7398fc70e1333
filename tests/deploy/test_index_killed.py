"""SIGKILL at every moment of building, adding, removing and compacting: the last complete index stands."""

import os
import shutil
import signal

import pytest

from chatstill.deploy import change
from chatstill.deploy.index import Index
from chatstill.deploy.network import open_network
from chatstill.errors import UserError
from tests.deploy.serving import (
    QUERIES,
    REPLIES,
    Quiet,
    content,
    margins,
    plain,
    saved,
    saved_sentences,
)
from tests.found import codes

# What a writer asks of the system; a process that is killed is killed before one of these.
CALLS = ("open", "replace", "rename", "fsync", "unlink", "mkdir", "write", "close")
MOMENTS = 30


@pytest.fixture(scope="module", params=["keys", pytest.param("vectors", marks=pytest.mark.slow)])
def model(request, tmp_path_factory):
    make = {"keys": saved, "vectors": saved_sentences}[request.param]
    return open_network(make(tmp_path_factory.mktemp("model") / "one"))


@pytest.fixture(autouse=True)
def shards(model, monkeypatch):
    size = 1500 if model.model.config.model_type == "dc-bert" else 40
    monkeypatch.setattr("chatstill.deploy.build.SHARD_BYTES", size)


def in_a_process(work, dies_at):
    """Calls of the system that ``work`` came to; with ``dies_at`` it is killed before that one."""
    reading, writing = os.pipe()
    number = os.fork()
    if number == 0:
        count = 0

        def counted(usual):
            def call(*args, **kwargs):
                nonlocal count
                count += 1
                if count == dies_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return usual(*args, **kwargs)

            return call

        say, end = os.write, os._exit
        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        except BaseException as error:
            say(writing, repr(error).encode()[:200])
            end(1)
        say(writing, str(count).encode())
        end(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]), text


def begin_nothing(model, folder):
    pass


def begin_built(model, folder):
    change.build(model, plain(REPLIES[:6]), folder, change.Form(), Quiet().desk)


def begin_removed(model, folder):
    begin_built(model, folder)
    change.add(model, plain(REPLIES), folder, Quiet().desk)
    change.remove(folder, REPLIES[1:4], Quiet().desk)


def build(model, folder):
    change.build(model, plain(REPLIES), folder, change.Form(), Quiet().desk)


def add(model, folder):
    change.add(model, plain(REPLIES), folder, Quiet().desk)


def remove(model, folder):
    change.remove(folder, REPLIES[1:4], Quiet().desk)


def compact(model, folder):
    change.compact(folder, Quiet().desk)


WORK = {
    "build": (begin_nothing, build, MOMENTS),
    "add": (begin_built, add, MOMENTS),
    "remove": (begin_built, remove, 10),
    "compact": (begin_removed, compact, 20),
}


def state(model, folder):
    """What an index answers, or the code of why it does not."""
    try:
        return margins(model, Index(folder), QUERIES[0])
    except UserError as error:
        return codes(error)[0]


@pytest.mark.parametrize("name", WORK)
def test_killed_at_any_moment_it_is_the_last_complete_index_and_goes_on(name, model, tmp_path):
    begin, work, moments = WORK[name]
    start, whole = tmp_path / "start", tmp_path / "whole"
    begin(model, start)
    if start.exists():
        shutil.copytree(start, whole)
    code, calls = in_a_process(lambda: work(model, whole), None)
    assert code == 0, calls
    before, after, bytes_after = state(model, start), state(model, whole), content(whole)
    assert int(calls) > moments
    seen = set()
    for moment in sorted(
        {1 + number * (int(calls) - 1) // (moments - 1) for number in range(moments)}
    ):
        folder = tmp_path / f"at-{moment}"
        if start.exists():
            shutil.copytree(start, folder)
        assert in_a_process(lambda at=folder: work(model, at), moment)[0] == -signal.SIGKILL
        left = state(model, folder)
        assert left in (before, after) or (not start.exists() and left == "index.not-complete"), (
            moment
        )
        seen.add(str(left))
        if left != after or name != "remove":  # removing twice is refused
            work(model, folder)
            assert state(model, folder) == after
            assert content(folder) == bytes_after, moment
        shutil.rmtree(folder)
    assert len(seen) > 1
