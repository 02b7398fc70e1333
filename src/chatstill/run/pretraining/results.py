"""Results of a run on a corpus, and of a masked language model in any folder."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...config.schema import Architecture, RunConfig
from ...config.task import task_of
from ...data.blocks import Blocks, prepare_blocks
from ...data.masking import Masking
from ...disk.json_file import known_object
from ...disk.scratch import scratch_folder
from ...disk.write import write_json, write_text
from ...errors import Problem, UserError, errors_of, shown
from ...evaluate.masked import Guess, best_guess, masked_scores
from ...evaluate.own_loss import terms_of
from ...evaluate.results import judge, judge_loss, result_lines
from ...evaluate.score_file import as_trained, fitting_length
from ...evaluate.speed import count_parameters, device_name
from ...models.masked_lm import head_missing, is_decoder, load_masked_lm
from ...models.own import BLOCK, NO_HEAD
from ...models.save import kept_folder, save_student
from ...report.bilm_card import bilm_card
from ...report.masked_card import masked_card
from ...report.run import write_run_report
from ...tasks.base import Split, Task
from ...tasks.corpus import CorpusTask, Lines
from ...tasks.corpus_survey import whole_text
from ...tasks.files import locate
from ...tasks.selection import lower_is_better
from ...tasks.texts import TextsTask
from ...text.vocabulary import num_ids
from ...train.device import device_of
from ...train.phases import epochs_of
from ..fingerprint import run_facts
from ..job import tokenizer_of
from ..output_taken import check_evaluation_folder
from ..results import FORMAT, kept_facts, model_facts, network_lines
from .masking import held_out_masking
from .networks import network_to_keep
from .reading import block_encoder, reading_problems, text_problems
from .texts import corpus_from
from .tokens_read import tokens_read
from .words import is_of_words, scores_of_words

OF_TEXTS = "figures of = the rows' texts, whose tokens are predicted; labels are not read"

Guessed = tuple[Guess, str]  # with its piece as text

if TYPE_CHECKING:
    from .job import CorpusJob
    from .train import Prepared, Trained


def report_run(
    job: CorpusJob, parts: Prepared, folder: Path, trained: Trained, seconds: float
) -> dict[str, Any] | None:
    """Writes the kept network and, with ``do_eval``, its figures."""
    target = folder / "student"
    kept = network_to_keep(job.method)
    converted = job.config.preprocess if isinstance(job.task, TextsTask) else None
    extras: dict[str, Any] = {"preprocess": converted} if converted else {}
    extras |= tokens_read(job, parts, trained)
    save_student(kept, job.tokenizer, target, (), extras=extras)
    metrics: dict[str, Any] | None = None
    dev = None
    if trained.scores is not None:
        dev = figures_of(job.task, trained.scores, _guess(job, parts.dev))
        dev["metrics"] |= terms_of(trained.loss or {})
    elif trained.loss is not None:
        dev = {**judge_loss(trained.loss, len(parts.dev)), "unit": "blocks"}
    if dev is not None:
        metrics = {
            "format": FORMAT,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "task": job.task.name,
            "verb": job.verb,
            "method": job.config.model_type,
            "seed": job.config.seed,
            "dev": dev,
            "kept": kept_facts(job.config, trained.phases),
            "model": {
                **model_facts(kept, target),
                **({} if job.method.trains_outputs else {"head": NO_HEAD}),
            },
            "training": {
                "seconds": seconds,
                "phases": [
                    {
                        **vars(phase),
                        "rows": rows,
                        "epochs": epochs_of(job.config, phase.steps, rows),
                    }
                    for rows in [len(parts.train)]
                    for phase in trained.phases
                ],
                "device": device_name(device_of(job.config)),
                "rows": len(parts.train),
                "tokens": parts.train.num_tokens,
                "documents": parts.train.documents,
            },
            **({} if trained.ended is None else {"ended": trained.ended.facts()}),
            **run_facts(),
        }
        if trained.teacher_scores is not None and job.method.teacher is not None:
            teacher = figures_of(job.task, trained.teacher_scores)
            size = count_parameters(job.method.teacher).total
            metrics |= {"teacher": {**teacher, "parameters": size}, "agreement": {}, "ratio": None}
        metrics["dev"]["warnings"] += [] if trained.ended is None else trained.ended.warnings
        write_text(folder / "eval_results.txt", "\n".join(result_lines(metrics)) + "\n")
        write_json(folder / "metrics.json", metrics)
    ended = [] if trained.ended is None else [trained.ended.text, *trained.ended.warnings]
    write_text(target / "README.md", _card(job, ended, metrics))
    if metrics is not None:
        write_run_report(folder)
    return metrics


def _card(job: CorpusJob, ended: list[str], metrics: dict[str, Any] | None) -> str:
    name, length = str(job.config.model_type), job.config.max_seq_length
    if job.words is not None:
        return bilm_card(name, length, ended, metrics)
    return masked_card(
        name,
        _start_of(job),
        length,
        ended,
        metrics,
        taught=job.method.teacher is not None,
        with_head=job.method.trains_outputs,
        decoder=is_decoder(job.method.student),
    )


def _guess(job: CorpusJob, dev: Blocks) -> Guessed | None:
    if job.words is not None:  # they are predicted in both directions
        return None
    found = best_guess(dev, held_out_masking(job), pad_token_id=job.pad_token_id)
    return None if found is None else (found, str(job.tokenizer.convert_ids_to_tokens(found.piece)))


def figures_of(task: Task, scores: np.ndarray, guess: Guessed | None = None) -> dict[str, Any]:
    """Figures of held-out blocks, from their scores (N, 3); beside the accuracy that of a guess."""
    found = judge(task, scores, np.zeros(len(scores)), None)
    found |= {"unit": "blocks", "lower_is_better": lower_is_better(found["main"])}
    if guess is not None and isinstance(task, CorpusTask):
        best, piece = guess
        found["guess"] = {
            "metric": task.right,
            "piece": piece,
            "value": best.right / best.number,
        }
    return found


def _start_of(job: CorpusJob) -> str:
    """The pre-trained folder by its end; empty for random weights."""
    block = job.config.pretrained_architectures
    path = block.model_name_or_path if block is not None else None
    if not path:
        return ""
    return "/".join(Path(path).parts[-2:]) if Path(path).exists() else path


def evaluate_folder(
    named: Path,
    config: RunConfig,
    split: Split,
    output: Path | None,
    *,
    rivals: Collection[str] = (),
) -> dict[str, Any]:
    """Figures of a masked language model on a part of a corpus; ``lines`` holds them as text.

    ``named`` is the folder of the network, or of its run.
    """
    if output is not None:
        check_evaluation_folder(output)
    folder = kept_folder(named) or named
    if rivals:
        message = "texts without labels are neither ranked nor classified"
        place = ", ".join(rivals)
        raise UserError(Problem(place, message, "Leave it out.", code="corpus.no-rival"))
    converted = config.preprocess or _converted(folder)
    config = config.model_copy(update={"level": "pretraining", "preprocess": converted})
    task = task_of(config)
    lines, warnings = _part(config, split)
    of_folder = scores_of_words if is_of_words(folder) else _scores_of
    scores, found, decoder, guess = of_folder(folder, config, lines)
    task = task.of_next_tokens() if decoder and isinstance(task, CorpusTask) else task
    warnings += found
    held_out = locate(task, split, Path(config.data_dir)).warning
    warnings += [] if held_out is None else [held_out]
    metrics: dict[str, Any] = {
        "format": FORMAT,
        "task": task.name,
        "model": str(folder),
        "split": split,
        "file": lines.name,
        "dev": figures_of(task, scores, guess),
    }
    metrics["lines"] = [
        *network_lines(named, folder),
        shown(f"file = {lines.name}"),
        *([OF_TEXTS] if isinstance(task, TextsTask) else []),
        *result_lines(metrics),
    ]
    metrics["lines"] += [f"warning = {warning.place}: {warning.message}" for warning in warnings]
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        write_text(output / "eval_results.txt", "\n".join(metrics["lines"]) + "\n")
        write_json(output / "metrics.json", metrics)
    return metrics


def _converted(folder: Path) -> str | None:
    """What a network's texts were converted by before its tokenizer read them, as its config says."""
    block = known_object(folder / "config.json").get(BLOCK)
    found = block.get("preprocess") if isinstance(block, dict) else None
    return found if isinstance(found, str) else None


def refuse_prediction(folder: Path) -> UserError:
    """A language model has no answer for a row."""
    message = f"{folder} holds a language model, which gives rows no label or score"
    hint = "Fine-tune it on a task first (`chatstill teach`), or see its figures: `chatstill evaluate`."
    if is_of_words(folder):
        hint = 'Start a student from it: "model_type": "ELMOTaskDistill". Its figures: `chatstill evaluate`.'
    return UserError(Problem("MODEL", message, hint, code="corpus.predicts-nothing"))


def _part(config: RunConfig, split: Split) -> tuple[Lines, list[Problem]]:
    """The text of a split, and what reading it showed.

    Raises:
        UserError: there is none, or it is no text.
    """
    task, folder = task_of(config), Path(config.data_dir)
    if not isinstance(task, TextsTask) and task.find("train", folder) is None:
        path = locate(task, split, folder).path  # other text than that of the training
        return whole_text(task.parts(path, split)), []
    corpus = corpus_from(config, "dev" if split == "train" else split)
    return corpus.train if split == "train" else corpus.dev, list(corpus.warnings)


def _scores_of(
    folder: Path, config: RunConfig, lines: Lines
) -> tuple[np.ndarray, list[Problem], bool, Guessed | None]:
    """Scores of held-out text, warnings, whether the network is a decoder, and the best guess."""
    block = Architecture(model_name_or_path=str(folder))
    loaded = load_masked_lm(
        block, role="pretrained", cache_dir=config.cache_dir, seed=config.seed, decoders=True
    )
    if head_missing(loaded):
        message = f"{folder} has no trained masked-LM head ({', '.join(loaded.report.missing[:3])})"
        hint = 'Train one: "model_type": "MaskedLM".'
        raise UserError(Problem("MODEL", message, hint, code="corpus.no-trained-head"))
    model, tokenizer = loaded.model, tokenizer_of(config, block)
    config, warnings = fitting_length(as_trained(folder, config), model)
    found = reading_problems(model, tokenizer, config)
    if errors := errors_of(found):
        raise UserError(errors)
    torch.nn.Module.to(model, device_of(config))
    assert isinstance(tokenizer.pad_token_id, int)
    length, decoder = config.max_seq_length, is_decoder(model)
    with scratch_folder() as cache:
        blocks = prepare_blocks(
            lines,
            block_encoder(tokenizer, config),
            cache,
            length=length,
            vocabulary=num_ids(tokenizer),
            source=lines.name,
        )
        found += text_problems(tokenizer, config, lines.name, blocks, lines)
        if errors := errors_of(found):
            raise UserError(errors)
        masking = None if decoder else Masking.of(tokenizer)
        scores = masked_scores(
            model,
            blocks,
            masking,
            pad_token_id=tokenizer.pad_token_id,
            batch_size=config.per_gpu_eval_batch_size,
        )
        best = best_guess(blocks, masking, pad_token_id=tokenizer.pad_token_id)
    guess = None if best is None else (best, str(tokenizer.convert_ids_to_tokens(best.piece)))
    return scores, [*warnings, *found], decoder, guess
