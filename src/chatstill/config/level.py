"""Whether a method and the rows it is given are of one level, and keys that mean nothing at it."""

from ..errors import Problem, UserError
from ..tasks import without_labels
from .schema import RunKeys
from .source import Source
from .task import task_of

UNREAD = (
    *("teacher_architectures", "teacher_output"),
    *("class_weights", "positive_label", "max_query_length", "max_reply_length", "preprocess"),
    *("predictions_texts", "label_noise", "compare_alone", "on_bad_row", "groups"),
)


def level_problems(
    keys: RunKeys,
    source: Source,
    level: str | None,
    plugins: tuple[str, ...],
    *,
    has_teacher: bool,
    draws: bool,
) -> list[Problem]:
    """All findings; none for a verb that trains nothing, nor where the task is faulty itself."""
    if level is None or not (keys.task_name or keys.data is not None):
        return []
    drawn = _drawn_tokens(source) if draws and keys.teacher_cache is True else []
    return [*drawn, *_of_level(keys, source, level, plugins, has_teacher)]


def _drawn_tokens(source: Source) -> list[Problem]:
    """``"teacher_cache": true`` where no row is read twice alike."""
    name = source.get(("model_type",)) or "teach"
    message = (
        f"'teacher_cache': '{name}' draws tokens anew in every epoch: no row is read twice alike."
    )
    hint = 'Leave the key out: "auto" runs the teacher live.'
    return [source.problem(("teacher_cache",), message, hint, code="cache.tokens-are-drawn")]


def _of_level(
    keys: RunKeys, source: Source, level: str, plugins: tuple[str, ...], has_teacher: bool
) -> list[Problem]:
    is_corpus = keys.data is None and without_labels(keys.task_name)
    wants_corpus = level == "pretraining"
    name = source.get(("model_type",)) or "teach"
    if is_corpus and not wants_corpus:
        message = (
            f"'task_name': {keys.task_name} is text without labels, '{name}' learns from rows."
        )
        hint = 'Name a task with labels, or a method for a corpus: "model_type": "MaskedLM".'
        return [source.problem(("task_name",), message, hint, code="corpus.method-of-a-task")]
    if not wants_corpus:
        return []
    if not is_corpus:
        path = ("data",) if keys.data is not None else ("task_name",)
        message = f"'{path[0]}': '{name}' learns from a corpus, and this names rows with labels."
        hint = 'Set "task_name": "corpus"; its texts lie in data_dir/corpus/train.txt.'
        return [source.problem(path, message, hint, code="corpus.rows-with-labels")]
    try:
        task_of(keys, plugins)
    except UserError as error:  # a metric that it does not have
        return error.problems
    return _unread(source, has_teacher)


def _unread(source: Source, has_teacher: bool) -> list[Problem]:
    does = "learns from" if has_teacher else "trains"
    message = (
        f"'{{}}' has no effect: a run on a corpus {does} the network of pretrained_architectures."
    )
    unread = UNREAD if has_teacher else (*UNREAD, "student_architectures")
    return [
        source.problem((key,), message.format(key), warning=True, code="corpus.key-without-effect")
        for key in unread
        if source.written((key,))
    ]
