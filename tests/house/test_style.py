"""The house rules that no linter knows."""

import ast
import json
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "src" / "chatstill"
FILES = sorted(SOURCE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
DOORS = (
    "run_glue.py",
    "elmo/elmo_distill.py",
    "ltd-bert/distill.py",
    "data_utils/data_augmentation.py",
)

MOST_LINES, MOST_LINES_WITH_REASON, MOST_FUNCTION_LINES = 300, 400, 80
LONG_WITH_REASON = {
    "methods/theseus.py": "a method is one file: schedule, draws, phases, plan",
}


def name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def calls():
    """(file, call, what is called)."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield path, node, ast.unparse(node.func)


def functions():
    """(file, dotted name, node, whether it is nested in a function)."""
    for path, tree in TREES.items():
        stack = [(tree, "", False)]
        while stack:
            node, prefix, nested = stack.pop()
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield path, prefix + child.name, child, nested
                    stack.append((child, f"{prefix}{child.name}.", True))
                elif isinstance(child, ast.ClassDef):
                    yield path, prefix + child.name, child, nested
                    stack.append((child, f"{prefix}{child.name}.", nested))
                else:
                    stack.append((child, prefix, nested))


def where(path: Path, node: ast.AST) -> str:
    return f"{name(path)}:{node.lineno}"


def test_nothing_is_printed_outside_the_command_line():
    wrong = [where(p, n) for p, n, what in calls() if what == "print" and "cli" not in p.parts]
    assert not wrong


def test_only_tensors_are_unpickled():
    wrong = []
    for path, node, what in calls():
        if what == "torch.load":
            given = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if given.get("weights_only") != "True":
                wrong.append(where(path, node))
        if what.split(".")[0] in ("pickle", "joblib", "dill", "marshal", "cloudpickle"):
            wrong.append(where(path, node))
        for keyword in node.keywords:
            if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False":
                wrong.append(where(path, node))
            if keyword.arg == "trust_remote_code" and ast.unparse(keyword.value) != "False":
                wrong.append(where(path, node))
    for path, tree in TREES.items():  # the errors of torch.load have pickle's names
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "pickle":
                wrong.append(where(path, node))
            used = isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle"
            if used and not node.attr.endswith("Error"):
                wrong.append(where(path, node))
    assert not wrong


def test_text_files_are_opened_with_an_encoding():
    wrong = []
    for path, node, what in calls():
        last = what.split(".")[-1]
        given = {keyword.arg for keyword in node.keywords}
        if isinstance(node.func, ast.Attribute) and last in ("read_text", "write_text"):
            if "encoding" not in given:
                wrong.append(where(path, node))
        elif last in ("open", "fdopen") and what not in ("os.open", "self.records.open"):
            literals = [a.value for a in node.args if isinstance(a, ast.Constant)]
            literals += [
                k.value.value
                for k in node.keywords
                if k.arg == "mode" and isinstance(k.value, ast.Constant)
            ]
            modes = [v for v in literals if isinstance(v, str) and re.fullmatch(r"[rwaxbt+]+", v)]
            text = not any("b" in mode for mode in modes)
            files = what in ("open", "io.open", "os.fdopen", "codecs.open") or modes
            if files and text and "encoding" not in given:
                wrong.append(where(path, node))
    assert not wrong


# json.loads of a text that was made just before, or is covered by a checksum of ours.
OWN_JSON = (
    "train/stored_teacher.py config/methods.py train/runfolder.py data/views.py text/normalize.py "
    "text/vocabulary.py text/casing.py"
).split()


def test_files_are_written_removed_and_read_as_json_in_one_room():
    """Fresh names, links and bounds are minded in ``disk``; what goes around it forgets one of them."""
    wrong = []
    for path, node, what in calls():
        if name(path).startswith("disk/"):
            continue
        last = what.split(".")[-1]
        text = [a.value for a in node.args if isinstance(a, ast.Constant) and a.value is not None]
        modes = [v for v in text if isinstance(v, str) and re.fullmatch(r"[rwaxbt+]+", v)]
        opens = last == "open" and any(set(mode) & set("wa+") for mode in modes)
        writes = "." in what and last in ("write_text", "write_bytes", "touch")
        removes = what in ("shutil.rmtree", "os.remove", "os.unlink") or what.startswith(
            "tempfile."
        )
        parses = what in ("json.load", "json.loads") and name(path) not in OWN_JSON
        if opens or writes or removes or parses:
            wrong.append(f"{where(path, node)} {what}")
    assert not wrong


def test_one_file_writes_to_the_terminal():
    ways = ("print", "typer.echo", "sys.stdout.write", "Console", "click.echo")
    wrong = [
        f"{where(p, n)} {what}"
        for p, n, what in calls()
        if what in ways and name(p) != "cli/terminal.py"
    ]
    assert not wrong


def _overrides(node: ast.FunctionDef) -> bool:
    return any(
        ast.unparse(d).split("(")[0].split(".")[-1]
        in ("override", "overload", "field_validator", "model_validator", "setter")
        for d in node.decorator_list
    )


def _is_property(node: ast.FunctionDef) -> bool:
    """A property of one line stands in its class's list of attributes, or says itself by its name."""
    return any(ast.unparse(d) in ("property", "cached_property") for d in node.decorator_list)


# Overridden hooks of libraries: their meaning is the library's.
HOOKS = {
    "on_step_end",
    "on_log",
    "on_train_begin",
    "on_train_end",
    "num_examples",
    "handleError",
    "forward",
}


def test_what_others_call_says_what_it_does():
    missing = []
    documented = {
        n.name
        for _, _, n, nested in functions()
        if not nested and ast.get_docstring(n) and isinstance(n, ast.FunctionDef)
    }
    for path, dotted, node, nested in functions():
        public = not nested and not any(part.startswith("_") for part in dotted.split("."))
        if not public or ast.get_docstring(node):
            continue
        if isinstance(node, ast.FunctionDef):
            # a method that carries out a documented one of its base class needs no second text
            inherited = "." in dotted and node.name in documented
            attribute = _is_property(node) and len(node.body) == 1
            if inherited or attribute or _overrides(node) or node.name in HOOKS:
                continue
        missing.append(f"{where(path, node)} {dotted}")
    missing += [name(path) for path, tree in TREES.items() if not ast.get_docstring(tree)]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_are_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    limit = MOST_LINES_WITH_REASON if name(path) in LONG_WITH_REASON else MOST_LINES
    assert lines <= limit, f"{name(path)} has {lines} lines"


def test_reasons_are_still_needed():
    for file in LONG_WITH_REASON:
        path = SOURCE / file
        assert path.is_file()
        assert len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES, file


def test_functions_are_short():
    long = [
        f"{where(path, node)} {dotted}: {node.end_lineno - node.lineno + 1} lines"
        for path, dotted, node, _ in functions()
        if not isinstance(node, ast.ClassDef)
        and node.end_lineno - node.lineno + 1 > MOST_FUNCTION_LINES
    ]
    assert not long, "\n".join(long)


@pytest.mark.parametrize("door", DOORS)
def test_doors_hold_no_logic(door):
    text = (REPOSITORY / door).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 12
    assert not [
        n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.ClassDef)
    ]


def test_no_path_of_one_machine_and_no_secret_in_what_is_shipped():
    wrong = []
    for path in [
        *FILES,
        *(REPOSITORY / "config").rglob("*"),
        *(REPOSITORY / "benchmarks").glob("*.py"),
    ]:
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            if re.search(r"(?<![\w.])/(home|root|Users|work)/", text):
                wrong.append(str(path.relative_to(REPOSITORY)))
    assert not wrong


# -- config/ and README ----------------------------------------------------------------------------


def test_the_users_json_files_parse_and_their_names_are_their_own():
    seen: dict[str, Path] = {}
    files = sorted((REPOSITORY / "config").rglob("*.json"))
    assert len(files) >= 2
    for path in files:
        values = json.loads(path.read_text(encoding="utf-8"))
        assert isinstance(values, dict), path
        if path.parent.name == "models_config":
            for known in (values["model_type"], *values.get("aliases", [])):
                plain = re.sub(r"[-_. ]", "", known.casefold())
                assert plain not in seen, f"{path.name} and {seen[plain].name} claim {known}"
                seen[plain] = path
            method = SOURCE / "methods" / f"{values['method']}.py"
            assert method.is_file(), f"{path.name} names the method {values['method']}"


def test_every_method_that_users_name_has_its_file():
    named = {
        json.loads(path.read_text(encoding="utf-8"))["method"]
        for path in (REPOSITORY / "config" / "models_config").glob("*.json")
    }
    files = {p.stem for p in (SOURCE / "methods").glob("*.py")} - {"__init__", "base"}
    methods = {name for name in files if not name.startswith("_")}
    assert methods - named <= {"finetune"}, "fine-tuning is reached by `teach`"


READMES = [p for p in (REPOSITORY / "README.md", REPOSITORY / "README.zh-CN.md") if p.is_file()]
MADE_BY_RUNS = re.compile(r"(output|data|report|my|models?|student|teacher|\.venv|build|dist)\b")


@pytest.mark.parametrize("readme", READMES, ids=lambda p: p.name)
def test_paths_and_commands_of_the_readme_exist(readme):
    text = readme.read_text(encoding="utf-8")
    if len(text.splitlines()) < 15:
        pytest.skip("not written yet")
    wrong = []
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http", "mailto:")) and not (REPOSITORY / target).exists():
            wrong.append(target)
    for path in re.findall(r"(?:config|docs|benchmarks|docker|src|tests)/[\w./-]*[\w]", text):
        if not (REPOSITORY / path).exists() and not MADE_BY_RUNS.match(path):
            wrong.append(path)
    targets = set(
        re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M)
    )
    blocks = re.findall(r"```.*?```", text, re.S) + re.findall(r"`[^`\n]+`", text)
    for block in blocks:
        for command in re.findall(r"\bmake ([a-z-]+)", block):
            if command not in targets:
                wrong.append(f"make {command}")
    assert not wrong


def test_the_readme_begins_with_the_two_commands():
    for readme in READMES:
        text = readme.read_text(encoding="utf-8")
        if len(text.splitlines()) < 15:
            pytest.skip("not written yet")
        start = "\n".join(text.splitlines()[:40])
        assert "make demo" in start and "make test" in start, readme.name
