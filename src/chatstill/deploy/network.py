"""The DC-BERT that an index is made with, and that ranks with it: opened from its folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch

from ..data.fingerprint import fingerprint, state_sha256
from ..errors import Problem, UserError
from ..models.custom import code_of, register
from ..models.load import load_classifier
from ..models.own import own_block
from ..models.save import kept_folder
from ..tasks.positive import plain_positive
from ..text.plain_ids import plain_ids
from ..text.preprocess import preprocess_version, preprocessor
from ..text.tokenizers import resolve_tokenizer, tokenizer_fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ..models.networks.dc_bert.model import DcBertForSequenceClassification, Encoded

TYPE = "dc-bert"
NOT_SCORES = ("transformers_version", "_name_or_path", "dtype", "torch_dtype", "architectures")


@dataclasses.dataclass(frozen=True)
class _Folder:
    """The block of a configuration that would name the folder."""

    model_name_or_path: str
    model_type: str | None = None
    config_file: str | None = None
    num_hidden_layers: int | None = None
    num_labels: int | None = None


class Served(NamedTuple):
    """A network in eval mode on its device.

    Attributes:
        model: The network.
        tokenizer: Its tokenizer.
        prepare: What is done to a text before it is cut into tokens.
        fingerprint: Of weights, code, tokenizer, lengths, and what is done to texts.
    """

    model: DcBertForSequenceClassification
    tokenizer: PreTrainedTokenizerBase
    prepare: Callable[[str], str]
    fingerprint: str

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.model.parameters()).device

    @torch.no_grad()
    def encode_query(self, query: str | Sequence[str]) -> Encoded:
        """One query, or the turns of a dialogue with the query as the last: states (1, Lq, H)."""
        from ..models.networks.dc_bert.sides import dialogue_ids

        turns = [self.prepare(turn) for turn in ([query] if isinstance(query, str) else query)]
        ids, mask, _ = dialogue_ids(turns, self.tokenizer, self.model.config)
        return self.model.encode_queries(ids.to(self.device), mask.to(self.device))

    @torch.no_grad()
    def encode_replies(self, replies: Sequence[str]) -> Encoded:
        """Replies, padded to the longest: states (B, Ld, H)."""
        texts = [self.prepare(reply) for reply in replies]
        ids, mask, _ = self.model.document_ids(texts, self.tokenizer)
        return self.model.encode_documents(ids.to(self.device), mask.to(self.device))

    def reply_tokens(self, replies: Sequence[str]) -> list[int]:
        """Tokens of each reply without special ones, before anything is cut."""
        return [
            len(ids) for ids in plain_ids(self.tokenizer, [self.prepare(one) for one in replies])
        ]


def open_network(
    folder: Path, plugins: Sequence[str] = (), device: torch.device | str | None = None
) -> Served:
    """The DC-BERT of a folder, or of a run's.

    Raises:
        UserError: there is none, it is a network of another kind, is not whole, or its own interaction
            cannot be found.
    """
    register(plugins)
    folder = kept_folder(folder) or folder
    try:
        loaded = load_classifier(
            _Folder(str(folder)),
            role="student",
            num_labels=None,
            label_names=None,
            problem=None,
            strict_head=True,
        )
    except UserError as error:  # named on the command line, not in a file
        named = [
            problem if ".py" in problem.place else dataclasses.replace(problem, place="MODEL")
            for problem in error.problems
        ]
        raise UserError(named) from error
    if loaded.model.config.model_type != TYPE:
        message = f"{folder} is a {loaded.model.config.model_type}, and an index needs a {TYPE}"
        hint = 'Train one: "model_type": "dc-bert" (docs/dc_bert.md).'
        raise UserError(Problem("MODEL", message, hint, code="index.another-network"))
    model = cast("DcBertForSequenceClassification", loaded.model)
    tokenizer = resolve_tokenizer(None, str(folder), None)
    known = own_block(model.config).get("preprocess")
    prepare = preprocessor(str(known)) if known else _as_it_is
    identity = _identity(model, tokenizer, preprocess_version(known))
    torch.nn.Module.to(model, device if device is not None else _best_device())
    return Served(model.eval(), tokenizer, prepare, identity)


def _as_it_is(text: str) -> str:
    return text


def _best_device() -> torch.device:
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")


def _identity(model: Any, tokenizer: PreTrainedTokenizerBase, preprocessing: str) -> str:
    config = {key: value for key, value in model.config.to_dict().items() if key not in NOT_SCORES}
    return fingerprint(
        {
            "weights": state_sha256(model.state_dict()),
            "code": code_of(model),
            "config": {key: _plain(value) for key, value in config.items()},
            "tokenizer": tokenizer_fingerprint(tokenizer),
            "preprocess": preprocessing,
        }
    )


def _plain(value: Any) -> Any:
    """What JSON can hold; keys are texts there."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


class Relevance(NamedTuple):
    """How logits become the number that replies are ranked by.

    Attributes:
        column: Of the logits.
        softmax: Whether it is one of classes that exclude each other.
        sigmoid: Whether its score is the probability of a logit.
        meaning: For people.
    """

    column: int
    softmax: bool
    sigmoid: bool
    meaning: str

    def margin(self, logits: torch.Tensor) -> torch.Tensor:
        """(B,) of logits (B, C): higher is more relevant; of classes the log-odds, which never saturate."""
        found = logits[:, self.column]
        if not self.softmax:
            return found
        others = [n for n in range(logits.shape[1]) if n != self.column]
        return found - torch.logsumexp(logits[:, others], -1)

    def score(self, margin: float) -> float:
        """The probability of the relevant class, or the score itself."""
        if self.softmax or self.sigmoid:
            return float(torch.sigmoid(torch.tensor(margin, dtype=torch.float64)))
        return margin


def relevance_of(model: Any, label: str | None) -> Relevance:
    """What replies are ranked by.

    Args:
        model: Its config names the outputs.
        label: The class that a relevant reply has; None where the names say it.

    Raises:
        UserError: nothing says which of several outputs it is.
    """
    config = model.config
    names = [str(config.id2label[number]) for number in range(int(config.num_labels))]
    several = config.problem_type == "single_label_classification" and len(names) > 1
    if len(names) == 1 and label is None:
        sigmoid = config.problem_type != "regression"
        return Relevance(
            0, False, sigmoid, "the network's probability" if sigmoid else "its output"
        )
    wanted = label if label is not None else plain_positive(names)
    if wanted in names:
        return Relevance(
            names.index(wanted), several, not several, f"the probability of label {wanted!r}"
        )
    shown = ", ".join(repr(name) for name in names)
    if label is not None:
        message = f"there is no label {label!r}: the network's are {shown}"
        raise UserError(Problem("--label", message, code="rank.no-such-label"))
    message = f"nothing says which of the network's labels a relevant reply has: {shown}"
    raise UserError(
        Problem("--label", message, f"Name it: --label {names[-1]}", code="rank.label-not-told")
    )
