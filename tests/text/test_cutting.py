"""Many texts to words: the same as one after another, each different one once, and no process left behind."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest
from tests.until import until

from chatstill.errors import UserError
from chatstill.text import cutting
from chatstill.text.cutting import Cutter, cutter_of
from chatstill.text.segment import Segmenter, load_segmenter

TEXTS = [f"text {number % 700}, 好的 {number % 13}!" for number in range(3000)]


def counted(seen):
    def cut(text):
        seen.append(text)
        return text.split()

    return Segmenter("mine", "", "", "segmenter", cut)


def plain(segmenter, texts):
    return [segmenter.cut(text) for text in texts]


def processes_of(cutter):
    return list((cutter._pool._processes or {}).values())


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(cutting, "FEW", 100)
    monkeypatch.setattr(cutting, "PART", 50)


@pytest.mark.parametrize("at_a_time", [1, 7, 5000])
@pytest.mark.parametrize("most_bytes", [0, 3000, 10**9])
def test_words_are_those_of_each_text_alone(monkeypatch, at_a_time, most_bytes):
    monkeypatch.setattr(cutting, "AT_A_TIME", at_a_time)
    segmenter = load_segmenter("words")
    cutter = Cutter(segmenter, processes=1, most_bytes=most_bytes)
    some = [*TEXTS[:200], "", " ", "\ud800"]
    for _ in range(2):
        assert list(cutter(iter(some))) == plain(segmenter, some)


def test_each_different_text_is_cut_once():
    seen = []
    cutter = Cutter(counted(seen), processes=1)
    for _ in range(2):
        assert list(cutter(["a b", "c", "a b"])) == [["a", "b"], ["c"], ["a", "b"]]
    assert seen == ["a b", "c"]
    assert cutter.known("c") == ["c"] and cutter.known("d") is None
    cutter.forget()
    assert cutter.known("c") is None
    assert list(cutter(["c"])) == [["c"]]


def test_memory_is_bounded_and_what_has_no_room_is_cut_again():
    seen = []
    cutter = Cutter(counted(seen), processes=1, most_bytes=1000)
    texts = [f"word{number} other{number}" for number in range(50)]
    assert list(cutter(texts)) == [text.split() for text in texts]
    assert list(cutter(texts)) == [text.split() for text in texts]
    assert 50 < len(seen) < 100


def test_words_that_are_handed_out_are_the_callers():
    cutter = Cutter(load_segmenter("words"))
    next(cutter(["a b"])).clear()
    assert next(cutter(["a b"])) == ["a", "b"]


def test_those_who_cut_alike_share_what_is_known():
    assert cutter_of(load_segmenter("words")) is cutter_of(load_segmenter("words", place="x"))
    assert cutter_of(load_segmenter("words")) is not cutter_of(load_segmenter("characters"))


def test_texts_are_drawn_as_they_are_needed(monkeypatch):
    monkeypatch.setattr(cutting, "AT_A_TIME", 10)
    drawn = iter(range(10**9))
    found = Cutter(load_segmenter("words"))(f"text {number}" for number in drawn)
    assert next(found) == ["text", "0"]
    assert next(drawn) <= 10


def test_several_processes_cut_as_one_does_and_end_when_idle(few, monkeypatch):
    monkeypatch.setattr(cutting, "IDLE", 0.2)
    segmenter = load_segmenter("words")
    cutter = Cutter(segmenter, processes=2)
    words_of, running = cutting._words_of, []

    def seen(found):
        running.extend(processes_of(cutter))
        return words_of(found)

    monkeypatch.setattr(cutting, "_words_of", seen)
    assert list(cutter(TEXTS)) == plain(segmenter, TEXTS)
    assert running
    # no join: the pool's own thread may be waiting for them as well
    until(lambda: None not in [process.exitcode for process in running], 20, "their end")
    assert list(cutter(["anew"])) == [["anew"]]


@pytest.mark.parametrize(("quick", "started"), [(0, False), (1e12, True)])
def test_processes_are_started_for_what_is_slow_alone(few, monkeypatch, quick, started):
    """What is as quick as sending the texts is cut here."""
    monkeypatch.setattr(cutting, "QUICK", quick)
    cutter = Cutter(load_segmenter("words"))
    cutter.processes = 2
    assert list(cutter(TEXTS)) == plain(cutter.segmenter, TEXTS)
    assert (cutter._pool is not None) == started
    assert ("2 processes)" if started else "1 process)") in cutter.rate()
    cutter.close()


def test_the_users_script_is_not_run_again_in_each_process(tmp_path):
    """run_glue.py has no guard: a process that ran it would begin the whole job."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
            print("begun")
            from chatstill.text import cutting
            from chatstill.text.segment import load_segmenter
            cutting.FEW, cutting.PART = 10, 5
            cutter = cutting.Cutter(load_segmenter("words"), processes=2)
            print(sum(map(len, cutter(f"text {n}" for n in range(100)))), cutter._pool is not None)
        """),
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("begun\n200 True\n", "", 0)


# The sleeps are what a text takes to cut: tests end processes in the midst of it, and wait for none.
MODULE = """
import os, time
def cut(text):
    if "slow" in text:
        time.sleep(0.05)
    if "long" in text:
        time.sleep(30)
    if "end" in text:
        os._exit(3)
    if "wrong 77" in text:
        return ["no"]
    return [text]
"""


@pytest.fixture
def my_module(tmp_path, monkeypatch):
    (tmp_path / "a_cutter_of_tests.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield load_segmenter("a_cutter_of_tests", place="network.segmenter")
    sys.modules.pop("a_cutter_of_tests", None)


def test_what_fails_in_a_process_is_told_with_its_place(few, my_module):
    cutter = Cutter(my_module, processes=2)
    texts = [f"wrong {number}" for number in range(77, 400)]
    with pytest.raises(UserError, match="another text") as caught:
        list(cutter(texts))
    assert caught.value.problems[0].place == "network.segmenter"
    assert "'wrong 77'" in caught.value.problems[0].message
    assert cutter._pool is None


def test_where_processes_end_by_themselves_this_one_goes_on(few, my_module, monkeypatch):
    cutter = Cutter(my_module, processes=2)
    texts = [f"end {number}" for number in range(200)]
    monkeypatch.setattr(os, "_exit", lambda code: None)  # in this process the text is harmless
    assert list(cutter(texts)) == [[text] for text in texts]


def test_an_interrupt_ends_processes_in_the_middle_of_a_text(few, my_module):
    cutter = Cutter(my_module, processes=2)
    original = cutting._words_of
    running = []

    def interrupted(found):
        running.extend(processes_of(cutter))
        raise KeyboardInterrupt

    cutting._words_of = interrupted
    try:
        with pytest.raises(KeyboardInterrupt):
            list(
                cutter([f"{'short' if number < 50 else 'long'} {number}" for number in range(500)])
            )
    finally:
        cutting._words_of = original
    # Nobody waited for the text that was being cut, which takes 30 s: its process was ended.
    assert any(process.exitcode for process in running)
    assert running and all(process.exitcode is not None for process in running)
    assert cutter._pool is None


SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
import os, sys
sys.path.insert(0, sys.argv[1])
from chatstill.text import cutting
from chatstill.text.segment import load_segmenter
cutting.FEW, cutting.PART = 10, 20
submit = cutting._words_of
cutter = cutting.Cutter(load_segmenter("a_cutter_of_tests"), processes=2)
def told(found):
    print(*(cutter._pool._processes or {}), flush=True)
    return submit(found)
cutting._words_of = told
list(cutter(f"slow {n}" for n in range(5000)))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_and_a_kill_end_the_processes_too(tmp_path, my_module, number):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    begun = subprocess.Popen(
        [sys.executable, script, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert begun.stdout is not None
    started = [int(one) for one in begun.stdout.readline().split()]
    assert started
    begun.send_signal(number)
    begun.wait(90)
    begun.stdout.close()
    until(lambda: not any(is_running(one) for one in started), 20, "their end")


def is_running(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    try:
        with open(f"/proc/{number}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
