"""Whatever a data file holds, it is read, or refused with its line; no door leaves a half behind."""

import copy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatstill.errors import UserError
from chatstill.tasks import get_task
from chatstill.tasks.bad_rows import SHOWN
from chatstill.tasks.predictions import read_predictions

from ..cases import cases, tried
from ..path.test_submission import HEADERS
from .room import check_rest, door, listing, room
from .strategies import changed_table, spliced

HEAD = "0\tg\tf\t2012\t1\tnone\tnone"
MNLI = "\t".join(HEADERS["MNLI/test_matched.tsv"])
AX = (
    "Lexical Semantics\tPredicate-Argument Structure\tLogic\tKnowledge\tDomain\tPremise\tHypothesis"
)
FILES = {
    "chat": "where are you\there\t1\nwhere are you\tno\t0\tq\n一\t二😀\t1\n",
    "sst2": "sentence\tlabel\na good film \t1\nbad\t0\n",
    "cola": "gj04\t1\t\tA sentence.\nclc\t0\t*\tSentence a.\n",
    "mrpc": '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t5\t6\tHe "said\tb\n0\t1\t2\tc\td\n',
    "stsb": "\t".join(HEADERS["STS-B/test.tsv"])
    + f"\tscore\n{HEAD}\ta\tb\t3.800\n{HEAD}\tc\td\t0\n",
    "qqp": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\ta\tb\t1\n4\t5\t6\tc\t\t0\n",
    "mnli": f"{MNLI}\tlabel1\tgold_label\n0\t1\t1n\tf\tp\tp\tp\tp\ta\tb\tneutral\tneutral\n",
    "qnli": "index\tquestion\tsentence\tlabel\n0\tq?\ts.\tentailment\n1\tq\ts\tnot_entailment\n",
    "rte": "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n1\tc\td\tnot_entailment\n",
    "wnli": "index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1\n1\tc\td\t0\n",
    "ax": f"{AX}\tLabel\nx\t\t\t\tNews\ta\tb\tneutral\n",
}


def changed(content: bytes):
    return st.one_of(changed_table(content), spliced(content))


@pytest.mark.parametrize("name", FILES)
def test_reading_ends_in_rows_or_in_problems_that_name_the_file(name, tmp_path):
    path = tmp_path / "file.tsv"

    @cases(40, 3000)
    @given(
        content=changed(FILES[name].encode("utf-8")),
        labelled=st.booleans(),
        skip=st.booleans(),
    )
    def try_it(content, labelled, skip):
        path.write_bytes(content)
        task = copy.copy(get_task(name))
        task.on_bad_row = "skip" if skip else "stop"
        rows = task.read(path, "dev", labelled)
        found = []
        try:
            found += rows
        except UserError as error:
            assert 1 <= len(error.problems) <= SHOWN
            for problem in error.problems:
                assert problem.place.startswith(str(path)) and problem.message
            str(error).encode("utf-8")
            tried(f"reading {name}: refused")
            return
        tried(f"reading {name}: {'rows left out' if rows.bad else 'went through'}")
        assert skip or not rows.bad
        assert [row.id for row in found] == [f"dev-{number}" for number in range(len(found))]
        if labelled:
            assert all(row.label is not None for row in found)

    try_it()


CHAT = "data/chat/dev.data.txt"
TASKS = {
    "chat": ("teacher2", "data/chat/{}.data.txt"),
    "sst2": ("teacher2", "data/SST-2/{}.tsv"),
    "stsb": ("teacher1", "data/STS-B/{}.tsv"),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_a_network_on_any_file(template, verb, task):
    network, place = TASKS[task]
    content = (template.folder / place.format("dev")).read_bytes()

    @cases(10, 100)
    @given(content=changed(content))
    def try_it(content):
        with room(template) as folder:
            path = Path(place.format("dev"))
            path.write_bytes(content)
            before = listing(folder)
            common = ["--task-name", task, "--output", "new"]
            if verb == "predict":
                code = door("predict, data changed", ["predict", network, str(path), *common])
            else:
                data = ["--data-dir", "data", "--split", "dev"]
                code = door("evaluate, data changed", ["evaluate", network, *data, *common])
            check_rest(folder, before, code, None)
            assert Path("new").exists() == (code == 0)
            if verb == "predict" and code == 0:
                scores = read_predictions(Path("new"), get_task(task).label_words).scores
                rows = sum(1 for _ in get_task(task).read(path, "test", False))
                assert len(scores) == rows

    try_it()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("verb", ["check", "distill", "teach"])
def test_a_run_on_any_file(template, verb, task):
    import json

    network, place = TASKS[task]
    contents = {s: (template.folder / place.format(s)).read_bytes() for s in ("train", "dev")}
    values = {
        **template.values,
        "task_name": task,
        "teacher_architectures": {"model_name_or_path": network},
        "max_steps": 1,
    }

    @cases(3, 40)
    @given(data=st.data(), split=st.sampled_from(["train", "dev"]))
    def try_it(data, split):
        content = data.draw(changed(contents[split]))
        with room(template) as folder:
            Path(place.format(split)).write_bytes(content)
            Path("my.json").write_text(json.dumps(values), encoding="utf-8")
            before = listing(folder)
            code = door(f"{verb}, data changed", [verb, "my.json"])
            check_rest(folder, before, code, "out")

    try_it()


@pytest.mark.parametrize("name", ["RTE/test.tsv", "STS-B/test.tsv", "QQP/test.tsv"])
def test_a_submission_from_any_test_file(template, name):
    header = HEADERS[name]
    rows = [[str(n), *("a b" for _ in header[1:])] for n in range(3)]
    content = "".join("\t".join(row) + "\n" for row in [header, *rows]).encode()
    task = {"RTE": "rte", "STS-B": "stsb", "QQP": "qqp"}[name.split("/")[0]]
    network = "teacher1" if task == "stsb" else "teacher2"

    @cases(8, 100)
    @given(content=changed(content))
    def try_it(content):
        with room(template) as folder:
            path = Path("data", name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            before = listing(folder)
            arguments = ["submit", f"{task}={network}", "--incomplete", "--output", "new.zip"]
            code = door("submit, data changed", arguments)
            check_rest(folder, before, code, None)
            assert Path("new.zip").exists() == (code == 0)

    try_it()
