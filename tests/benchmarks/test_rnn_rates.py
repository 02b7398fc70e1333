"""The benchmark of learning rates: each rate has a folder of its own, and the usual one is shared."""

import pytest

import rnn_rates
import rnn_students
from chatstill.models.networks import network


@pytest.fixture
def places(tmp_path):
    folders = ["--work", str(tmp_path / "work"), "--data", str(tmp_path / "source")]
    return [*folders, "--out", str(tmp_path / "out")]


def test_every_rate_has_a_folder_and_files_of_its_own(places):
    cells = list(rnn_rates.plan(rnn_rates.parse(places)))
    beside = [(cell.task, cell.folder.with_suffix(".json").name) for cell in cells]
    assert len(set(beside)) == len(cells), "a dot in a name would make one file of several"
    for cell in cells:
        if cell.arm != "teacher":
            assert f"{cell.config['learning_rate']:g}" == cell.arm.split()[-1]
            assert [one.arm for one in cell.needs] == ["teacher"]


def test_the_usual_rate_is_the_run_of_the_other_benchmark(places):
    theirs = rnn_students.plan(rnn_students.parse([*places, "--seeds", "1"]))
    known = {cell.folder: cell.config for cell in theirs}
    usual = network("bilstm").rate
    shared = [c for c in rnn_rates.plan(rnn_rates.parse(places)) if c.folder in known]
    runs = [cell for cell in shared if cell.arm != "teacher"]
    assert {cell.config["learning_rate"] for cell in runs} == {usual}
    assert {cell.arm.split()[0] for cell in runs} == {"bilstm", "ltd"}
    assert all(cell.config == known[cell.folder] for cell in runs)


def test_what_is_missing_is_said(places):
    results = rnn_rates.summarise(rnn_rates.parse(places))
    text = rnn_rates.as_markdown({**results, "machine": {"device": "some"}})
    assert f"PARTIAL: {len(results['missing'])} cells" in text and len(results["missing"]) > 20
