"""Which link's network stands for a chain."""

import json

import pytest

from chatstill.disk.run_files import last_link


@pytest.mark.parametrize(
    ("state", "names", "found"),
    [
        ("finished", ["one", "two", "alone"], "two"),
        ("running", ["one", "two"], None),
        ("finished", None, None),
        ("finished", ["../elsewhere"], None),
    ],
)
def test_a_chain_without_figures_is_known_by_its_record(tmp_path, state, names, found):
    fingerprint = {"seed": 1} if names is None else {"pipeline": names}
    record = {"format": 1, "state": state, "fingerprint": fingerprint}
    (tmp_path / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert last_link(tmp_path) == (None if found is None else tmp_path / found)


def test_its_figures_name_them_first(tmp_path):
    links = [{"name": "one"}, {"name": "direct"}]
    (tmp_path / "metrics.json").write_text(json.dumps({"links": links}), encoding="utf-8")
    assert last_link(tmp_path) == tmp_path / "one"
    assert last_link(tmp_path / "not there") is None
