"""Imports go down only, and what must answer at once does not wait for torch."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "chatstill"

# Room -> the rooms it may import. ``errors``, ``disk`` and ``registry.hub`` may be imported by all; a room
# may import itself.
LOW = {
    "errors": set(),
    "disk": {"figures"},
    "figures": set(),
    "registry": set(),
    "losses": set(),
    "tasks": {"figures", "registry"},
    "text": {"tasks.base"},
    "features": set(),
    "terms": {"losses", "features", "tasks.base"},
    "data": {"figures", "tasks.base", "tasks.corpus", "tasks.files"},
    "models": {
        *("figures", "data.text_states", "data.fingerprint", "text", "features", "registry"),
        *("tasks.base", "tasks.label_names", "tasks.positive"),
    },
    "methods": {
        *("figures", "losses", "features", "models", "terms", "tasks.base", "data.masking"),
    },
    "lookup": {"registry", "methods", "tasks"},
    "augment": {"figures", "features", "models", "tasks", "text"},
    "config": {
        "augment.keys",
        "augment.record",
        "lookup",
        "methods",
        "models.networks",
        "tasks",
        "registry",
    },
    "readers": {"config", "data", "features", "methods", "models", "tasks.base", "text"},
    "train": {"figures", "methods", "data", "models", "features", "losses"},
    "evaluate": {
        *("figures", "config", "data", "features", "losses", "models", "readers", "tasks", "text"),
        *("methods", "train"),
    },
    "report": {"figures"},
    "preflight": {
        *("figures", "config", "data", "models", "tasks", "text"),
        *("evaluate", "features", "methods", "report", "train"),
    },
    "draft": {"figures", "config", "tasks", "text", "preflight"},
    "deploy": {"figures", "data", "models", "tasks", "text"},
}
# The story of a run puts the rooms together; only the command line may import it.
ABOVE_ALL = {"run": {"cli"}, "cli": set(), "auto": {"run", "cli"}}
QUICK = (  # with what lies in them, but for names that end in a dot
    "augment.keys",
    "augment.record",
    "registry",
    "errors",
    "disk",
    "lookup",
    "features.layer_map",
    "config",
    "tasks",
    "methods",
    "models.networks.base",
    "models.networks.static.",
    "models.networks.bilstm.",
    "models.networks.elmo.",
    "models.networks.elmo.options",
    "models.networks.elmo.files",
    "models.networks.elmo.weights",
    "models.networks.word_network",
    "cli",
    "text.reading",
    "deploy.folder",
)


def room(module: str) -> str:
    """``chatstill.train.phases`` -> ``train``."""
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> set[str]:
    """Modules of ours that a file imports, inside functions too; not those for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = ["chatstill", *path.relative_to(SOURCE).parent.parts]
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("chatstill.")}


FILES = sorted(SOURCE.rglob("*.py"))


def allowed(own: str, target: str) -> bool:
    if own in ABOVE_ALL:
        return room(target) not in ABOVE_ALL[own]
    names = LOW[own] | {own, "errors", "disk", "registry.hub"}
    inside = target.removeprefix("chatstill.")
    return any(inside == name or inside.startswith(f"{name}.") for name in names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_down_only(path):
    parts = path.relative_to(SOURCE).with_suffix("").parts
    if parts[0] in ("__init__", "__main__"):
        assert imports(path) <= {"chatstill.cli.main", "chatstill.deploy.ranker.Ranker"}
        return
    own = parts[0]
    assert own in LOW or own in ABOVE_ALL, f"no row for the room {own}"
    wrong = sorted(t for t in imports(path) if not allowed(own, t) and t != "chatstill.__version__")
    assert not wrong, f"{own} imports {wrong}"


def test_the_main_path_names_no_method_model_or_task():
    text = (SOURCE / "run" / "run.py").read_text(encoding="utf-8").lower()
    for word in ("theseus", "bert", "chat_task", "sst", "glue", "llama"):
        assert word not in text, word


def test_what_must_answer_at_once_imports_neither_torch_nor_transformers():
    modules = [
        "chatstill."
        + ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        for path in FILES
    ]
    quick = [
        m
        for m in modules
        if any(f"{m}.".startswith(f"chatstill.{q}.") or f"{m}." == f"chatstill.{q}" for q in QUICK)
    ]
    assert "chatstill.models.networks.bilstm" in quick
    assert len(quick) > 25
    code = (
        "import importlib, json, sys\n"
        "heavy = ('torch', 'transformers', 'scipy', 'sklearn', 'accelerate', 'tensorboard', 'matplotlib')\n"
        "found = {}\n"
        f"for name in {quick!r}:\n"
        "    importlib.import_module(name)\n"
        "    for library in heavy:\n"
        "        if library in sys.modules and library not in found: found[library] = name\n"
        "print(json.dumps(found))\n"
    )
    home = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    done = subprocess.run([sys.executable, "-c", code], env=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}
