"""An unbroken run, and others of the same configuration that are killed at chosen changes of a file."""

import json
import signal
from random import Random

import torch

from chatstill.run import run as pipeline

from . import world
from .children import count_changes, die, fork, wait


def distill(loaded):
    """In a child: one attempt."""
    pipeline.distill(loaded, console=world.console())


class Broken:
    """An unbroken run, and the means to break others of the same configuration."""

    files = ("predictions.tsv", "eval_results.txt")

    def __init__(self, shared, teacher, folder, changes):
        self.folder, self.shared, self.teacher, self.changes = folder, shared, teacher, changes
        self.output = folder / "child.txt"
        self.unbroken = self.load("unbroken")
        sizes = folder / "count"

        def counting():
            counted = count_changes(folder / "unbroken", lambda number, what: None)
            distill(self.unbroken)
            total = counted()
            sizes.write_text(str(total), encoding="utf-8")

        assert wait(fork(counting, self.output)) == 0, self.said()
        self.changes_made = int(sizes.read_text(encoding="utf-8"))

    def load(self, name):
        values = world.values_for(
            self.shared / "data", self.folder / name, self.teacher, **self.changes
        )
        return world.loaded(values, self.folder / f"configs-{name}")

    def said(self):
        return self.output.read_text(encoding="utf-8")

    def attempt(self, name, kill_at=None):
        """Exit code of one attempt; killed before its ``kill_at``-th change of a file."""
        loaded = self.load(name)

        def dying():
            if kill_at is not None:
                count_changes(
                    self.folder / name, lambda number, what: die() if number == kill_at else None
                )
            distill(loaded)

        return wait(fork(dying, self.output))

    def kill_again_and_again(self, name, generator: Random, times: int, least: int):
        """SIGKILL before one file operation after another, then to the end: as the unbroken run."""
        kills = 0
        for _ in range(times):
            code = self.attempt(name, kill_at=generator.randint(1, self.changes_made // 2))
            assert code in (-signal.SIGKILL, 0), self.said()[-3000:]
            if code == 0:  # no more than that was left to do
                break
            kills += 1
        assert kills >= least
        assert self.attempt(name) == 0, self.said()[-3000:]
        self.assert_equal(name)

    def assert_equal(self, name):
        left = world.weights_of(self.folder / "unbroken" / "student")
        right = world.weights_of(self.folder / name / "student")
        assert left.keys() == right.keys()
        different = [key for key in left if not torch.equal(left[key], right[key])]
        assert not different, different
        for file in self.files:
            one, other = (self.folder / n / file for n in ("unbroken", name))
            assert one.read_bytes() == other.read_bytes()
        assert metrics(self.folder / "unbroken") == metrics(self.folder / name)
        assert steps(self.folder / "unbroken") == steps(self.folder / name)
        leftovers = [
            p.name
            for p in (self.folder / name).rglob("*")
            if p.name.startswith((".staging", ".student", ".ready")) or p.suffix == ".part"
        ]
        assert not leftovers


def metrics(folder):
    """Without what depends on the clock."""
    found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    del found["finished"], found["training"]["seconds"]
    return found


def steps(folder):
    """What was logged at which step."""
    records = [
        json.loads(line)
        for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    return [(r["phase"], r["step"], r.get("dev/auc"), r.get("dev/loss")) for r in records]
