"""The documented schemas are those of a real run, and the examples of extending it work."""

import json
import re

import pytest

from chatstill.config.schema import Architecture, RunKeys
from chatstill.methods.theseus import Config as TheseusKeys
from chatstill.run import run as pipeline
from chatstill.run.results import evaluate_folder
from chatstill.train.checkpoints import CheckpointStore

from .bilingual import anchors, links
from .pages import READMES, ROOT, documented, fences, names, section, table, text_of
from .path import by_hand, world
from .path.conftest import quiet_log  # noqa: F401

RUN = "docs/run_folder.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run with two phases, its checkpoints and the best weights."""
    folder = tmp_path_factory.mktemp("docs")
    data = world.write_chat(folder / "data", train=6, dev=15)
    teacher = world.build_network(folder / "teacher", layers=2)
    by_hand.make_right(teacher)
    scheduler = {"replacing_rate": 0.9, "successor_num_train_epochs": 1}
    values = world.values_for(
        data, folder / "out", teacher, theseus_scheduler=scheduler, keep="best", save_steps=2
    )
    loaded = world.loaded(values, folder)
    pipeline.distill(loaded, console=world.console())
    return folder / "out", loaded


def flat(value, path=""):
    """Dotted keys; names of metrics stand as NAME, items of a list as ``[]``."""
    if isinstance(value, dict) and (value or not path.endswith(("left_out", "remarks"))):
        named = path.endswith(("metrics", "left_out", "remarks", "predicted"))
        return {
            key
            for name, item in value.items()
            for key in flat(item, f"{path}.{'NAME' if named else name}".lstrip("."))
        }
    if path.endswith(("left_out", "remarks")):
        return {f"{path}.NAME"}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return flat(value[0], f"{path}[]")
    return {path}


def documented_metrics():
    """Names in the key column, and those that a row adds with "likewise"."""
    keys = set()
    rows = table(section(RUN, "metrics.json"))
    for row in rows[: next(n for n, row in enumerate(rows) if row[0] == "`chat`")]:
        keys |= {*names(row[0])}
        if "likewise" in row[2]:
            keys |= {name for name in names(row[2].split("likewise")[1]) if "." in name}
    return keys


def test_metrics_json(run):
    folder, _ = run
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert flat(metrics) == documented_metrics()
    assert metrics["format"] == 1
    types = {"integer": int, "string": str, "number": float}
    for row in table(section(RUN, "metrics.json")):
        key = names(row[0])[0]
        if row[1] in types and "NAME" not in key and "[]" not in key:
            value = metrics
            for part in key.split("."):
                value = value[part]
            assert type(value) is types[row[1]], key


def test_metrics_json_of_evaluate(run, tmp_path):
    folder, loaded = run
    evaluate_folder(folder / "student", loaded.config, "dev", tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    listed = section(RUN, "metrics.json").split("a shorter")[1]
    assert metrics.keys() == {*names(listed)} - {"metrics.json"}
    assert metrics["dev"].keys() == {
        key.split(".")[1].removesuffix("[]")
        for key in documented_metrics()
        if key.startswith("dev.")
    }


def test_metrics_of_a_task_are_listed(run):
    folder, _ = run
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["dev"]["metrics"]
    (row,) = [row for row in table(section(RUN, "metrics.json")) if row[0] == "`chat`"]
    listed = {*names(row[1])}
    for name in metrics:
        plain = re.sub(r"^r\d+@\d$", "rn@k", name)
        assert plain in listed or name.startswith("random_"), name


def test_files_of_a_run(run):
    folder, _ = run
    files = {path.name + "/" * path.is_dir() for path in folder.iterdir()}
    listed = documented(section(RUN, "The run folder"))
    assert {name for name in files if not name.startswith(".")} == listed


def test_data_report(run):
    folder, _ = run
    report = json.loads((folder / "data_report.json").read_text(encoding="utf-8"))
    page = documented(section("docs/data_report.md", "data_report.json"))
    kinds = page & {*report["train"]["kinds"]}
    assert kinds == {*report["train"]["kinds"]}
    assert _report_keys(report) == page - kinds - {"KIND"}


def _report_keys(value, path=""):
    """Dotted keys; splits, labels and kinds by a common name, lengths without their three keys."""
    if isinstance(value, list) and path.endswith("commonest"):
        return {f"{path}[].text", f"{path}[].count"}
    if not isinstance(value, dict) or "percentile_95" in value:
        return {path}
    own = {"labels": "NAME", "kinds": "KIND"}.get(path.rpartition(".")[2])
    found = set()
    for key, item in value.items():
        name = "SPLIT" if key in ("train", "dev") else own or key
        found |= _report_keys(item, f"{path}.{name}".lstrip("."))
    return found


def test_history_and_predictions_and_run_json(run):
    folder, _ = run
    found = set()
    for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines():
        found |= {re.sub("^dev/.*", "dev/NAME", key) for key in json.loads(line)}
    found = {re.sub("^term/task", "term/NAME", key) for key in found}
    assert found == documented(section(RUN, "history.jsonl"))
    header = (folder / "predictions.tsv").read_text(encoding="utf-8").split("\n")[0].split("\t")
    page = documented(section(RUN, "predictions.tsv"))
    assert page - {*header} == {"id", "text_a", "text_b"} and {*header} < page
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record.keys() == documented(section(RUN, "run.json"))
    resolved = json.loads((folder / "config.resolved.json").read_text(encoding="utf-8"))
    assert all(entry.keys() == {"value", "origin"} for entry in resolved.values())


def test_checkpoints(run):
    folder, _ = run
    store = CheckpointStore(folder / "checkpoints")
    page = documented(section(RUN, "checkpoints/"))
    assert {store.path(0, 120).name, store.path(0, 100, best=True).name, store.path(0).name} <= page
    found = {path.name for path in (folder / "checkpoints").rglob("*") if path.is_file()}
    assert found == {name for name in page if "." in name} - {"scaler.pt"}


def test_every_key_of_the_configuration_is_documented():
    page = text_of("docs/configuration.md")
    listed = documented(page)
    assert listed == {*RunKeys.model_fields} - {"note"}
    text = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    assert {*Architecture.model_fields} - {"note"} <= {*names(text)}


def test_defaults_of_the_configuration_are_the_documented_ones():
    for row in table(text_of("docs/configuration.md")):
        values = names(row[1])
        if len(values) == len(names(row[0])):
            for key, value in zip(names(row[0]), values, strict=True):
                assert json.loads(value) == _plain(RunKeys.model_fields[key]), key


def test_the_knobs_of_theseus_are_documented_with_their_defaults():
    rows = table(section("docs/theseus.md", "The block `theseus_scheduler`"))
    assert {names(row[0])[0] for row in rows} == {*TheseusKeys.model_fields} - {"note"}
    for row in rows:
        default = TheseusKeys.model_fields[names(row[0])[0]].default
        if default is not None:
            assert json.loads(names(row[1])[0]) == default, row[0]


def _plain(field):
    return json.loads(json.dumps(field.get_default(call_default_factory=True)))


PAGES = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", [*READMES, "CHANGELOG.md", *PAGES])
def test_every_link_of_a_page_leads_somewhere(page):
    wrong = []
    for file, anchor in links(page, text_of(page)):
        if not (ROOT / file).exists():
            wrong.append(file)
        elif anchor and file.endswith(".md") and anchor not in anchors(text_of(file)):
            wrong.append(f"{file}#{anchor}")
    assert not wrong, f"{page}: {wrong}"


PARTIAL = re.compile(
    r"\[(?:partial|尚不完整)\]\((?P<one>[^)#]+\.md)\)"
    r"|\]\((?P<two>[^)#]+\.md)\)(?:, (?:which is )?partial|，尚不完整)"
)


@pytest.mark.parametrize("page", [*PAGES, *READMES])
def test_tables_that_a_page_calls_partial_are(page):
    """They were called so for long after their last cell had run."""
    for found in PARTIAL.finditer(text_of(page)):
        target = found["one"] or found["two"]
        told = ((ROOT / page).parent / target).read_text(encoding="utf-8")
        assert "PARTIAL" in told, f"{page}: {target} is whole"


def test_the_method_and_the_task_of_the_page_on_extending_run(tmp_path, monkeypatch):
    method, task = fences("docs/extending.md", "python")
    stored, values = (json.loads(block) for block in fences("docs/extending.md", "json"))
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("smooth.py", method),
        ("intent.py", task),
        ("smooth.json", json.dumps(stored)),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    rows = world.write_sst2(tmp_path / "data") / "SST-2"
    (tmp_path / "data" / "intent").mkdir()
    for split in ("train", "dev"):
        lines = (rows / f"{split}.tsv").read_text(encoding="utf-8").split("\n", 1)[1]
        (tmp_path / "data" / "intent" / f"{split}.tsv").write_text(lines, encoding="utf-8")
    teacher = world.build_network(tmp_path / "output_teacher" / "teacher", layers=4)
    by_hand.make_right(teacher)
    loaded = world.loaded({**values, "max_seq_length": 32, "max_steps": 2}, tmp_path)
    pipeline.distill(loaded, console=world.console())
    metrics = json.loads((tmp_path / "output_smoothed" / "metrics.json").read_text("utf-8"))
    assert (metrics["method"], metrics["task"]) == ("smoothed", "intent")
    assert metrics["model"]["layers"] == 2


def test_every_member_of_the_contract_is_described():
    from chatstill.methods.base import Method

    members = {name for name in vars(Method) if not name.startswith("_")}
    rows = table(section("docs/extending.md", "A method"))
    assert {names(row[0])[0].split("(")[0] for row in rows} == members
