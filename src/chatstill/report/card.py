"""The model card of a kept network: ``README.md`` in its folder, from what the run knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..figures import fitted
from .run import NAMES, NOT_SHOWN, guess_beside, unit

PREPROCESS = {
    "t2s": "traditional characters to simplified ones",
    "tw2s": "traditional characters (Taiwan) to simplified ones",
    "tw2sp": "traditional characters (Taiwan) to simplified ones, with the mainland's words",
    "hk2s": "traditional characters (Hong Kong) to simplified ones",
}


@dataclass(frozen=True)
class CardFacts:
    """What a card says beyond the figures.

    Attributes:
        task: Name of the task.
        method: The method, or ``finetune``.
        teacher: Name or folder of the teacher; of the pretrained network after ``finetune``.
        pairs: Whether rows have two texts.
        labels: Names of the outputs.
        max_seq_length: Tokens that rows were cut to.
        side_lengths: Tokens that first and second texts were cut to before; None for a side that was not.
        truncation_side: Where longer texts were cut.
        cuts_texts: The network cuts each text itself, so that rows go in whole.
        normalize: Whether the tokenizer applies NFKC.
        preprocess: What was done to texts before the tokenizer, or None.
        extras: The block ``chatstill`` of its config.
        ended: Where and how training was ended before its time; empty where it was not.
        file: The user's file that holds the network's class; empty for a network of transformers.
        ours: The network is one of the package's own.
        class_name: That class.
        untrained: No term of its phases trained its classifier: it is a start for another run.
        has_vectors: It gives each text a vector by itself, by which replies can be ranked.
        lengths_are: What lengths count.
    """

    task: str
    method: str
    teacher: str
    pairs: bool
    labels: Sequence[str]
    max_seq_length: int
    side_lengths: tuple[int | None, int | None] = (None, None)
    truncation_side: str = "right"
    cuts_texts: bool = False
    normalize: bool = False
    preprocess: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    ended: Sequence[str] = ()
    file: str = ""
    ours: bool = False
    class_name: str = "AutoModelForSequenceClassification"
    untrained: bool = False
    has_vectors: bool = False
    lengths_are: str = "tokens"


def model_card(facts: CardFacts, metrics: Mapping[str, Any] | None) -> str:
    """The card as Markdown.

    Args:
        facts: What is known without figures.
        metrics: ``metrics.json``, or None where dev was not scored.
    """
    made = f"distilled from `{facts.teacher}` with {facts.method}"
    if not facts.teacher:
        made = f"trained with {facts.method}"
    elif facts.method == "finetune":
        made = f"fine-tuned from `{facts.teacher}`"
    labels = ", ".join(f"`{name}`" for name in facts.labels) or "one score"
    kind = "" if facts.untrained else "pipeline_tag: text-classification\n"
    what = f"A text classifier for the task {facts.task}, {made} by chatstill. Outputs: {labels}.\n"
    if facts.untrained:
        what = f"A network for texts of the task {facts.task}, {made} by chatstill.\n\n{UNTRAINED}"
    parts = [
        f"---\nlibrary_name: transformers\n{kind}tags:\n- chatstill\n---\n",
        f"# {facts.task}: {facts.method}\n",
        what,
        ended_part(facts.ended),
        figures_part(metrics) if metrics else "It was not scored: the run had no evaluation.\n",
        _go_on(facts) if facts.untrained else _texts(facts) + "\n" + _use(facts),
        _calibration(facts.extras, metrics or {}),
    ]
    return "\n".join(part for part in parts if part)


UNTRAINED = (
    "**Its classifier was not trained**: no term of its phases reads it. It answers nothing yet.\n"
)
GO_ON = (
    "## Use\n\nIt is what a run that trains the classifier starts from:\n\n```json\n"
    '{"student_architectures": {"model_name_or_path": "path/to/this/folder"}}\n```\n'
)
INDEXED = (
    "\nIts vectors are of use as they are. They rank replies by their cosine:\n\n```sh\n"
    "chatstill index path/to/this/folder replies.txt --out index\n"
    'chatstill rank path/to/this/folder index --query "..."\n```\n'
)


def _go_on(facts: CardFacts) -> str:
    """What a network without a trained classifier is for."""
    return GO_ON + (INDEXED if facts.has_vectors else "")


def ended_part(lines: Sequence[str]) -> str:
    """Where training was ended before its time, or what its weights lack; empty where nothing is to say."""
    if not lines:
        return ""
    first = lines[0][:1].upper() + lines[0][1:]
    if first.startswith("Ended"):
        first = f"Training was {lines[0]}"
    return f"**{first}.**\n" + "".join(f"\n- {line}" for line in lines[1:]) + "\n"


def figures_part(metrics: Mapping[str, Any]) -> str:
    """The table of figures."""
    dev, teacher = metrics["dev"], metrics.get("teacher")
    main = dev["main"]
    given = [key for key, value in dev["metrics"].items() if value is not None]
    shown = [
        main,
        *(key for key in given if key != main and not key.startswith(NOT_SHOWN)),
    ]
    shown = [key for key in shown if "@" not in key or key in (main, "r10@1", "p@1")]
    head = "| | this network |" + (" teacher |" if teacher else "")
    lines = ["## Figures\n", head, "|---|---:|" + ("---:|" if teacher else "")]
    model = metrics["model"]
    count = f"| parameters | {model['parameters'] / 1e6:.2f} M |"
    lines.append(count + (f" {teacher['parameters'] / 1e6:.2f} M |" if teacher else ""))
    for key in shown:
        beside = guess_beside(dev, key).replace("|", "\\|")
        value = _number(dev["metrics"][key]) + (f" ({beside})" if beside else "")
        line = f"| {NAMES.get(key, key)} | {value} |"
        lines.append(line + (f" {_number(teacher['metrics'].get(key))} |" if teacher else ""))
    lines.append(f"\nOn {dev['rows']:,} dev {unit(dev)}. Weights: {metrics['kept']['text']}.\n")
    if dev.get("lower_is_better"):
        lines.append(f"{NAMES.get(main, main)}: lower is better.\n")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if value == 0 or abs(value) >= 0.0001 else f"{value:.2g}"


def _texts(facts: CardFacts) -> str:
    lines = ["## Texts\n", *_cut(facts)]
    if facts.normalize:
        lines.append("The tokenizer applies Unicode NFKC itself; nothing is to be done.")
    if facts.preprocess:
        lines.append(
            f"**Texts have to be converted before the tokenizer reads them**: "
            f"{PREPROCESS.get(facts.preprocess, 'as in training')} (OpenCC `{facts.preprocess}`), as in "
            "training. The code below does it; `chatstill predict` does it by itself."
        )
    return "\n".join(lines) + "\n"


def _cut(facts: CardFacts) -> list[str]:
    """How texts were cut in training, and where the code below cuts otherwise."""
    sides = [
        f"the {name} text to {most}"
        for name, most in zip(("first", "second"), facts.side_lengths, strict=True)
        if most is not None
    ]
    beginning = ", at their beginning" if facts.truncation_side == "left" else ""
    if facts.cuts_texts:
        return [
            f"The network cuts each text by itself, {' and '.join(sides)} tokens{beginning}. Rows go in "
            "whole: a tokenizer that cuts the row as well leaves other tokens."
        ]
    row = f"Rows were cut to {facts.max_seq_length} {facts.lengths_are}, special ones included{beginning}."
    if not sides:
        return [row]
    return [
        row,
        f"Before that {' and '.join(sides)} {facts.lengths_are} were kept. **The code below does not cut "
        "texts to those**: of longer ones it reads more than the network was trained on. `chatstill predict` "
        "does as in training.",
    ]


SERVING = (
    "\nReplies that are known beforehand can be encoded once and ranked for each query:\n\n```sh\n"
    "chatstill index path/to/this/folder replies.txt --out index\n"
    'chatstill rank path/to/this/folder index --query "…"\n```\n'
)


def _use(facts: CardFacts) -> str:
    imports, convert = "", "{}"
    if facts.preprocess:
        imports = f'from opencc import OpenCC\n\nconvert = OpenCC("{facts.preprocess}").convert\n'
        convert = "convert({})"
    texts = [convert.format('"…"')] * (2 if facts.pairs else 1)
    classes, inputs, needed = f"{facts.class_name}, AutoTokenizer", "**inputs", ""
    if facts.ours:
        needed = (
            "The class of this network is in chatstill (`pip install chatstill`); the import below makes "
            "it known to transformers.\n\n"
        )
        imports = "import chatstill.auto  # noqa: F401\n" + imports
    if facts.file:
        needed = (
            f"The class of this network is in the file `{facts.file}`: transformers needs it beside the "
            "code below, and `chatstill` as `--plugin`.\n\n"
        )
        classes = (
            f"AutoTokenizer\n\nfrom {facts.file.removesuffix('.py')} import {facts.class_name}"
        )
        inputs = 'inputs["input_ids"], inputs["attention_mask"]'
    cut = "" if facts.cuts_texts else f"truncation=True, max_length={facts.max_seq_length}, "
    side = ""
    if facts.truncation_side == "left" and not facts.cuts_texts:
        side = 'tokenizer.truncation_side = "left"\n'
    return (
        f"## Use\n\n{needed}```python\n"
        f"{imports}import torch\n"
        f"from transformers import {classes}\n\n"
        'folder = "path/to/this/folder"\n'
        f"tokenizer = AutoTokenizer.from_pretrained(folder)\n{side}"
        f"model = {facts.class_name}.from_pretrained(folder)\n"
        f"inputs = tokenizer({', '.join(texts)}, {cut}"
        'return_tensors="pt")\n'
        f"with torch.no_grad():\n    print(model({inputs}).logits)\n```\n"
        + (SERVING if facts.cuts_texts else "")
    )


def _calibration(extras: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """How to get calibrated probabilities, where a temperature was fitted."""
    if "temperature" not in extras:
        return ""
    found = metrics.get("calibration")
    errors = (
        f"; calibration error {found['ece']:.4f} without it, {found['ece_scaled']:.4f} with it"
        if found
        else ""
    )
    text = (
        "## Probabilities\n\nDivided by the temperature "
        f"{extras['temperature']:.4g} ({fitted(extras['temperature'], 'dev rows')}), the logits give the "
        f"probabilities with the smallest log-loss on dev{errors}: "
        '`(logits / model.config.chatstill["temperature"]).softmax(-1)`, or '
        "`.sigmoid()` of a single logit. Which class is the likeliest does not change.\n"
    )
    if "threshold" in extras:
        text += (
            f"\nCounted as {_positive(extras)} from a probability of {extras['threshold']:.4g} (before the "
            "division), it was as precise as its teacher on dev.\n"
        )
    return text


def _positive(extras: Mapping[str, Any]) -> str:
    """The class that the threshold is about; networks of older versions don't name it."""
    return f"`{extras['positive_label']}`" if "positive_label" in extras else "positive"
