"""One row at batch 1 on one thread: networks in torch and in onnxruntime, and how far their logits differ.

    python benchmarks/onnx_latency.py teacher=runs/t/teacher BiLSTM=runs/b/student --rows data/test.jsonl

The first network is what the others are compared to. Rows have ``text`` and, of pairs, ``other``. Times are
those of the network; making ids is not in them. Run it while nothing else runs.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import chatstill.auto  # noqa: F401  its import makes students known
import machine

RESULTS = Path(__file__).parent / "results"
WARM_UP = 20
NAMES = ["input_ids", "attention_mask", "token_type_ids"]  # in the order of the networks' arguments


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--rows", type=Path, required=True, help="JSON lines")
    parser.add_argument("--most", type=int, default=300, help="rows that are timed")
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work" / "onnx")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args(arguments)


def exported(model: torch.nn.Module, batch: dict[str, torch.Tensor], file: Path) -> Any:
    """The graph as a session on one thread; it fixes no number of rows or tokens."""
    names = [name for name in NAMES if name in batch]
    axes = {name: {0: "rows", 1: "tokens"} for name in names} | {"logits": {0: "rows"}}
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        model,
        tuple(batch[name] for name in names),
        str(file),
        input_names=names,
        output_names=["logits"],
        dynamic_axes=axes,
        dynamo=False,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def measure(name: str, folder: str, texts: list[list[str]], options: argparse.Namespace) -> Any:
    """Medians in milliseconds, megabytes of the graph and the largest difference of a logit."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    how: dict[str, Any] = {"truncation": True, "max_length": options.max_length}
    batches = [dict(tokenizer(*one, return_tensors="pt", **how)) for one in texts]
    columns = [list(column) for column in zip(*texts[:2], strict=True)]
    example = dict(tokenizer(*columns, padding=True, return_tensors="pt", **how))
    file = options.work / f"{name.replace(' ', '-')}.onnx"
    session = exported(model, example, file)
    read = [one.name for one in session.get_inputs()]
    arrays = [{key: batch[key].numpy() for key in read} for batch in batches]
    with torch.no_grad():
        answers, in_torch = timed(lambda one: model(**one).logits.numpy(), batches)
    served, in_onnx = timed(lambda one: session.run(None, one)[0], arrays)
    return {
        "name": name,
        "torch": in_torch,
        "onnxruntime": in_onnx,
        "megabytes": file.stat().st_size / 1e6,
        "difference": max(
            float(abs(one - two).max()) for one, two in zip(answers, served, strict=True)
        ),
    }


def timed(call: Callable[[Any], Any], items: list[Any]) -> tuple[list[Any], float]:
    """What it gives of each, and the median of the milliseconds."""
    for item in items[:WARM_UP]:
        call(item)
    answers, taken = [], []
    for item in items:
        started = time.perf_counter()
        answers.append(call(item))
        taken.append(1000 * (time.perf_counter() - started))
    return answers, statistics.median(taken)


def as_markdown(results: dict[str, Any]) -> str:
    """The report."""
    first = results["networks"][0]
    lines = [
        "# One row in torch and in onnxruntime",
        "",
        f"Milliseconds of the network at batch 1 on one thread, the median of {results['rows']:,} test rows "
        f"({results['file']}), float32; how many times less than the {first['name']} in the same library; "
        "the largest difference of a logit between the two.",
        "",
        "| network | torch | | onnxruntime | | MB of the graph | difference |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in results["networks"]:
        cells = []
        for library in ("torch", "onnxruntime"):
            cells += [f"{row[library]:.2f}", f"{first[library] / row[library]:.1f}"]
        lines.append(
            f"| {row['name']} | {' | '.join(cells)} | {row['megabytes']:.1f} | {row['difference']:.1g} |"
        )
    foot = f"onnxruntime {results['onnxruntime']}, {machine.as_line(results['machine'])}."
    return "\n".join([*lines, "", foot, ""])


def main(arguments: list[str] | None = None) -> int:
    """Measure all, write the table."""
    options = parse(arguments)
    torch.set_num_threads(1)

    lines = options.rows.read_text(encoding="utf-8").splitlines()[: options.most]
    rows = [json.loads(line) for line in lines]
    texts = [[row[key] for key in ("text", "other") if key in row] for row in rows]
    found = [
        measure(*named.partition("=")[::2], texts, options)  # type: ignore[arg-type]
        for named in options.networks
    ]
    results = {
        "networks": found,
        "rows": len(texts),
        "file": options.rows.parent.name,
        "onnxruntime": onnxruntime.__version__,
        "machine": machine.describe(),
    }
    text = as_markdown(results)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "onnx_latency.json").write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    (options.out / "onnx_latency.md").write_text(text, "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
