"""Every file of ``chatstill/methods`` as a method that can be trained: a new one is tested at once."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import chatstill.methods
from chatstill import lookup
from chatstill.methods.base import Context, Method, RunValues, StudentSpec
from chatstill.models.custom import register_networks
from chatstill.models.student_spec import RowReading
from chatstill.train.teachers import live_source
from tests.draws import reseeded

from ..path import world
from ..path.by_hand import set_weights
from ..train.conftest import ToySteps, tiny_bert

FOLDER = Path(chatstill.methods.__file__).parent
NOT_METHODS = {"__init__", "base", "_context", "_masking", "_matches"}
FILES = lookup.method_files()
# A file of terms is a method of its own, by its model_type; other methods by their module.
OF_TERMS = {lookup.TERMS, "ltd"}
TERMS = [name for name, file in FILES.items() if file.method in OF_TERMS]
METHODS = sorted(
    path.stem for path in FOLDER.glob("*.py") if path.stem not in {*NOT_METHODS, *OF_TERMS}
) + sorted(TERMS)
# A method's knobs that train something else than its usual ones: it keeps the contract with them too.
KNOBS = {
    "dc_bert-one_way": {"interaction": "one_way"},
    "dc_bert-width": {"document_width": 6, "weight_soft": 0.5},
}
METHODS += sorted(KNOBS)


def level_of(name):
    """Of a method, or of a file of terms."""
    if name in TERMS:
        return FILES[name].defaults.get("distillation", {}).get("level", "task")
    return lookup.method(name.partition("-")[0]).level


# Methods for a corpus train no classifier: test_on_a_corpus.py holds them to the same rules.
CORPUS = [name for name in METHODS if level_of(name) == "pretraining"]
METHODS = [name for name in METHODS if level_of(name) == "task"]
OBJECTIVES = ("cross_entropy", "sigmoid", "regression")


LOWER, UPPER = range(5, 22), range(22, 40)  # tokens of rows with label 0 and with label 1


class LearnableSteps(ToySteps):
    """Rows of label 1 hold tokens of the upper half alone, the others of the lower."""

    def __init__(self, rows=96, batch=16, **knobs):
        super().__init__(rows=rows, batch=batch, **knobs)
        lower, upper = (half[0] + self.ids % len(half) for half in (LOWER, UPPER))
        self.ids = np.where(self.labels[:, None] == 1, upper, lower)

    def everything(self):
        return self.rows(np.arange(self.num_rows))


def right(layers: int = 4, dropout: float = 0.1, outputs: int = 2):
    """A teacher that knows ``LearnableSteps`` by construction."""
    model = tiny_bert(layers, dropout)
    if outputs == 1:
        model.config.num_labels = model.num_labels = 1
        model.classifier = torch.nn.Linear(16, 1)
    set_weights(model, (LOWER, UPPER))
    return model.eval()


@pytest.fixture(scope="session")
def teacher_weights():
    return {outputs: right(outputs=outputs).state_dict() for outputs in (1, 2)}


@pytest.fixture
def build(teacher_weights):
    """``build("theseus")``: the method with its default knobs, a teacher that is right, a smaller student."""

    def make(
        name: str, *, objective: str = "cross_entropy", dropout: float = 0.1, epochs: float = 2
    ):
        outputs = 2 if objective == "cross_entropy" else 1
        teacher = tiny_bert(4, dropout)
        if outputs == 1:
            teacher.config.num_labels = teacher.num_labels = 1
            teacher.classifier = torch.nn.Linear(16, 1)
        teacher.load_state_dict(teacher_weights[outputs])
        teacher.eval()

        def untaught():
            torch.manual_seed(reseeded(1))
            student = tiny_bert(2, dropout)
            if outputs == 1:
                student.config.num_labels = student.num_labels = 1
                student.classifier = torch.nn.Linear(16, 1)
            return student

        register_networks()  # what a run does before it builds anything
        method_class, config = method_of(name)
        reading = RowReading(world.tokenizer_of("bert"), 16, None, None, "right", lambda: True)
        spec = StudentSpec(2, None, untaught, reading=reading)
        student, lines = method_class.build_student(config, teacher, spec)
        assert isinstance(lines, list)
        run = RunValues(num_train_epochs=epochs, learning_rate=5e-3)
        return method_class(
            config,
            student,
            teacher if method_class.needs_teacher else None,
            objective=objective,
            run=run,
        )

    return make


def method_of(name: str):
    """The class of a method and its knobs as its file sets them."""
    if name in KNOBS:
        method_class = lookup.method(name.partition("-")[0])
        return method_class, method_class.Config(**KNOBS[name])
    if name not in FILES:
        return lookup.method(name), lookup.method(name).Config()
    method_class = lookup.method(FILES[name].method)
    knobs = json.loads(json.dumps(FILES[name].defaults.get(method_class.block, {})))
    for term in knobs.get("terms", {}).values():
        term.pop("pooling", None)  # the batches here have no weights of tokens
    return method_class, method_class.Config.model_validate_json(json.dumps(knobs))


def teacher_of(method: Method, phase, batch):
    """What the method reads of its teacher; None if nothing."""
    source = live_source(method, phase)
    return source.features(batch) if source is not None else None


def contexts(phase: int, number: int = 12) -> list[Context]:
    """Steps spread over a phase."""
    return [Context(3, phase, step, 0, 0, number) for step in range(number)]


def inputs_of(method: Method, batch):
    """Labels as the objective of a method has them."""
    if method.objective != "cross_entropy":
        return {**batch, "labels": batch["labels"].float()}
    return batch
