"""What a chain tells of its links before the first of them starts."""

import io
from types import SimpleNamespace

from rich.console import Console

from chatstill.preflight.plan import PHASE, Plan, Section
from chatstill.run.chain import overview


def told_of(*plans):
    links = [SimpleNamespace(name=f"link{number}", after=[]) for number, _ in enumerate(plans)]
    stream = io.StringIO()
    overview(SimpleNamespace(links=links), list(plans), Console(file=stream, width=100))
    return [line.split(maxsplit=2) for line in stream.getvalue().splitlines()]


def test_a_link_of_several_phases_tells_the_steps_of_each_by_its_name():
    two = Plan(
        [
            Section("networks", [("teacher", "6 layers"), ("labels", "no, yes")]),
            Section(f"{PHASE}vectors", [("steps", "10"), ("batch", "32")]),
            Section(f"{PHASE}task", [("steps", "20"), ("time", "1 h")]),
        ]
    )
    lines = told_of(two)[1:]
    assert lines == [
        ["teacher", "6", "layers"],
        ["phase", "vectors", "10"],
        ["phase", "task", "20"],
        ["time", "1", "h"],
    ]


def test_a_lone_phase_needs_no_name():
    one = Plan([Section(f"{PHASE}task", [("steps", "20")])])
    assert told_of(one)[1:] == [["steps", "20"]]
