"""Each finding has a code of its own, and its sentence stands in one file beside the tests."""

from collections import defaultdict
from pathlib import Path

from tests import messages
from tests.found import CODE

# One fault that is found at two doors, each with its own sentence.
TOLD_IN_SEVERAL_WAYS = {
    *("config.key-missing", "data.column-missing", "data.empty-text", "data.file-missing"),
    *("data.malformed-row", "data.no-file-of-the-split", "data.no-rows", "data.split-not-named"),
    *("data.stand-in-file", "method.unknown", "network.config-unreadable", "network.two-types"),
    *("network.type-not-told", "outputs.another-scale", "run.not-ended"),
    *("run.nothing-to-evaluate", "run.output-is-a-file", "run.plugins-not-named"),
    *("segmenter.unknown", "student.depth-beyond-weights", "student.pretrained-missing"),
    *("task.unknown", "tokenizer.not-in-the-folder", "weights.file-unreadable"),
    *("weights.index-unreadable", "weights.lfs-pointer", "weights.missing", "weights.no-config"),
    *("weights.parts-missing", "words.dictionary-unreadable"),
}


TESTS = Path(__file__).resolve().parents[1]
# Those that run the command line, or whole runs, read the terminal as a user does.
READ_THE_TERMINAL = ("path", "draft", "benchmarks")


def test_every_finding_has_a_code():
    assert len(messages.calls()) > 450
    assert not messages.faults(), 'a literal code="room.what", or one that is handed on'


def test_codes_are_words():
    assert not {one.code for one in messages.told() if not CODE.fullmatch(one.code)}


def test_a_code_means_one_fault():
    sentences = defaultdict(set)
    for one in messages.told():
        sentences[one.code].add(one.message)
    several = {code for code, told in sentences.items() if len(told) > 1}
    assert several == TOLD_IN_SEVERAL_WAYS


def test_what_users_are_told_is_written_down():
    written = messages.SNAPSHOT.read_text(encoding="utf-8")
    assert written == messages.snapshot(), (
        "sentences changed: write them down with `make messages`, and read the difference"
    )


def test_tests_ask_for_codes_and_quote_no_sentence():
    files = [
        path
        for path in TESTS.rglob("test_*.py")
        if path.parent.name not in READ_THE_TERMINAL and not path.name.startswith("test_cli")
    ]
    assert len(files) > 100
    wrong = [line for path in files for line in messages.quoted(path)]
    assert not wrong, "\n".join(wrong)
