"""The command line: verbs, exit codes, messages instead of tracebacks, and the door."""

import errno
import importlib
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from chatstill import __version__, cli
from chatstill.errors import Problem, RunFailure, UserError

ROOT = Path(__file__).resolve().parents[1]
DOORS = ("run_glue.py", "elmo/elmo_distill.py", "ltd-bert/distill.py")
PYTHON = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100"}


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """A pipeline that only notes what it is asked to do; ``calls.raises`` is what it ends with."""
    noted = types.SimpleNamespace(names=[], arguments={}, raises=None)

    def verb(name):
        def run(*arguments, **options):
            noted.names.append(name)
            noted.arguments = {"arguments": arguments, **options}
            if noted.raises is not None:
                raise noted.raises

        return run

    pipeline = types.ModuleType("chatstill.run.run")
    for name in ("distill", "teach", "check", "evaluate", "predict"):
        setattr(pipeline, name, verb(name))
    monkeypatch.setitem(sys.modules, "chatstill.run.run", pipeline)
    monkeypatch.setattr(importlib.import_module("chatstill.run"), "run", pipeline, raising=False)
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    for split in ("train", "dev"):
        Path(f"data/{split}.data.txt").write_text("a\tb\t1\n", encoding="utf-8")
    values = {"task_name": "chat", "output_dir": "out", "theseus_scheduler": {}}
    values |= {
        "model_type": "theseus-bert",
        "teacher_architectures": {"model_name_or_path": "bert-base"},
    }
    Path("my.json").write_text(json.dumps(values), encoding="utf-8")
    return noted


@pytest.mark.parametrize("verb", ["distill", "teach", "check"])
def test_a_verb_loads_its_configuration_and_calls_the_pipeline(verb, calls, capsys):
    assert cli.main([verb, "my.json", "--set", "seed=7"]) == 0
    assert calls.names == [verb]
    assert calls.arguments["arguments"][0].config.seed == 7
    assert "taken as a name on the hub" in capsys.readouterr().err


def test_fresh_goes_to_the_pipeline_and_to_processes_that_it_starts(calls):
    cli.main(["distill", "my.json", "--fresh", "--set", "seed=1"])
    assert calls.arguments["fresh"] is True
    (loaded,) = calls.arguments["arguments"]
    assert loaded.arguments == ["distill", "my.json", "--set", "seed=1", "--fresh"]


def test_a_folder_that_is_not_there_is_told_before_the_task(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["evaluate", "nosuch"]) == 2
    said = capsys.readouterr().err
    assert "there is no folder nosuch" in said and "--task-name" in said


def test_evaluate_and_predict_need_no_file(calls):
    assert cli.main(["evaluate", "model", "--task-name", "ChatQA", "--split", "test"]) == 0
    model, config = calls.arguments["arguments"]
    assert (str(model), config.task_name, calls.arguments["split"]) == ("model", "chat", "test")
    assert cli.main(["evaluate", "model", "--config", "my.json", "--data-dir", "nowhere"]) == 2
    assert cli.main(["predict", "model", "rows.tsv", "--output", "out.tsv"]) == 0
    model, file, config = calls.arguments["arguments"]
    assert (str(file), config.task_name) == ("rows.tsv", "chat")
    assert cli.main(["predict", "model", "rows.tsv", "--task-name", "sst2"]) == 0
    assert calls.arguments["arguments"][2].task_name == "sst2"


def test_all_problems_are_printed_without_a_terminal_as_plain_lines(calls, capsys):
    assert cli.main(["distill", "my.json", "--set", "seed=x", "--set", "kep=best"]) == 2
    assert calls.names == []
    error = capsys.readouterr().err
    assert "error: --set seed=x: 'seed' must be a whole number, found the text \"x\".\n" in error
    assert "error: --set kep=best: unknown key 'kep'.\n    Did you mean 'keep'?\n" in error
    assert error.endswith("2 problems to fix; nothing was started.\n")
    assert "\x1b" not in error and "Traceback" not in error


ENDS = [
    (
        UserError(Problem("x.tsv: line 3", "2 fields", "Add one.")),
        2,
        "error: x.tsv: line 3: 2 fields",
    ),
    (RunFailure("The loss is NaN."), 1, "error: The loss is NaN."),
    (
        OSError(errno.ENOSPC, "No space left on device", "out/x"),
        1,
        "the disk is full: out/x cannot be written, ",
    ),
    (PermissionError(errno.EACCES, "Permission denied", "out"), 1, "error: out: Permission denied"),
    (KeyboardInterrupt(), 130, ""),
    (SystemExit(143), 143, ""),
    (SystemExit("stop"), 1, "error: stop"),
    (
        ModuleNotFoundError("no torch", name="torch"),
        1,
        "the library torch is missing. chatstill is not set up",
    ),
    (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, ""),
]


@pytest.mark.parametrize(("raised", "code", "message"), ENDS, ids=lambda end: type(end).__name__)
def test_whatever_ends_a_run_is_one_message_and_an_exit_code(raised, code, message, calls, capfd):
    calls.raises = raised
    assert cli.main(["distill", "my.json"]) == code
    error = capfd.readouterr().err
    assert message in error and "Traceback" not in error


def test_a_fault_of_our_own_shows_itself(calls):
    calls.raises = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        cli.main(["distill", "my.json"])


def test_only_the_first_process_speaks(calls, capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert cli.main(["distill", "my.json", "--set", "seed=x"]) == 2
    assert capsys.readouterr().err == ""


SLIPS = {
    ("distil",): "there is no verb 'distil'. Did you mean distill?",
    ("my.json",): "'my.json' is no verb. To run it: chatstill distill my.json",
    ("evaluate",): "MODEL is missing.",
    ("predict", "m"): "FILE is missing.",
    ("distill", "a", "b"): "more than the verb takes: b.",
    ("distill", "a", "--set", "b=1", "c=2"): "more than the verb takes: c=2. "
    "Each value has its own --set: --set c=2",
    ("distill", "--frsh"): "there is no option --frsh. Did you mean --fresh?",
    ("distill", "--set"): "--set lacks its value.",
    ("evaluate", "m", "--split", "tests"): "--split is 'tests', and must be train, dev or test. "
    "Did you mean test?",
}


@pytest.mark.parametrize("arguments", SLIPS, ids=" ".join)
def test_slips_of_the_command_line_are_said_in_our_words(arguments, calls, capsys):
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {SLIPS[arguments]}\nUsage: chatstill")
    assert error.rstrip().endswith("--help` says more.")


def test_without_a_verb_the_help_is_shown(calls, capsys):
    assert cli.main([]) == 2
    assert "Usage: chatstill" in capsys.readouterr().err


def test_the_version(calls, capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"chatstill {__version__}\n"


def run(
    *arguments: str, folder: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**PYTHON, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_the_door_reads_the_example_beside_it_from_anywhere(tmp_path):
    done = run("run_glue.py")
    assert done.returncode == 2
    assert "config/distill.example.1.json: line " in done.stderr
    assert "is still to be filled in" in done.stderr
    done = run(str(ROOT / "run_glue.py"), "--set", "seed=1", folder=tmp_path)
    assert done.returncode == 2
    assert "distill.example.1.json: line " in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_door_takes_a_path_before_and_after_options(tmp_path):
    (tmp_path / "my.json").write_text('{"seed": 1,}', encoding="utf-8")
    for arguments in (["my.json", "--fresh"], ["--fresh", "my.json"]):
        done = run(str(ROOT / "run_glue.py"), *arguments, folder=tmp_path)
        assert done.returncode == 2
        assert "my.json: line 1, column 11: a comma before the closing '}'." in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("door", DOORS)
def test_the_door_is_thin(door):
    assert len((ROOT / door).read_text(encoding="utf-8").splitlines()) <= 12


def test_a_methods_door_reads_the_example_and_runs_its_method(tmp_path):
    """What the example names is passed over, and said so; a path and --set hold as everywhere."""
    door = str(ROOT / "elmo" / "elmo_distill.py")
    done = run(door, folder=tmp_path)
    assert done.returncode == 2 and list(tmp_path.iterdir()) == []
    assert "names the method 'theseus-bert'; this script runs 'ELMOTaskDistill'" in done.stderr
    assert "distill.example.1.json: line " in done.stderr and "*options.json" in done.stderr
    values = {"model_type": "ELMo", "task_name": "chat", "student_architectures": {"a": 1}}
    (tmp_path / "my.json").write_text(json.dumps(values), encoding="utf-8")
    done = run(door, "--set", "seed=x", "my.json", folder=tmp_path)
    assert done.returncode == 2 and "this script" not in done.stderr
    assert "my.json: line 1" in done.stderr and "--set" in done.stderr
    done = run(door, "my.json", "--set", "model_type=nothing", folder=tmp_path)
    assert "'nothing'" in done.stderr and "Traceback" not in done.stderr


def test_the_door_of_ltd_bert_runs_it_too(tmp_path):
    done = run(str(ROOT / "ltd-bert" / "distill.py"), folder=tmp_path)
    assert done.returncode == 2 and list(tmp_path.iterdir()) == []
    assert "names the method 'theseus-bert'; this script runs 'LTDTaskDistill'" in done.stderr
    assert "distill.example.1.json: line " in done.stderr


def test_a_python_without_the_package_gets_the_set_up_line():
    done = subprocess.run(
        [sys.executable, "-S", "-E", str(ROOT / "run_glue.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "make setup" in done.stderr


@pytest.mark.parametrize("library", ["typer", "rich", "pydantic"])
def test_a_python_without_a_library_gets_the_set_up_line(library, tmp_path):
    code = f"import sys; sys.modules['{library}'] = None\nfrom chatstill.cli import main\n"
    code += "sys.exit(main(['check']))"
    done = run("-c", code, folder=tmp_path)
    assert done.returncode == 1
    assert "chatstill is not set up for this Python" in done.stderr and library in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_instant_and_imports_no_heavy_library():
    code = (
        "import sys\nfrom chatstill.cli import main\ncode = main(sys.argv[1:])\n"
        "heavy = {'torch', 'transformers', 'numpy', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    for arguments in (["--help"], ["distill", "--help"], ["predict", "--help"]):
        done = run("-c", code, *arguments)
        assert done.returncode == 0, done.stderr
        assert "Usage: chatstill" in done.stdout
    assert run("-m", "chatstill", "evaluate", "--help").returncode == 0
