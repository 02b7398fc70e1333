"""What `throughput.py` compares: the same distillation in chatstill and in the `textbrewer` package.

Runs in a worker process of its own per arm, so that each has its own peak memory. `torch` is imported
in the worker only.
"""

import copy
import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from speed_arms import (
    LEARNING_RATE,
    MAX_LENGTH,
    WEIGHT_DECAY,
    Clock,
    model_and_tokenizer,
    model_config,
    occurring,
    peak_arm,
)
from speed_arms import peak_memory as peak_bytes

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

ARMS = ("textbrewer", "textbrewer_same", "live", "filling", "filled")
HALF = tuple(f"{arm}_bf16" for arm in ARMS[2:])  # on a GPU only
PAIRS = 3  # of layers, spread over both networks, and the embeddings' outputs
TEMPERATURE = 4
FEATURES = ("logits", "inner")
TERMS: dict[str, dict[str, Any]] = {
    "soft": {"feature": "logits", "loss": "cross_entropy", "temperature": TEMPERATURE, "weight": 1}
}


def layer_pairs(layers: int) -> list[list[int]]:
    """(student, teacher) of the inner losses; the student has half of the teacher's ``layers``."""
    return [[n * layers // 2 // PAIRS, n * layers // PAIRS] for n in range(PAIRS + 1)]


def inner_terms(layers: int) -> dict[str, dict[str, Any]]:
    """Hidden states and attention scores of these pairs."""
    pairs = layer_pairs(layers)
    term: dict[str, Any] = {"loss": "mse", "weight": 1}
    return {
        "hidden": {**term, "feature": "hidden_states", "pairs": pairs, "projection": "none"},
        "attention": {**term, "feature": "attention_scores", "pairs": pairs[1:]},
    }


@dataclass(frozen=True)
class Setting:
    """What a worker is told."""

    arm: str
    threads: int
    data: Path
    task: str
    features: str
    steps: int
    batch_size: int

    @property
    def bf16(self) -> bool:
        """Whether it computes in bf16; the other package needs `apex` for anything but float32."""
        return self.arm.endswith("_bf16")

    @property
    def kind(self) -> str:
        """The arm without its precision."""
        return self.arm.removesuffix("_bf16")


class Feed:
    """Batches for a foreign loop; asking for the next one ends the step before it."""

    def __init__(self, batches: list[dict[str, Any]], clock: Clock) -> None:
        self.batches, self.clock = batches, clock

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number, batch in enumerate(self.batches):
            if number:
                self.clock.step_ends(number, len(self.batches))
            self.clock.shapes.append(tuple(batch["input_ids"].shape))
            yield batch
        self.clock.step_ends(len(self.batches), len(self.batches))


def worker(connection: "Connection", setting: Setting) -> None:
    """Prepares an arm, then runs a turn for each (steps, seed) it is sent; None ends it."""
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(setting.threads)
    cuda = torch.cuda.is_available()
    wait = torch.cuda.synchronize if cuda else lambda: None
    name = torch.cuda.get_device_name() if cuda else None
    try:
        with TemporaryDirectory() as folder:
            run = peak_arm(cuda) if setting.arm == "peak" else prepare(setting, Path(folder))
            connection.send({"sizes": sizes(cuda), "device": name})
            while (request := connection.recv()) is not None:
                clock = Clock(wait)
                figures = run(*request, clock) or clock.result()
                connection.send({**figures, "peak_bytes": peak_bytes(cuda)})
    except Exception as error:  # to the parent, which reports it and goes on with the other arms
        connection.send({"error": f"{type(error).__name__}: {error}"})


def sizes(cuda: bool) -> dict[str, int]:
    """The teacher's sizes, for counting operations; the student has half of its layers."""
    config = model_config(cuda)
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_labels")
    return {name: getattr(config, name) for name in names}


def read_rows(setting: Setting) -> list[Any]:
    """As many training rows as a turn needs, drawn from the whole file; fewer where it is smaller."""
    from chatstill.tasks import get_task

    task = get_task(setting.task)
    path = task.find("train", setting.data)
    if path is None:
        raise FileNotFoundError(f"no {setting.task} under {setting.data}: name GLUE's folder")
    rows = list(task.read(path, "train"))
    return random.Random(0).sample(rows, min(setting.steps * setting.batch_size, len(rows)))


def device() -> Any:
    """Where the networks are."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def networks(eager: bool) -> tuple[Any, Any, Any]:
    """(teacher, student of the first half of its layers, tokenizer)."""
    from chatstill.models.layers import copy_layers

    teacher, tokenizer = model_and_tokenizer(device().type == "cuda")
    half = teacher.config.num_hidden_layers // 2
    student = copy_layers(copy.deepcopy(teacher), half, list(range(half)))
    if eager:
        teacher.set_attn_implementation("eager")
        student.set_attn_implementation("eager")
    return teacher.to(device()), student.to(device()), tokenizer


def prepare(setting: Setting, folder: Path) -> Callable[[int, int, Clock], Any]:
    """A function (steps, seed, clock) that trains, with everything before training done."""
    from chatstill.data.encoded import Lengths
    from chatstill.data.views import prepare_view
    from chatstill.readers.word_pieces import RowEncoder

    foreign = setting.arm.startswith("textbrewer")
    teacher, student, tokenizer = networks(eager=foreign and setting.features == "inner")
    rows = read_rows(setting)
    if setting.arm == "textbrewer":
        return textbrewer(setting, teacher, student, padded(rows, tokenizer, setting), folder)
    view = prepare_view(
        rows,
        RowEncoder(tokenizer, Lengths(MAX_LENGTH)),
        folder / "views",
        source_fingerprint="speed",
    )
    ours = Ours(setting, view, tokenizer, folder)
    if setting.arm == "textbrewer_same":
        return textbrewer(setting, teacher, student, ours.batches, folder)
    return ours.arm(teacher, student)


def padded(rows: list[Any], tokenizer: Any, setting: Setting) -> Callable[[int, int], list[Any]]:
    """Rows padded to 128 in shuffled order, as the examples of TextBrewer's documentation have them."""
    import torch

    texts = [[row.text_a for row in rows]]
    if rows[0].text_b is not None:
        texts.append([row.text_b for row in rows])
    encoded = tokenizer(
        *texts, truncation=True, max_length=MAX_LENGTH, padding="max_length", return_tensors="pt"
    )

    def batches(steps: int, seed: int) -> list[Any]:
        generator = torch.Generator().manual_seed(seed)
        order = torch.cat([torch.randperm(len(rows), generator=generator) for _ in range(steps)])
        size = setting.batch_size
        chosen = [order[n * size : (n + 1) * size] for n in range(steps)]
        return [{name: values[rows] for name, values in encoded.items()} for rows in chosen]

    return batches


def textbrewer(
    setting: Setting,
    teacher: Any,
    student: Any,
    batches: Callable[[int, int], list[Any]],
    folder: Path,
) -> Callable[[int, int, Clock], None]:
    """TextBrewer's GeneralDistiller, teacher live; it saves nothing during a turn."""
    import logging

    import torch
    from textbrewer import DistillationConfig, GeneralDistiller, TrainingConfig

    logging.getLogger("Distillation").setLevel(logging.ERROR)
    inner = setting.features == "inner"
    matches = []
    if inner:
        all_pairs = layer_pairs(teacher.config.num_hidden_layers)
        kinds = (("hidden", "hidden_mse", all_pairs), ("attention", "attention_mse", all_pairs[1:]))
        for feature, loss, pairs in kinds:
            shift = 1 if feature == "attention" else 0  # a list of attentions begins with layer 1
            matches += [
                {
                    "layer_T": t - shift,
                    "layer_S": s - shift,
                    "feature": feature,
                    "loss": loss,
                    "weight": 1,
                }
                for s, t in pairs
            ]

    def adaptor(batch: Any, outputs: Any) -> dict[str, Any]:
        found = {"logits": outputs.logits, "inputs_mask": batch["attention_mask"]}
        if inner:
            found |= {"hidden": outputs.hidden_states, "attention": outputs.attentions}
        return found

    how = {"output_hidden_states": True, "output_attentions": True} if inner else {}

    def run(steps: int, seed: int, clock: Clock) -> None:
        torch.manual_seed(seed)
        distiller = GeneralDistiller(
            train_config=TrainingConfig(device=device(), output_dir=str(folder), log_dir=None),
            distill_config=DistillationConfig(
                temperature=TEMPERATURE, intermediate_matches=matches or None
            ),
            model_T=teacher,
            model_S=student,
            adaptor_T=adaptor,
            adaptor_S=adaptor,
        )
        distiller.save_and_callback = lambda *args: None
        optimizer = torch.optim.AdamW(
            student.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        feed = Feed(batches(steps, seed), clock)
        with distiller:
            distiller.train(optimizer, feed, num_epochs=1, max_grad_norm=1.0, **how)

    return run


class Ours:
    """chatstill's engine on prepared rows: the teacher live, being stored, or stored."""

    def __init__(self, setting: Setting, view: Any, tokenizer: Any, folder: Path) -> None:
        from functools import partial

        from chatstill.data.collate import collate

        self.setting, self.view, self.folder = setting, view, folder
        self.tokens = occurring(setting.task, setting.data, tokenizer, folder)
        self.to_batch = partial(collate, pad_token_id=tokenizer.pad_token_id, with_token_types=True)

    def plan(self, seed: int) -> Any:
        """The order of rows."""
        from chatstill.data.sampler import BatchPlan

        return BatchPlan(self.view.lengths, self.setting.batch_size, seed=seed)

    def batches(self, steps: int, seed: int) -> list[Any]:
        """The batches of a turn, for the other package: the network's inputs alone."""
        plan = self.plan(seed)
        names = ("input_ids", "attention_mask", "token_type_ids")
        found = []
        for number in range(steps):
            _, (rows,) = plan.step(number)
            batch = self.to_batch(self.view, rows)
            found.append({name: batch[name] for name in names})
        return found

    def start(self, step: int, num_steps: int, seed: int) -> Any:
        """Steps for the engine."""
        from chatstill.data.loader import StepLoader

        return iter(StepLoader(self.view, self.plan(seed), 0, self.to_batch, step, num_steps))

    def method(self, teacher: Any, student: Any, steps: int) -> Any:
        """The terms as a method."""
        from chatstill.methods.base import RunValues
        from chatstill.methods.matches import Config, Matches

        layers = teacher.config.num_hidden_layers
        terms = TERMS | (inner_terms(layers) if self.setting.features == "inner" else {})
        values = RunValues(num_train_epochs=1.0, learning_rate=LEARNING_RATE, max_steps=steps)
        config = Config.model_validate({"terms": terms})
        return Matches(config, student, teacher, objective="cross_entropy", run=values)

    def arm(self, teacher: Any, student: Any) -> Callable[[int, int, Clock], Any]:
        """The turn of this arm; for ``filled`` the cache is filled beforehand."""
        if self.setting.kind == "filling":
            return lambda steps, seed, clock: self.fill(teacher, student, self.folder / "anew")[1]
        source = None
        if self.setting.kind == "filled":
            source, _ = self.fill(teacher, student, self.folder / "cache")
        return lambda steps, seed, clock: self.train(teacher, student, source, steps, seed, clock)

    def fill(self, teacher: Any, student: Any, folder: Path) -> tuple[Any, dict[str, Any]]:
        """Stores the teacher's outputs of all rows; the stored source and the figures of a turn."""
        import numpy as np
        import torch

        from chatstill.data.teacher_cache import TeacherCache, cache_fingerprint
        from chatstill.train.cached_teacher import CachedTeacher, compute_with, layout_of
        from chatstill.train.precision import autocast
        from chatstill.train.teachers import live_source

        method = self.method(teacher, student, 1)
        live = live_source(method, method.phases()[0])
        assert live is not None
        probe_batch = self.to_batch(self.view, np.arange(2))
        probe = live.features({name: value.to(device()) for name, value in probe_batch.items()})
        layout = layout_of(probe, live.needs)
        shutil.rmtree(folder, ignore_errors=True)
        cache = TeacherCache(
            folder, cache_fingerprint(layout, {}), layout, np.asarray(self.view.lengths)
        )
        shapes: list[tuple[int, int]] = []

        def batch(rows: np.ndarray) -> dict[str, torch.Tensor]:
            made = self.to_batch(self.view, rows)
            shapes.append(tuple(made["input_ids"].shape))
            return made

        def features(batch: dict[str, torch.Tensor]) -> Any:
            with autocast("bf16" if self.setting.bf16 else "float32", device()):
                return live.features(batch)

        started = time.perf_counter()
        cache.fill(compute_with(features, live.needs, batch, device()))
        seconds = time.perf_counter() - started
        scaling = {layer: kept.scaling for layer, kept in probe.attention.items()}
        figures = {"seconds": seconds, "shapes": shapes, "bytes": cache.num_bytes}
        return CachedTeacher(cache, scaling), figures

    def train(
        self, teacher: Any, student: Any, source: Any, steps: int, seed: int, clock: Clock
    ) -> None:
        """A turn of the engine."""
        from types import SimpleNamespace

        from transformers import TrainerCallback

        from chatstill.config.schema import RunConfig
        from chatstill.train.arguments import training_arguments
        from chatstill.train.checkpoints import CheckpointStore
        from chatstill.train.engine import Engine
        from chatstill.train.trainer import DistillationTrainer

        method = self.method(teacher, student, steps)
        phase = method.phases()[0]
        plan = self.plan(seed)
        source_of_steps = SimpleNamespace(
            steps_per_epoch=plan.steps_per_epoch,
            num_rows=len(self.view),
            start=lambda step, total: self.noted(step, total, seed, clock),
        )
        config = RunConfig(
            per_gpu_train_batch_size=self.setting.batch_size,
            learning_rate=LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
            seed=seed,
            bf16=self.setting.bf16,
            training_arguments={"use_cpu": device().type == "cpu"},
        )
        engine = Engine(
            config,
            self.folder / "run",
            CheckpointStore(self.folder / "checkpoints"),
            {"train": source_of_steps},
            lambda record: None,
            sources={} if source is None else {phase.name: source},
            tokens=self.tokens,
        )
        arguments = training_arguments(config, phase, engine.folder, steps)
        trainer = DistillationTrainer(method, 0, arguments, engine)

        class StepEnds(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                clock.step_ends(state.global_step, state.max_steps)

        trainer.add_callback(StepEnds())
        trainer.train()

    def noted(self, step: int, total: int, seed: int, clock: Clock) -> Iterator[Any]:
        """The engine's steps, their shapes noted."""
        for epoch, micro_batches in self.start(step, total, seed):
            clock.shapes.append(tuple(micro_batches[0]["input_ids"].shape))
            yield epoch, micro_batches
