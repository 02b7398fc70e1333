"""What reaches the terminal: names and values, without doing anything to it; and Ctrl-C early on."""

import io
import logging
import os
import subprocess
import sys

import pytest
from rich.table import Table
from rich.text import Text

from chatstill.cli import main
from chatstill.cli.messages import show_failure, show_problems
from chatstill.cli.terminal import Terminal, write
from chatstill.errors import Problem, shown
from chatstill.run.log_file import note_in_file, say, start_log

EVIL = "\x1b]0;owned\x07\x1b[31mred\r\x9b2J\x7f\u202e\u2028\ud800"
SAID = r"\x1b]0;owned\x07\x1b[31mred\r\x9b2J\x7f\u202e\u2028\ud800"
CODES = ("\x1b", "\x07", "\r", "\x9b", "\x7f", "\u202e", "\u2028", "\ud800")


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        (EVIL, False, SAID),
        ("a\nb\tc", False, r"a\nb\tc"),
        ("a\nb\tc", True, "a\nb\tc"),
        ("输出 café 👩‍👩‍👧 \\x1b", False, "输出 café 👩‍👩‍👧 \\x1b"),
        ("", False, ""),
    ],
)
def test_control_characters_are_escapes_and_all_others_stay(text, lines, expected):
    assert shown(text, lines=lines) == expected


@pytest.fixture(params=[False, True], ids=["a file", "a terminal"])
def screen(request):
    console = Terminal(file=io.StringIO(), width=200, force_terminal=request.param, no_color=True)
    console.styled = request.param
    return console


def plain(console) -> str:
    """What was printed, without the codes for styles that are rich's own."""
    text = console.file.getvalue()
    return Text.from_ansi(text).plain if console.styled else text


def test_no_way_into_the_console_lets_a_code_through(screen):
    table = Table("column")
    table.add_row(EVIL)
    table.add_row(Text.assemble((shown(EVIL), "bold")))
    for thing in (EVIL, Text(f"text {EVIL}"), table):  # texts of rich itself lose some signs
        screen.print(thing)
    text = screen.file.getvalue()
    for code in ("\x1b]", "\x1b[31m", *CODES[1:]):
        assert code not in text, repr(code)
    assert plain(screen).count(r"\x1b[31mred") == 4


def test_names_are_no_markup_and_no_emoji(screen):
    table = Table("a")
    table.add_row("[bold]cell[/bold]")
    screen.print("[red]out[/red] :smile:", table)
    assert "[red]out[/red] :smile:" in plain(screen) and "[bold]cell[/bold]" in plain(screen)


def test_a_line_end_in_a_path_makes_no_line_of_a_message(capsys):
    name = "out\n1 problem to fix"
    show_problems([Problem(f"{name}.json", f"there is no {name}", "First.\n    Then.")])
    show_failure(f"{name} is gone")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(r"error: out\n1 problem to fix.json: there is no out\n1 problem")
    assert lines[-1] == r"error: out\n1 problem to fix is gone"
    assert lines[1:3] == ["    First.", "        Then."], "the hint's own lines stay"


def test_the_log_is_as_clean_as_the_screen(tmp_path):
    console = Terminal(file=io.StringIO(), width=200)
    start_log(tmp_path, console)
    logging.getLogger("chatstill").warning("label %s", f"{EVIL}\nforged")
    note_in_file([f"noted {EVIL}"])
    text = (tmp_path / "run.log").read_text(encoding="utf-8")
    assert rf"label {SAID}\nforged" in text and f"noted {SAID}" in text
    assert len(text.splitlines()) == 2
    assert rf"label {SAID}\nforged" in console.file.getvalue()


def test_lines_are_as_many_as_they_were(screen):
    say(screen, "one", f"out\n{EVIL}/student", "three")
    assert plain(screen) == f"one\nout\\n{SAID}/student\nthree\n"


def test_plain_lines_keep_their_tabs(capsys):
    write(f"a\tb\n{EVIL}")
    assert capsys.readouterr().out == f"a\tb\n{SAID}\n"


def test_a_key_with_codes_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.json").write_text('{"\\u001b[31mlearning_rate": 1}', encoding="utf-8")
    assert main(["check", "my.json"]) == 2
    error = capsys.readouterr().err
    assert r"\x1b[31mlearning_rate" in error and "\x1b[31mlearn" not in error


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    home = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", code], env=home, capture_output=True)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk"])
def test_signs_that_the_stream_does_not_have_end_nothing(tmp_path, encoding):
    code = (
        "import sys\n"
        "from chatstill.cli import main\n"
        "from chatstill.cli.terminal import standard_output, take_any_sign, write\n"
        "take_any_sign()\n"
        "standard_output().print('输出 → 👩')\n"
        "write('输出 → 👩')\n"
        f"sys.exit(main(['check', {str(tmp_path / '输出')!r}]))\n"
    )
    done = run(code, PYTHONIOENCODING=encoding)
    assert done.returncode == 2 and b"Traceback" not in done.stderr
    kept = "输出" if encoding == "gbk" else r"\u8f93\u51fa"
    assert done.stdout.decode(encoding).count(kept) == 2
    assert kept in done.stderr.decode(encoding)


def test_file_names_that_the_system_cannot_take_are_said(monkeypatch, capsys):
    from chatstill.cli.guard import guarded

    monkeypatch.setattr("sys.getfilesystemencoding", lambda: "ascii")
    assert guarded(lambda: "输出".encode("ascii")) == 2
    assert "file names are in ascii here" in capsys.readouterr().err


INTERRUPTED = """
import builtins, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
usual, asked = builtins.__import__, []

def importing(name, *rest, **more):
    if name.split(".")[0] == "{module}" and not asked:
        asked.append(name)
        os.kill(os.getpid(), signal.SIGINT)
    return usual(name, *rest, **more)

builtins.__import__ = importing
from chatstill.cli import main
sys.exit(main(["check", "nothing.json"]))
"""


@pytest.mark.parametrize("module", ["typer", "rich", "pydantic", "config"])
def test_ctrl_c_while_libraries_are_imported_is_one_line(module):
    done = run(INTERRUPTED.format(module=module))
    assert done.returncode == 130, done
    assert done.stderr.decode() == "interrupted: nothing that was saved before is lost.\n"
    assert not done.stdout


def test_ctrl_c_is_pythons_own_again_after_the_imports():
    import signal

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert main(["--version"]) == 0
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("arguments", ["--version", "list", "schema"])
def test_output_that_a_full_disk_does_not_take_is_one_line(arguments):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "chatstill", arguments], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "error: standard output cannot be written: No space left on device"
    ]
