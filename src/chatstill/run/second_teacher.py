"""The pre-trained network that teaches a phase beside the teacher, which reads the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..config.schema import RunConfig
from ..errors import Problem, UserError, errors_of
from ..features.capture import takes_token_types
from ..models.load import load_classifier
from ..models.reads_rows import reading_problems
from ..models.whole import require_body
from ..tasks.base import Task
from ..text.tokenizers import resolve_tokenizer, tokenizer_fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PLACE = "pretrained_architectures"
TWO_RUNS = (
    "Take the network that the teacher was fine-tuned from; or two runs: `chatstill teach` with max_steps 1 "
    'gives the other one a classifier, a run with it as teacher, "task_epochs": 0 and "allow_weak_teacher": '
    'true makes a student, and a run with the teacher and "vector_epochs": 0 starts from that one '
    "(student_architectures.model_name_or_path)."
)


def load_second(
    key: str,
    config: RunConfig,
    task: Task,
    beside: Mapping[str, PreTrainedModel],
    tokenizer: PreTrainedTokenizerBase,
    notes: list[str],
) -> PreTrainedModel:
    """The network of ``pretrained_architectures``; what was loaded becomes a line of ``notes``.

    Args:
        key: What asks for it.
        config: The run's.
        task: The run's.
        beside: By role, the networks whose rows it reads; the ``teacher`` is one.
        tokenizer: The teacher's.
        notes: For the plan.

    Raises:
        UserError: none is named, it is not whole, or it does not read what the teacher reads.
    """
    block = config.pretrained_architectures
    if block is None or not block.model_name_or_path:
        message = "is 'pretrained', and pretrained_architectures.model_name_or_path is missing"
        hint = 'Name it: "pretrained_architectures": {"model_name_or_path": …}.'
        raise UserError(Problem(key, message, hint, code="second-teacher.missing"))
    loaded = load_classifier(
        block,
        role="pretrained",
        num_labels=None,
        label_names=None,
        problem=task.labels.kind,
        cache_dir=config.cache_dir,
        seed=config.seed,
    )
    model, path = loaded.model, block.model_name_or_path
    require_body(model, loaded.report, f"{PLACE}.model_name_or_path", cut=True)
    own = block.tokenizer_name_or_path or config.tokenizer_name_or_path
    theirs = resolve_tokenizer(
        own, path, block.config_file, config.do_lower_case, config.cache_dir, config.normalize
    )
    theirs.padding_side = tokenizer.padding_side  # which the teacher's trial may have changed
    if other := _other(model, theirs, beside["teacher"], tokenizer):
        message = f"{path} cannot teach a phase beside the teacher: {', '.join(other)}"
        place = f"{PLACE}.model_name_or_path"
        raise UserError(Problem(place, message, TWO_RUNS, code="second-teacher.of-another-kind"))
    found = reading_problems(model, tokenizer, config, role="pre-trained network", beside=beside)
    if errors := errors_of(found):
        raise UserError(errors)
    notes.append(f"{key}: {loaded.report.summary()}")
    return model


def _other(
    model: PreTrainedModel,
    own: PreTrainedTokenizerBase,
    teacher: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
) -> list[str]:
    """What of a network is not as the teacher's, and has to be: both read the same prepared rows."""
    found = []
    if tokenizer_fingerprint(own) != tokenizer_fingerprint(tokenizer):
        found.append("its tokenizer is another")
    widths = [getattr(one.config, "hidden_size", None) for one in (model, teacher)]
    if widths[0] != widths[1]:
        found.append(f"its states are {widths[0]} wide, the teacher's {widths[1]}")
    if takes_token_types(model) != takes_token_types(teacher):
        found.append("one of the two takes token types, the other none")
    return found
