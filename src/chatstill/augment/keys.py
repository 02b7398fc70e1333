"""The block ``augmentation`` of a configuration."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_SEED = 2**32 - 1
MODEL = "model"  # in place of a file of word vectors

# TinyBERT's number of copies of a sentence, by GLUE task.
COPIES = {
    **{"cola": 30, "mnli": 10, "mrpc": 30, "sst2": 20},
    **{"stsb": 30, "qqp": 10, "qnli": 20, "rte": 30},
}
COPIES_OF_PAIRS, COPIES_OF_SINGLE = 10, 20


class AugmentationKeys(BaseModel):
    """How ``chatstill augment`` makes more training rows.

    Attributes:
        method: ``tinybert``: words by a masked language model and by word vectors; ``bilstm``: words
            masked, words of the same part of speech, n-grams.
        model_name_or_path: The masked language model; left out: that of pretrained_architectures.
        word_vectors: A text file in GloVe's format, or ``model``: made of the masked language model.
        probability: The share of words with candidates that a copy changes.
        candidates: The most candidates of a word.
        copies: Copies of each text (``tinybert``), or of each row (``bilstm``); left out: by the task.
        seed: Of every draw.
        workers: Processes that look for candidates; left out: by the cores.
        bf16: The masked language model computes in bf16.
        keep_candidates: Whether the candidates stay when the rows are written.
        tagger: Parts of speech for ``bilstm``, ``module:function``; left out: jieba's for Chinese.
        mask_probability: Of ``bilstm``: the share of words that are masked.
        tag_probability: The share that become another word of the same part of speech.
        ngram_probability: The share of copies that become a part of one to five words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
    note: Any = None
    method: Literal["tinybert", "bilstm"] = "tinybert"
    model_name_or_path: str | None = None
    word_vectors: str | None = None
    probability: float = Field(default=0.4, gt=0, le=1)
    candidates: int = Field(default=15, ge=1, le=1000)
    copies: int | None = Field(default=None, ge=1, le=1000)
    seed: int = Field(default=42, ge=0, le=MOST_SEED)
    workers: int | None = Field(default=None, ge=1, le=256)
    bf16: bool = False
    keep_candidates: bool = False
    tagger: str | None = Field(default=None, pattern=r"^[\w.]+:[\w.]+$")
    mask_probability: float = Field(default=0.1, ge=0, le=1)
    tag_probability: float = Field(default=0.1, ge=0, le=1)
    ngram_probability: float = Field(default=0.25, ge=0, le=1)

    def deciding(self, copies: int) -> dict[str, Any]:
        """The keys that decide the rows, but for files, whose content counts."""
        common = {"method": self.method, "copies": copies, "seed": self.seed}
        if self.method == "tinybert":
            return common | {"probability": self.probability} | self.of_candidates()
        shares = ("mask_probability", "tag_probability", "ngram_probability")
        return common | {"tagger": self.tagger} | {key: getattr(self, key) for key in shares}

    def of_candidates(self) -> dict[str, Any]:
        """The keys that decide the candidates of a masked language model."""
        return {"candidates": self.candidates, "bf16": self.bf16}


def usual_copies(task_name: str, *, pairs: bool) -> int:
    """The number of copies where none is given.

    Args:
        task_name: Of a GLUE task it is TinyBERT's.
        pairs: Whether the rows of another task have two texts.
    """
    return COPIES.get(task_name, COPIES_OF_PAIRS if pairs else COPIES_OF_SINGLE)
