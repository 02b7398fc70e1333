"""Whether a method and the rows it is given are of one level, and keys that mean nothing at it."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..disk.json_file import known_object
from ..disk.run_files import last_link
from ..disk.run_names import NETWORKS
from ..errors import Problem, UserError
from ..tasks import without_labels
from ..tasks.texts import TextsTask
from .schema import RunKeys
from .source import Source
from .task import task_of

if TYPE_CHECKING:
    from ..methods.base import Method

UNREAD = (
    *("teacher_architectures", "teacher_output", "use_augmented"),
    *("class_weights", "positive_label", "skip_unlabeled", "max_query_length", "max_reply_length"),
    *("predictions_texts", "label_noise", "compare_alone", "groups"),
)
LANGUAGE = ("ForMaskedLM", "ForCausalLM", "LMHeadModel")
OF_NETWORKS = ("pretrained_architectures", "tokenizer_name_or_path")
TRAINS = {
    True: "learns from the network of pretrained_architectures",
    False: "trains the network of pretrained_architectures",
}
OF_ROWS = ("preprocess", "on_bad_row")  # they change which texts the rows of a task give


def level_problems(
    keys: RunKeys,
    source: Source,
    level: str | None,
    plugins: tuple[str, ...],
    *,
    has_teacher: bool,
    draws: bool,
    of_words: bool = False,
) -> list[Problem]:
    """All findings; none for a verb that trains nothing, nor where the task is faulty itself."""
    if level is None or not (keys.task_name or keys.data is not None):
        return []
    drawn = _drawn_tokens(source) if draws and keys.teacher_cache is True else []
    unread = () if draws else ("teacher_cache",)  # on a corpus a teacher runs live
    trains = TRAINS[has_teacher]
    if of_words:
        unread, trains = (*unread, *OF_NETWORKS), "makes its network of the words of its text"
    if not has_teacher:
        unread = (*unread, "student_architectures")
    return [*drawn, *_of_level(keys, source, level, plugins, trains, unread)]


def _drawn_tokens(source: Source) -> list[Problem]:
    """``"teacher_cache": true`` where no row is read twice alike."""
    name = source.get(("model_type",)) or "teach"
    message = (
        f"'teacher_cache': '{name}' draws tokens anew in every epoch: no row is read twice alike."
    )
    hint = 'Leave the key out: "auto" runs the teacher live.'
    return [source.problem(("teacher_cache",), message, hint, code="cache.tokens-are-drawn")]


def _of_level(
    keys: RunKeys,
    source: Source,
    level: str,
    plugins: tuple[str, ...],
    trains: str,
    unread: tuple[str, ...],
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
    if (hidden := _hidden_corpus(keys, source)) is not None:
        return [hidden]
    try:
        task = task_of(keys, plugins, "pretraining")
    except UserError as error:  # of its metric; an unknown task is told with its files
        return [problem for problem in error.problems if problem.place != "task_name"]
    unread += UNREAD if isinstance(task, TextsTask) else (*UNREAD, *OF_ROWS)
    return _unread(source, unread, trains)


def _hidden_corpus(keys: RunKeys, source: Source) -> Problem | None:
    """A link that names the corpus, in a file that describes rows: those would be read in its place."""
    of_the_link = "data" in source.of_the_file and "task_name" not in source.of_the_file
    if keys.data is None or not (of_the_link and without_labels(keys.task_name)):
        return None
    message = f"'task_name' is '{keys.task_name}', but the file's block 'data' names what is read."
    hint = "\"data\": null in the link takes the block out; without 'task_name' its texts are read."
    return source.problem(("task_name",), message, hint, code="corpus.data-of-the-file")


def level_as_written(
    source: Source, keys: RunKeys, method: "type[Method] | None", default: str
) -> str:
    """That of a run whose method or knobs are at fault: what else is missing hangs on it.

    Args:
        source: The file; a method's block may say its level.
        keys: A task of texts without labels is of the pre-training level.
        method: None where it is not known.
        default: Of a verb that runs none.
    """
    said = source.get((method.block, "level")) if method is not None else None
    if said in ("task", "pretraining"):
        return str(said)
    if method is not None:
        return method.level
    return "pretraining" if keys.data is None and without_labels(keys.task_name) else default


def level_of_folder(folder: Path) -> str:
    """Of the network in a folder, or in that of its run: a language model reads texts alone."""
    places = [*(folder / name for name in NETWORKS), folder]
    found = next((p for place in places if (p := place / "config.json").is_file()), None)
    if found is None:
        last = last_link(folder)
        return "task" if last is None else level_of_folder(last)
    named = known_object(found).get("architectures")
    names = named if isinstance(named, list) else []
    return "pretraining" if any(str(name).endswith(LANGUAGE) for name in names) else "task"


def _unread(source: Source, unread: tuple[str, ...], trains: str) -> list[Problem]:
    """Warnings; what a chain's file says for its other links is none of this link's."""
    whys = dict.fromkeys(OF_ROWS, "reads its lines as they stand")
    message = "'{}' has no effect: a run on a corpus {}."
    return [
        source.problem(
            (key,),
            message.format(key, whys.get(key, trains)),
            warning=True,
            code="corpus.key-without-effect",
        )
        for key in unread
        if source.written((key,)) and key not in source.of_the_file - {"preprocess"}
    ]
