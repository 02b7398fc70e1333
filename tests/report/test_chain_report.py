"""The table of a chain: what cannot be compared does not stand in one column."""

import json

from tests.report.test_run_report import METRICS

from chatstill.report.chain import chain_report
from chatstill.report.run import main_of

HEAD = {"loss": 5.1, "masked_acc": 0.29, "pseudo_perplexity": 164.0}
TERMS = {"loss": 17.7, "term/attention": 17.3, "term/hidden": 0.4}


def link(folder, name, metrics):
    run = {key: value for key, value in METRICS.items() if key not in ("teacher", "agreement")}
    dev = {"rows": 9, "main": "loss", "value": metrics["loss"], "metrics": metrics}
    (folder / name).mkdir()
    (folder / name / "metrics.json").write_text(json.dumps({**run, "dev": dev}), encoding="utf-8")
    entry = {"name": name, "folder": str(folder / name), "network": name, "task": "corpus"}
    entry |= {"method": name, "after": [], "teacher": None, "main": "loss"}
    return {
        **entry,
        **{"value": metrics["loss"], "lower_is_better": True, "layers": 3, "parameters": 9},
        "steps": 50,
    }


def test_the_loss_of_own_terms_is_no_loss_of_a_head(tmp_path):
    links = [link(tmp_path, "head", HEAD), link(tmp_path, "general", TERMS)]
    report = chain_report({"links": links}, [tmp_path / "head", tmp_path / "general"])
    head, general = report.rows
    assert head.metrics["loss"].value == 5.1
    assert general.metrics["own_loss"].value == 17.7
    assert "loss" not in general.metrics and "own_loss" not in head.metrics
    assert report.summary == "head loss 5.100 → general loss of its terms 17.700"
    assert [series.name for series in report.scores] == ["general"]


def test_its_name_follows_what_stands_beside_it():
    assert main_of({"main": "loss", "metrics": HEAD}) == "loss"
    assert main_of({"main": "loss", "metrics": {"loss": 3.0, "perplexity": 20.0}}) == "loss"
    assert main_of({"main": "loss", "metrics": TERMS}) == "own_loss"
    assert main_of({"main": "mrr", "metrics": {"mrr": 0.5}}) == "mrr"
