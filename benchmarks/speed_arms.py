"""What `train_speed.py` compares: three ways to fine-tune the same model on the same rows.

Runs in a worker process of its own per arm and number of threads, so that each has its own peak
memory. `torch` is imported in the worker only.
"""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from minilm import model_folder

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from transformers import TrainerCallback

ARMS = ("padded", "trainer", "engine")
MAX_LENGTH = 128
LEARNING_RATE = 2e-5
WEIGHT_DECAY = 0.01
UNCOUNTED = 3  # first steps of a round, which pay for first touches of memory


@dataclass(frozen=True)
class Setting:
    """What a worker is told."""

    arm: str
    threads: int
    data: Path
    steps: int
    batch_size: int
    bf16: bool
    compiled: bool


@dataclass
class Clock:
    """The times at which steps ended and the shapes (B, L) of the batches that were computed."""

    synchronize: Callable[[], None]
    times: list[float] = field(default_factory=list)
    shapes: list[tuple[int, int]] = field(default_factory=list)

    def callback(self) -> "TrainerCallback":
        """Notes the end of every step."""
        from transformers import TrainerCallback

        clock = self

        class StepEnds(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                clock.step_ends(state.global_step, state.max_steps)

        return StepEnds()

    def step_ends(self, number: int, last: int) -> None:
        """Notes the time; waits for the device where the counted steps begin and end."""
        if number in (UNCOUNTED, last):
            self.synchronize()
        self.times.append(time.perf_counter())

    def result(self) -> dict[str, Any]:
        """Seconds and batch shapes of the steps that count."""
        counted = self.shapes[UNCOUNTED:]
        return {"seconds": self.times[-1] - self.times[UNCOUNTED - 1], "shapes": counted}


def worker(connection: "Connection", setting: Setting) -> None:
    """Prepares an arm, then runs a round for each (steps, seed) it is sent; None ends it."""
    import torch
    from transformers import Trainer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(setting.threads)
    cuda = torch.cuda.is_available()
    synchronize = torch.cuda.synchronize if cuda else lambda: None
    prepare = Trainer._prepare_inputs
    try:
        with TemporaryDirectory() as folder:
            run = peak_arm(cuda) if setting.arm == "peak" else arm(setting, Path(folder))
            connection.send(hello(setting, cuda))
            while (request := connection.recv()) is not None:
                clock = Clock(synchronize)

                def noting(self: Trainer, inputs: Any, clock: Clock = clock) -> Any:
                    clock.shapes.append(tuple(inputs["input_ids"].shape))
                    return prepare(self, inputs)

                Trainer._prepare_inputs = noting  # type: ignore[method-assign]
                steps, seed = request
                figures = run(steps, seed, clock) or clock.result()
                connection.send({**figures, "peak_bytes": peak_memory(cuda)})
    except Exception as error:  # to the parent, which reports it and goes on with the other arms
        connection.send({"error": f"{type(error).__name__}: {error}"})


def hello(setting: Setting, cuda: bool) -> dict[str, Any]:
    """The worker's device, and the model's sizes for counting operations."""
    import torch

    config = model_config(cuda)
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_labels")
    return {
        "device": torch.cuda.get_device_name() if cuda else None,
        "sizes": {name: getattr(config, name) for name in names},
    }


def peak_memory(cuda: bool) -> int:
    """The most memory this process ever held: the device's on a GPU, else resident memory."""
    if cuda:
        import torch

        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss also counts what the process was before it became this program
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def peak_arm(cuda: bool) -> Callable[[int, int, Clock], dict[str, Any]]:
    """Matrix products of one large size: the machine's peak, in operations per second."""
    import torch

    size, dtype = (8192, torch.bfloat16) if cuda else (1536, torch.float32)
    device = "cuda" if cuda else "cpu"
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))

    def run(steps: int, seed: int, clock: Clock) -> dict[str, Any]:
        best = 0.0
        for _ in range(7):
            clock.synchronize()
            start = time.perf_counter()
            for _ in range(3):
                left @ right
            clock.synchronize()
            best = max(best, 3 * 2 * size**3 / (time.perf_counter() - start))
        return {"flops_per_second": best}

    return run


def model_config(cuda: bool) -> Any:
    """The 6-layer MiniLM; on a GPU a network of bert-base's size, which keeps it busy."""
    from transformers import AutoConfig, BertConfig

    return BertConfig() if cuda else AutoConfig.from_pretrained(model_folder(), num_labels=2)


def model_and_tokenizer(cuda: bool) -> tuple[Any, Any]:
    """The network to train, weights and all (random on a GPU), and the tokenizer."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

    set_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(model_folder())
    if cuda:
        model = AutoModelForSequenceClassification.from_config(model_config(cuda))
    else:
        model = AutoModelForSequenceClassification.from_pretrained(model_folder(), num_labels=2)
    return model, tokenizer


def read_rows(setting: Setting) -> list[Any]:
    """As many SST-2 training rows as a round needs, drawn from the whole file."""
    import random

    from chatstill.tasks import get_task

    task = get_task("sst2")
    path = task.find("train", setting.data)
    if path is None:
        raise FileNotFoundError(f"no SST-2 under {setting.data}: name GLUE's folder with --data")
    examples = list(task.read(path, "train"))
    wanted = min(setting.steps * setting.batch_size, len(examples))
    return random.Random(0).sample(examples, wanted)


def occurring(task_name: str, data: Path, tokenizer: Any, folder: Path) -> Any:
    """Ids of the tokens of a whole training file: a run trains those, whichever rows a turn draws."""
    import numpy as np

    from chatstill.data.encoded import Lengths
    from chatstill.data.views import prepare_view
    from chatstill.readers.word_pieces import RowEncoder
    from chatstill.tasks import get_task

    task = get_task(task_name)
    rows = task.read(task.find("train", data), "train")
    view = prepare_view(
        rows, RowEncoder(tokenizer, Lengths(MAX_LENGTH)), folder / "all", source_fingerprint="all"
    )
    return np.union1d(view.tokens(), tokenizer.pad_token_id)


def arm(setting: Setting, folder: Path) -> Callable[[int, int, Clock], None]:
    """A function (steps, seed, clock) that trains, with everything before training done."""
    import torch

    cuda = torch.cuda.is_available()
    model, tokenizer = model_and_tokenizer(cuda)
    rows = read_rows(setting)
    build = our_engine if setting.arm == "engine" else plain_trainer
    return build(setting, model, tokenizer, rows, folder)


def plain_trainer(
    setting: Setting, model: Any, tokenizer: Any, rows: list[Any], folder: Path
) -> Callable[[int, int, Clock], None]:
    """transformers' Trainer: every row padded to 128, or, as it comes, batches to their longest."""
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments
    from transformers.data.data_collator import default_data_collator
    from transformers.trainer_callback import PrinterCallback

    padded = setting.arm == "padded"
    padding = "max_length" if padded else False
    texts = [row.text_a for row in rows]
    encoded = tokenizer(texts, truncation=True, max_length=MAX_LENGTH, padding=padding)
    data = [
        {**{name: values[i] for name, values in encoded.items()}, "labels": int(row.label)}
        for i, row in enumerate(rows)
    ]
    collator = default_data_collator if padded else DataCollatorWithPadding(tokenizer)

    def run(steps: int, seed: int, clock: Clock) -> None:
        arguments = TrainingArguments(
            output_dir=str(folder),
            per_device_train_batch_size=setting.batch_size,
            max_steps=steps,
            learning_rate=LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
            seed=seed,
            bf16=setting.bf16,
            torch_compile=setting.compiled,
            dataloader_pin_memory=setting.bf16,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = Trainer(model, arguments, data_collator=collator, train_dataset=data)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(clock.callback())
        trainer.train()

    return run


def our_engine(
    setting: Setting, model: Any, tokenizer: Any, rows: list[Any], folder: Path
) -> Callable[[int, int, Clock], None]:
    """chatstill's engine: prepared data, rows grouped by length, its own step; no evaluation."""
    from functools import partial

    from chatstill.config.schema import RunConfig
    from chatstill.data.collate import collate
    from chatstill.data.encoded import Lengths
    from chatstill.data.loader import StepLoader
    from chatstill.data.sampler import BatchPlan
    from chatstill.data.views import prepare_view
    from chatstill.methods.base import RunValues
    from chatstill.methods.finetune import Config, FineTune
    from chatstill.readers.word_pieces import RowEncoder
    from chatstill.train.arguments import training_arguments
    from chatstill.train.checkpoints import CheckpointStore
    from chatstill.train.engine import Engine
    from chatstill.train.trainer import DistillationTrainer

    view = prepare_view(
        rows,
        RowEncoder(tokenizer, Lengths(MAX_LENGTH)),
        folder / "views",
        source_fingerprint="speed",
    )
    tokens = occurring("sst2", setting.data, tokenizer, folder)
    to_batch = partial(collate, pad_token_id=tokenizer.pad_token_id, with_token_types=True)

    class Steps:
        """The engine's source of steps, in the order of its own batch plan."""

        def __init__(self, seed: int) -> None:
            self.plan = BatchPlan(view.lengths, setting.batch_size, seed=seed)
            self.steps_per_epoch, self.num_rows = self.plan.steps_per_epoch, len(view)

        def start(self, step: int, num_steps: int) -> Any:
            return iter(StepLoader(view, self.plan, 0, to_batch, step, num_steps))

    def run(steps: int, seed: int, clock: Clock) -> None:
        values = RunValues(num_train_epochs=1.0, learning_rate=LEARNING_RATE, max_steps=steps)
        method = FineTune(Config(), model, None, objective="cross_entropy", run=values)
        config = RunConfig(
            per_gpu_train_batch_size=setting.batch_size,
            learning_rate=LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
            seed=seed,
            bf16=setting.bf16,
            training_arguments={"torch_compile": setting.compiled},
        )
        engine = Engine(
            config,
            folder / "run",
            CheckpointStore(folder / "checkpoints"),
            {"train": Steps(seed)},
            lambda record: None,
            tokens=tokens,
        )
        arguments = training_arguments(config, method.phases()[0], engine.folder, steps)
        trainer = DistillationTrainer(method, 0, arguments, engine)
        trainer.add_callback(clock.callback())
        trainer.train()

    return run
