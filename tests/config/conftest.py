"""A run that is complete: a teacher's folder, chat data, and a configuration that names them."""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chatstill.config import Loaded, load
from chatstill.errors import Problem, UserError

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config" / "distill.example.1.json"


def safetensors(path: Path, values: int = 4) -> None:
    """The smallest file of that format: one tensor of zeros."""
    entry = {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values]}
    header = json.dumps({"w": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * values))


@dataclass
class World:
    """A folder with everything a run needs; ``values`` is its configuration."""

    folder: Path
    values: dict[str, Any] = field(default_factory=dict)
    name: str = "my.json"

    def write(self, text: str | None = None) -> Path:
        text = json.dumps(self.values, indent=2, ensure_ascii=False) if text is None else text
        (self.folder / self.name).write_text(text, encoding="utf-8")
        return Path(self.name)

    def load(self, *overrides: str, verb: str = "distill", text: str | None = None) -> Loaded:
        return load(self.write(text), overrides, verb=verb)

    def problems(
        self, *overrides: str, verb: str = "distill", text: str | None = None
    ) -> list[Problem]:
        """Everything that is reported, of a run that starts or not."""
        try:
            return self.load(*overrides, verb=verb, text=text).warnings
        except UserError as error:
            return error.problems

    def report(self, *overrides: str, verb: str = "distill", text: str | None = None) -> str:
        problems = self.problems(*overrides, verb=verb, text=text)
        return "\n".join(f"{problem.severity}: {problem}\n[{problem.code}]" for problem in problems)

    def place(self, key: str) -> str:
        """Where a key stands in the file as it is written."""
        lines = json.dumps(self.values, indent=2, ensure_ascii=False).split("\n")
        found = [n for n, line in enumerate(lines) if line.lstrip().startswith(f'"{key}":')]
        assert len(found) == 1, f"{key} stands {len(found)} times"
        column = len(lines[found[0]]) - len(lines[found[0]].lstrip()) + 1
        return f"{self.name}: line {found[0] + 1}, column {column}"


@pytest.fixture
def world(tmp_path, monkeypatch) -> World:
    monkeypatch.chdir(tmp_path)
    teacher = tmp_path / "teacher"
    teacher.mkdir()
    (teacher / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (teacher / "vocab.txt").write_text("[PAD]\n[UNK]\n", encoding="utf-8")
    safetensors(teacher / "model.safetensors")
    (tmp_path / "data" / "chat").mkdir(parents=True)
    for split in ("train", "dev", "test"):
        file = tmp_path / "data" / "chat" / f"{split}.data.txt"
        file.write_text("hello\thi\t1\n", encoding="utf-8")
    values = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    values["teacher_architectures"] = {"model_type": "bert", "model_name_or_path": "teacher"}
    del values["student_architectures"], values["augmentation"]
    return World(tmp_path, values)
