"""Whether a student's layers can stand in for a teacher's: widths, heads, vocabularies."""

from collections.abc import Sequence
from typing import Any

from transformers import PretrainedConfig

from ..errors import Problem

MUST_AGREE = {
    "model_type": "kind of model",
    "hidden_size": "width",
    "embedding_size": "width of the embeddings",
    "num_attention_heads": "number of attention heads",
    "num_key_value_heads": "number of key and value heads",
    "head_dim": "width of a head",
    "intermediate_size": "width of the feed-forward part",
    "hidden_dim": "width of the feed-forward part",
    "ffn_dim": "width of the feed-forward part",
    "n_inner": "width of the feed-forward part",
    "vocab_size": "vocabulary size",
    "type_vocab_size": "number of token types",
    "max_position_embeddings": "number of positions",
}
SHOULD_AGREE = (
    "hidden_act",
    "position_embedding_type",
    "layer_norm_eps",
    "rms_norm_eps",
    "rope_theta",
    "rope_parameters",
)


def check_same_shape(
    teacher_config: PretrainedConfig, student_config: PretrainedConfig, place: str = ""
) -> list[Problem]:
    """Problems that name both values, for everything but the number of layers that has to agree.

    Args:
        teacher_config: As loaded.
        student_config: As loaded from ``student_architectures``.
        place: Where the student's values were given; default ``student_architectures.config_file``.

    Returns:
        Errors for shapes; warnings for values that change what copied weights compute.
    """
    place = place or "student_architectures.config_file"
    problems: list[Problem] = []
    for key, words in MUST_AGREE.items():
        teacher, student = _value(teacher_config, key), _value(student_config, key)
        if teacher != student and None not in (teacher, student):
            written = student_config.attribute_map.get(key, key)
            message = f"{written}: the student's {words} is {student}, the teacher's is {teacher}"
            hint = f"Set {written} to {teacher}: only the number of layers may differ."
            problems.append(Problem(place, message, hint, code="theseus.shape-differs"))
    for key in SHOULD_AGREE:
        teacher, student = _value(teacher_config, key), _value(student_config, key)
        if teacher != student and None not in (teacher, student):
            message = f"{key} is {student}, the teacher's is {teacher}"
            problems.append(
                Problem(place, message, severity="warning", code="theseus.setting-differs")
            )
    return problems


def other_values(
    one: PretrainedConfig, other: PretrainedConfig
) -> list[tuple[str, object, object]]:
    """Key, and both values, of everything but the number of layers that changes what weights compute."""
    values = [(key, _value(one, key), _value(other, key)) for key in (*MUST_AGREE, *SHOULD_AGREE)]
    return [found for found in values if found[1] != found[2] and None not in found[1:]]


def changed_by(problems: Sequence[Problem]) -> list[str]:
    """Lines for the plan: what makes copied layers compute something else.

    Args:
        problems: Of ``check_same_shape``, without errors.
    """
    return [
        f"{problem.message}: layers that are copied compute something else at first"
        for problem in problems
        if problem.severity == "warning"
    ]


def _value(config: PretrainedConfig, key: str) -> Any:
    return getattr(config, key, None)
