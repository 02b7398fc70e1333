"""Label names and kind of problem in a transformers config."""

from collections.abc import Sequence

from transformers import PretrainedConfig

from ..tasks.base import LabelKind


def set_labels(
    config: PretrainedConfig,
    num_labels: int | None,
    label_names: Sequence[str] | None,
    problem: LabelKind | None,
) -> None:
    """Writes outputs, names and ``problem_type`` into a config, in place.

    Args:
        config: Its label names stay where no others are given and their number does not change.
        num_labels: Outputs of the head; None keeps the config's.
        label_names: In the order of the outputs. One output with two names is a sigmoid scorer: it
            carries the second name, the one that a high score means.
        problem: One output is ``regression`` or, for classification, a sigmoid (transformers calls
            it ``multi_label_classification``, as it does ``multi_label``); several are
            ``single_label_classification``. None keeps what the config says.

    Raises:
        ValueError: another number of names than of outputs.
    """
    outputs = int(num_labels or config.num_labels or 1)
    names = list(label_names or ())
    if outputs == 1 and len(names) == 2:
        names = names[1:]
    if names and len(names) != outputs:
        raise ValueError(f"{len(names)} label names for {outputs} outputs")
    if outputs != config.num_labels:
        config.num_labels = outputs
    if names:
        config.id2label = dict(enumerate(names))
        config.label2id = {name: index for index, name in enumerate(names)}
    if problem is None and config.problem_type:
        return
    if problem == "regression":
        config.problem_type = "regression"
    elif problem == "multi_label" or outputs == 1:
        config.problem_type = "multi_label_classification"
    else:
        config.problem_type = "single_label_classification"
