"""The names in a run folder and in a chain's: what they are for, and that nothing else may have them."""

RECORD, LOCK, LOG = "run.json", "run.lock", "run.log"
COPY = ".run.json.copy"  # read where the other is damaged
HISTORY = "history.jsonl"
FILES = (
    RECORD,
    LOCK,
    LOG,
    HISTORY,
    "config.json",
    "config.resolved.json",
    "data_report.json",
    "teacher_cache.json",
    "student_states.json",
    "metrics.json",
    "eval_results.txt",
    "report.html",
    "predictions.tsv",
    "label_noise.tsv",
    "bad_rows.tsv",
)
CHECKPOINTS, TENSORBOARD, CACHE = "checkpoints", "tensorboard", "cache"
NETWORKS = ("student", "teacher")  # whole folders that are renamed into place
FOLDERS = (CHECKPOINTS, TENSORBOARD, CACHE, "views")

# Written in place: through a link of that name, files of others would be.
WRITTEN_IN_PLACE = (LOCK, LOG, HISTORY, CHECKPOINTS, TENSORBOARD, CACHE)


def is_taken(name: str) -> bool:
    """Whether a folder of that name, in a chain's folder, could be taken for something of ours.

    Compared without case, as some file systems do. ``student`` and ``teacher`` are free: a chain's own
    folder holds no network, and chains have links of these names.
    """
    return name.casefold() in FILES or name.casefold() in FOLDERS
