"""Tasks by name, and an import that costs next to nothing."""

import subprocess
import sys

import pytest

from chatstill.errors import UserError
from chatstill.tasks import get_task, names


@pytest.mark.parametrize(
    ("written", "name"),
    [
        *(("chat", "chat"), ("ChatQA", "chat"), ("chat_qa", "chat"), ("CHAT", "chat")),
        *(
            ("SST-2", "sst2"),
            ("sst_2", "sst2"),
            ("sst2", "sst2"),
            ("STS-B", "stsb"),
            ("stsb", "stsb"),
        ),
        *(("CoLA", "cola"), ("MRPC", "mrpc"), ("rte", "rte")),
        *(("MNLI", "mnli"), ("Q-NLI", "qnli"), ("WNLI", "wnli"), ("QQP", "qqp"), ("AX", "ax")),
    ],
)
def test_spellings(written, name):
    assert get_task(written).name == name and name in names()


@pytest.mark.parametrize(
    ("written", "near"), [("sst", "sst2"), ("chatq", "chat"), ("mprc", "mrpc")]
)
def test_an_unknown_name_brings_the_nearest(written, near):
    with pytest.raises(UserError, match=f"Did you mean '{near}'"):
        get_task(written)


def test_a_name_like_none_lists_all():
    with pytest.raises(UserError, match="Known: ax, chat, cola, mnli, mrpc, qnli, qqp, rte"):
        get_task("全部")
    with pytest.raises(UserError):
        get_task("")


@pytest.mark.parametrize("name", names())
def test_every_task_keeps_the_contract(name):
    task = get_task(name)
    assert task.name == name
    assert task.labels.num_outputs == max(len(task.label_words), 1)
    assert len(task.labels.synonyms) == len(task.labels.names)
    assert task.labels.kind in ("classification", "regression")
    assert callable(task.metric(task.main_metric))


def test_the_room_needs_neither_torch_nor_scipy():
    heavy = "('torch', 'transformers', 'scipy', 'sklearn', 'pandas')"
    code = (
        "import sys, chatstill.tasks, chatstill.tasks.intervals, chatstill.tasks.predictions;"
        f"sys.exit(str([m for m in {heavy} if m in sys.modules] or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == ""
