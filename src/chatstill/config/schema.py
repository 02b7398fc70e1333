"""The run's configuration as types: every key of the JSON file, its default and what it means."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..augment.keys import AugmentationKeys
from ..tasks.bad_rows import OnBadRow
from ..tasks.query_groups import GroupsBy
from ..tasks.tabular_keys import DataKeys

MOST = 2**31 - 1  # of a count: libraries compute in 32 bits
MOST_SEED = 2**32 - 1  # numpy takes no larger one
MOST_LABELS = 100_000
MOST_TOKENS = 1_000_000
PLACEHOLDER = "must feed this value when the distill type is not in the exist map"


class Block(BaseModel):
    """A JSON object. Unknown keys are errors; ``note`` is a comment anywhere."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
    note: Any = None


class Architecture(Block):
    """A network: the architecture (``config_file``), the weights (``model_name_or_path``), or both.

    Attributes:
        model_type: A type of transformers, ``sequence-classification``, ``qa``, or a plugin's model;
            left out, config.json says it.
        model_name_or_path: A folder, one .safetensors or .bin file, or a name on the hub.
        config_file: The architecture, a JSON file of any ending.
        tokenizer_name_or_path: Else the folder of the weights.
        network: Keys of a network of the package, such as ``static``.
        num_hidden_layers: Depth.
        num_labels: Outputs of a new head: 1, a score, or 2 for tasks of two labels.
    """

    model_type: str | None = None
    model_name_or_path: str | None = None
    config_file: str | None = None
    tokenizer_name_or_path: str | None = None
    network: dict[str, Any] | None = None
    num_hidden_layers: int | None = Field(default=None, ge=1, le=MOST)
    num_labels: int | None = Field(default=None, ge=1, le=MOST_LABELS)


class StudentArchitecture(Architecture):
    """The student, and what it starts from where it has no weights of its own.

    Attributes:
        copy_from: Whose layers it starts as: ``teacher`` (default, where the shapes are equal),
            ``pretrained`` (``pretrained_architectures``), or ``none``: random weights.
        copy_layers: Which: the ``first`` (default), the ``last``, ``evenly`` spread ones, or a list
            counted from 0.
    """

    copy_from: Literal["teacher", "pretrained", "none"] | None = None
    copy_layers: Literal["first", "last", "evenly"] | tuple[int, ...] | None = None


class RunKeys(Block):
    """The keys of the file. Paths count from the working directory.

    ``task_name`` and ``output_dir`` are only empty for verbs that need none.

    Attributes:
        model_type: The method; `chatstill teach` needs none.
        configuration_file: A method file of your own, by path or name.
        task_name: The task.
        data_dir: Holds the task's files, or a folder <TASK> with them.
        data: Rows of any CSV, TSV, JSON lines, Parquet file or data set, in place of data_dir.
        augmentation: How `chatstill augment` makes more training rows.
        use_augmented: Whether the training rows are those that it wrote.
        on_bad_row: "skip" leaves malformed rows out and lists them.
        skip_unlabeled: Training rows without a label are left out; files of a transfer set are not read.
        groups: Which rows of chat are ranked together, where no fourth field says it.
        class_weights: How much gold labels of each class count.
        selection_metric: What keep and patience go by; left out: the task's main metric.
        positive_label: The class that counts in f1, the threshold and the ranking metrics.
        output_dir: The run folder.
        cache_dir: Where prepared data and downloads are kept.
        plugins: Python files with methods, tasks or models of your own.
        pipeline: Runs one after the other, each with this file's keys and its own on top.
        compare_direct: A pipeline's last student also straight from the first teacher.
        compare_alone: The student also fine-tuned alone; a block of keys goes over the file's for that run.
        do_train: false evaluates the student in output_dir.
        do_eval: Score the network on the dev set.
        teacher_architectures: The teacher, or what `chatstill teach` starts from.
        pretrained_architectures: The pre-trained model that a student may start from.
        student_architectures: The student; left out: half of the teacher's layers.
        teacher_cache: Whether the teacher's outputs are stored for later epochs; "auto" goes by cost.
        teacher_cache_budget_gb: The most that they may take.
        teacher_output: What the teacher gives; left out: logits of classes, scores of a regression.
        teacher_output_range: The labels that 0 and 1 stand for, where it gives a share of their range.
        tokenizer_name_or_path: Else the folder of the weights.
        do_lower_case: Else the tokenizer's own.
        normalize: Unicode normalisation inside the student's tokenizer.
        preprocess: Traditional to simplified characters before the tokenizer.
        allow_weak_teacher: Go on with a teacher that is not above chance.
        max_seq_length: Tokens of a row, special ones included; longer rows are cut.
        max_query_length: Tokens of the first text.
        max_reply_length: Tokens of the second text.
        truncation_side: Where longer texts are cut.
        per_gpu_train_batch_size: Rows per process.
        per_gpu_eval_batch_size: Rows per process.
        gradient_accumulation_steps: Micro-batches of a step.
        num_train_epochs: Passes over the training rows; left out: by their number.
        max_steps: Steps; above 0 it decides in place of num_train_epochs.
        learning_rate: The highest of the schedule; left out: by width and start of the student.
        warmup_steps: Steps until it is reached.
        warmup_percentage: The same as a share of the training; 0.1, 10 %, where neither is set.
        weight_decay: Of AdamW.
        adam_epsilon: Of AdamW.
        max_grad_norm: Gradients are clipped to this norm.
        seed: Of everything random.
        fp16: Mixed precision in 16-bit floats.
        bf16: Mixed precision in bfloat16.
        save_steps: Steps between checkpoints; left out: one every 5 minutes.
        save_total_limit: Checkpoints that are kept.
        eval_steps: Steps between evaluations; left out: every epoch.
        logging_steps: Steps between lines of the log.
        patience: Evaluations without a better figure after which training stops.
        predictions_texts: Whether predictions.tsv holds the texts too.
        label_noise: Splits that are searched for labels the teacher contradicts.
        keep: The last weights, or the best on the dev set; left out: the best where dev can tell.
        training_arguments: Anything else of transformers' TrainingArguments.
    """

    model_type: str | None = None
    configuration_file: str | None = None
    task_name: str = ""
    data_dir: str = "data"
    data: DataKeys | None = None
    augmentation: AugmentationKeys | None = None
    use_augmented: bool = False
    on_bad_row: OnBadRow = "stop"
    skip_unlabeled: bool = False
    groups: GroupsBy = "neighbours"
    selection_metric: str | None = None
    class_weights: Literal["balanced"] | tuple[float, ...] | dict[str, float] | None = None
    positive_label: bool | int | str | None = None
    output_dir: str = ""
    cache_dir: str | None = None
    plugins: tuple[str, ...] = ()
    pipeline: tuple[dict[str, Any], ...] = ()
    compare_direct: bool = False
    compare_alone: bool | dict[str, Any] = False

    do_train: bool = True
    do_eval: bool = True
    teacher_architectures: Architecture | None = None
    student_architectures: StudentArchitecture | None = None
    pretrained_architectures: Architecture | None = None
    teacher_cache: bool | Literal["auto"] = "auto"
    teacher_cache_budget_gb: float = Field(default=10.0, ge=0)
    teacher_output: Literal["logit", "probability", "score"] | None = None
    teacher_output_range: tuple[float, float] | None = None
    tokenizer_name_or_path: str | None = None
    do_lower_case: bool | None = None
    normalize: Literal["nfkc"] | None = None
    preprocess: Literal["t2s", "tw2s", "tw2sp", "hk2s"] | None = None
    allow_weak_teacher: bool = False

    max_seq_length: int = Field(default=128, ge=4, le=MOST_TOKENS)
    max_query_length: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    max_reply_length: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    truncation_side: Literal["left", "right"] = "right"

    per_gpu_train_batch_size: int = Field(default=32, ge=1, le=MOST)
    per_gpu_eval_batch_size: int = Field(default=64, ge=1, le=MOST)
    gradient_accumulation_steps: int = Field(default=1, ge=1, le=MOST)
    num_train_epochs: float | None = Field(default=None, gt=0, le=1e6)
    max_steps: int = Field(default=-1, le=MOST)
    learning_rate: float | None = Field(default=None, gt=0)
    warmup_steps: int | None = Field(default=None, ge=0, le=MOST)
    warmup_percentage: float | None = Field(default=None, ge=0, le=1)
    weight_decay: float = Field(default=0.01, ge=0)
    adam_epsilon: float = Field(default=1e-8, gt=0)
    max_grad_norm: float = Field(default=1.0, ge=0)
    seed: int = Field(default=42, ge=0, le=MOST_SEED)
    fp16: bool = False
    bf16: bool = False

    save_steps: int | None = Field(default=None, ge=1, le=MOST)
    save_total_limit: int = Field(default=2, ge=1, le=MOST)
    eval_steps: int | None = Field(default=None, ge=1, le=MOST)
    logging_steps: int = Field(default=50, ge=1, le=MOST)
    patience: int | None = Field(default=None, ge=1, le=MOST)
    label_noise: tuple[Literal["train", "dev"], ...] = ("dev",)
    predictions_texts: bool = False
    keep: Literal["last", "best"] | None = None
    training_arguments: dict[str, Any] = Field(default_factory=dict)


class RunConfig(RunKeys):
    """One run: the keys, and the method with its own knobs.

    Attributes:
        method_name: The module of ``chatstill.methods``, or the plugin, that carries the run out.
        method: The knobs: an instance of that method's ``Config``.
        level: Of the method, or of the network that is evaluated: ``task``, or ``pretraining``, at which rows
            are read for their texts alone.
    """

    method_name: str = ""
    method: Any = None
    level: str = "task"

    @property
    def rate(self) -> float:
        """The learning rate, once it is settled (``chatstill.run.usual_values``)."""
        assert self.learning_rate is not None, "not settled yet"
        return self.learning_rate

    @property
    def epochs(self) -> float:
        """Passes over the training rows, once they are settled."""
        assert self.num_train_epochs is not None, "not settled yet"
        return self.num_train_epochs
