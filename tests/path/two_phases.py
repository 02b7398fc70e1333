"""A small method of two phases as a plugin: the teacher's vector on rows of one kind, then gold labels."""

import json
from pathlib import Path

from . import world

METHOD = '''
"""The block ``two_phases``: the first phase learns from ``first``, the second from labelled rows."""
from chatstill.methods.base import Method, MethodConfig, Needs, Phase


class Config(MethodConfig):
    first: str = "texts"
    named: bool = True


class TwoPhases(Method):
    Config = Config
    block = "two_phases"

    @classmethod
    def data_of(cls, config):
        return (config.first, "train") if config.named else ("train",)

    def phases(self):
        epochs, steps = self.run.num_train_epochs, self.run.max_steps
        return [
            Phase("vectors", epochs, max_steps=steps, data=self.config.first, train="the body"),
            Phase("task", epochs, max_steps=steps),
        ]

    def needs(self, phase):
        if phase.name == "vectors":
            return {"student": Needs(vector=True), "teacher": Needs(vector=True)}
        return {"student": Needs(logits=True), "teacher": Needs()}

    def begin(self, phase):
        body = phase.name == "vectors"
        for name, parameter in self.student.named_parameters():
            parameter.requires_grad_(not body or "embeddings" in name or "layer" in name)
        return self.student

    def counts(self, batch, ctx):
        if ctx.phase == 0:
            return {"vector": float(len(batch["input_ids"]))}
        return {"hard": float((batch["labels"] >= 0).sum())}

    def terms(self, batch, student, teacher, ctx):
        from torch.nn import functional as F

        from chatstill.losses import Term

        if ctx.phase == 0:
            assert self.config.first == "train" or "labels" not in batch
            loss = F.mse_loss(student.vector, teacher.vector, reduction="none").mean(1).sum()
            return {"vector": Term(loss, float(len(student.vector)))}
        loss = F.cross_entropy(student.logits, batch["labels"], reduction="sum", ignore_index=-100)
        return {"hard": Term(loss, float((batch["labels"] >= 0).sum()))}
'''
KINDS = ("texts", "corpus")
TEXTS = ("where is the red box", "sing now", "we can go home", "where is the red box")


def write_plugin(folder: Path) -> Path:
    path = folder / "two_phases.py"
    path.write_text(METHOD, encoding="utf-8")
    return path


def write_data(folder: Path) -> Path:
    """Chat rows, a transfer set that repeats itself, and a corpus."""
    from .test_masked_lm import corpus

    world.write_chat(folder)
    more = "".join(f"{text}\t{text} me\n" for text in TEXTS)
    (folder / "chat" / "unlabeled.data.txt").write_text(more, encoding="utf-8")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "train.txt").write_text(corpus(60), encoding="utf-8")
    (folder / "corpus" / "dev.txt").write_text(corpus(8, seed=1), encoding="utf-8")
    return folder


def values_for(data: Path, output: Path, teacher: Path, plugin: Path, kind: str, **changes):
    return world.values_for(
        data,
        output,
        teacher,
        **{
            "model_type": "two_phases",
            "plugins": [str(plugin)],
            "theseus_scheduler": None,
            "two_phases": {"first": kind},
            "num_train_epochs": 1,
            "save_steps": 3,
            **changes,
        },
    )


def told(folder: Path, name: str = "metrics.json"):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def history(folder: Path):
    lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
