"""A bidirectional language model over characters, trained from nothing (ELMo, arXiv 1802.05365, section 3.1).

Loss: half of -log p(next word | words before) and half of -log p(word before | words behind), each summed
over the words of a corpus and divided by their number. Both directions share the vectors of the words, made
of their bytes, and the layer over the vocabulary; that is made of the training text.

Lines of a corpus stand between ``<S>`` and ``</S>``, as texts do where the ELMo is used. A block begins
with zero states and holds words of one document.

Needs a corpus. No teacher, no labels, no pre-trained network: the sizes stand in the block. It writes the two
files of an ELMo beside the network, so that ``ELMOTaskDistill`` can start from the folder.

Goes wrong: on a few megabytes of text it learns frequent words and little else; with a large vocabulary most
of the time goes into the layer over it.

    {"model_type": "BiLM", "task_name": "corpus", "data_dir": "data", "output_dir": "output_bilm",
     "bilm": {"projection_size": 128, "cell_size": 512, "max_words": 30000}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from ..errors import Problem
from ..models.networks.base import MOST_WORDS, segmenter_fault
from .base import Context, Features, Method, MethodConfig, Needs, Phase, StudentSpec

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from ..losses import Term

WIDEST, MOST = 50, 16_384
LARGEST = 2_000_000_000  # parameters, 8 GB
FORWARD, BACKWARD = "forward", "backward"
Filters = list[tuple[int, int]]


class Config(MethodConfig):
    """The block ``bilm``.

    Attributes:
        level: ``pretraining``.
        segmenter: What cuts lines into words: ``jieba``, ``words``, ``characters`` or a module with ``cut``.
            Left out: ``jieba`` where the first lines are mostly Chinese, else ``words``.
        user_dictionary: A dictionary file of jieba's format.
        min_count: Words that stand in the training text less often are read, and predicted as unknown ones.
        max_words: The most frequent words, which are predicted.
        char_size: Of a character's vector.
        filters: [width, number] of each convolution over a word's characters.
        highways: Layers behind them.
        activation: Of the convolutions.
        projection_size: Of a word's vector, and of a direction's states. An ELMo vector has twice as many
            numbers.
        cell_size: Of a direction's memory.
        layers: Of LSTMs in each direction.
        cell_clip: Largest size of a number of the memory; 0 clips nothing.
        proj_clip: Largest size of a number of a state; 0 clips nothing.
        residual: Each layer but the first adds its input to its output.
        dropout: Of what the LSTMs and the layer over the vocabulary read.
    """

    level: Literal["pretraining"] = "pretraining"
    segmenter: str | None = None
    user_dictionary: str | None = None
    min_count: int = Field(default=2, ge=1, le=MOST_WORDS)
    max_words: int = Field(default=30_000, ge=1, le=MOST_WORDS)
    char_size: int = Field(default=16, ge=1, le=MOST)
    filters: Filters = Field(
        default=[(1, 32), (2, 32), (3, 64), (4, 128), (5, 128), (6, 128)],
        min_length=1,
        max_length=64,
    )
    highways: int = Field(default=1, ge=0, le=64)
    activation: Literal["relu", "tanh"] = "relu"
    projection_size: int = Field(default=128, ge=1, le=MOST)
    cell_size: int = Field(default=512, ge=1, le=MOST)
    layers: int = Field(default=2, ge=1, le=64)
    cell_clip: float = Field(default=3.0, ge=0, allow_inf_nan=False)
    proj_clip: float = Field(default=3.0, ge=0, allow_inf_nan=False)
    residual: bool = True
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @field_validator("filters")
    @classmethod
    def _sound(cls, value: Filters) -> Filters:
        for width, number in value:
            if not 1 <= width <= WIDEST or not 1 <= number <= MOST:
                raise ValueError(
                    f"[{width}, {number}] is no convolution: a width from 1 to {WIDEST}, and a number from "
                    f"1 to {MOST:,}"
                )
        if sum(number for _, number in value) > MOST:
            raise ValueError(f"their numbers come to more than {MOST:,} together")
        return value

    @field_validator("segmenter")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if (said := segmenter_fault(value)) is not None:
            raise ValueError(f"{said.message} {said.hint}")
        return value

    @model_validator(mode="after")
    def _of_a_size(self) -> Config:
        if (number := self.most_parameters()) > LARGEST:
            raise ValueError(
                f"its sizes come to {number:,} parameters, more than {LARGEST:,}: lower projection_size, "
                "cell_size or max_words"
            )
        return self

    def most_parameters(self) -> int:
        """Of the network, if as many words are frequent as may be predicted."""
        wide, cell, letter = self.projection_size, self.cell_size, self.char_size
        total = sum(number for _, number in self.filters)
        tokens = 261 * letter + sum((width * letter + 1) * n for width, n in self.filters)
        tokens += self.highways * 2 * (total + 1) * total + (total + 1) * wide
        lstm = (2 * wide + 1) * 4 * cell + cell * wide
        return tokens + 2 * self.layers * lstm + (self.max_words + 5) * (wide + 1)


Knobs = Config  # inside the class, Config is its attribute


class BiLM(Method):
    """One phase; a term for each direction."""

    Config = Config
    block = "bilm"
    level = "pretraining"
    needs_teacher = False
    needs_labels = False
    reads_words = True

    config: Knobs
    student: Any

    @classmethod
    def build_student(
        cls, config: MethodConfig, teacher: PreTrainedModel | None, spec: StudentSpec
    ) -> tuple[PreTrainedModel, list[str]]:
        """Random weights, for a vocabulary that is the tokenizer's of ``spec.reading``."""
        import torch

        from ..models.networks.elmo.language_model import BiLmConfig, BiLmForCausalLM

        assert isinstance(config, Config) and spec.reading is not None
        sizes = config.model_dump(
            exclude={"note", "level", "layers", "segmenter", "user_dictionary"}
            | {"min_count", "max_words"}
        )
        words: Any = spec.reading.tokenizer
        shape = BiLmConfig(
            **sizes,
            lstm_layers=config.layers,
            vocab_size=len(words),
            segmenter=words.cutter.name,
            lower_case=words.do_lower_case,
        )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(spec.seed)
            model = BiLmForCausalLM(shape)
        return model.eval(), ["the language model starts at random"]

    @classmethod
    def files(cls, config: MethodConfig, plugins: Sequence[str]) -> Mapping[str, str]:
        file = getattr(config, "user_dictionary", None)
        return {} if file is None else {"user_dictionary": file}

    def problems(self) -> list[Problem]:
        from ..models.networks.elmo.weights import library_missing

        said = library_missing("The file weights.hdf5 of an ELMo")
        return (
            [] if said is None else [Problem("model_type", said.message, said.hint, code=said.code)]
        )

    def phases(self) -> list[Phase]:
        run = self.run
        return [Phase("bilm", run.num_train_epochs, run.learning_rate, max_steps=run.max_steps)]

    def needs(self, phase: Phase) -> Mapping[str, Needs]:
        return {"student": Needs(vocabulary=True), "teacher": Needs()}

    def begin(self, phase: Phase) -> nn.Module:
        self.student.requires_grad_(True)
        student: nn.Module = self.student
        return student

    def prepare_batch(self, batch: dict[str, Tensor], ctx: Context) -> dict[str, Tensor]:
        """With ``targets`` (B, 2, L): the word behind each one, and the one before it."""
        found = self.student.targets(batch["input_ids"], batch["attention_mask"])
        return {**batch, "targets": found}

    def counts(self, batch: Mapping[str, Tensor], ctx: Context) -> dict[str, float]:
        number = (batch["targets"] >= 0).sum((0, 2)).tolist()
        return {FORWARD: float(number[0]), BACKWARD: float(number[1])}

    def forward(self, module: nn.Module, batch: Mapping[str, Tensor], ctx: Context) -> Features:
        """``head`` is (B, 2, L, P)."""
        network: Any = module
        states = network.states(batch["input_ids"], batch["attention_mask"])
        layer = network.get_output_embeddings()
        return Features(head=states, vocabulary=(layer.weight, layer.bias))

    def terms(
        self, batch: Mapping[str, Tensor], student: Features, teacher: Features | None, ctx: Context
    ) -> dict[str, Term]:
        from ..losses import Term, vocabulary_loss

        assert student.head is not None and student.vocabulary is not None
        found, number = {}, self.counts(batch, ctx)
        for place, name in enumerate((FORWARD, BACKWARD)):
            targets = batch["targets"][:, place]
            counted = targets >= 0
            states = student.head[:, place][counted]
            loss = vocabulary_loss(states, student.vocabulary, targets[counted])
            found[name] = Term(loss, number[name], 0.5)
        return found
