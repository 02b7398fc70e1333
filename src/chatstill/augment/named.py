"""The masked language model of an augmentation, before it is loaded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Named:
    """The masked language model, as an architecture block names it.

    Attributes:
        place: The key that names it, for messages.
        tokenizer: Where its tokenizer lies, if it is not in its folder.
        bf16: Whether it computes in bf16.
    """

    model_name_or_path: str | None
    place: str
    tokenizer: str | None = None
    cache_dir: str | None = None
    model_type: str | None = None
    config_file: str | None = None
    num_hidden_layers: int | None = None
    num_labels: int | None = None
    bf16: bool = False
