"""``options.json`` of a released ELMo: its sizes, each checked. No torch is loaded here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ....disk.json_file import fault_of, read_object
from ....errors import Said

MOST = 65_536  # of a width
PLACES = 50
OURS = "chatstill"  # key of what this package writes beside the format's


class _Part(BaseModel):
    """Keys that nobody reads may stand beside these: files of training hold many."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Lstm(_Part):
    """The block ``lstm``.

    Attributes:
        dim: Of a direction's memory.
        projection_dim: Of a token's vector, and of what each layer of a direction gives.
        n_layers: Of each direction.
        cell_clip: Numbers of the memory are clipped to this size; null, 0 or left out: they are not.
        proj_clip: The same of what a layer gives.
        use_skip_connections: Each layer but the first adds its input to its output.
    """

    dim: int = Field(ge=1, le=MOST)
    projection_dim: int = Field(ge=1, le=MOST)
    n_layers: int = Field(ge=1, le=64)
    cell_clip: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    proj_clip: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    use_skip_connections: bool = False


class Embedding(_Part):
    """The block ``char_cnn.embedding``: ``dim``, the width of a character's vector."""

    dim: int = Field(ge=1, le=MOST)


class Characters(_Part):
    """The block ``char_cnn``.

    Attributes:
        embedding: Of a character.
        filters: Width and number of each convolution.
        n_highway: How many highways; left out: none.
        activation: Of the convolutions.
        n_characters: 262, or 261 as it is right after training; the file of weights is the same.
        max_characters_per_token: 50 with a word's begin and end.
    """

    embedding: Embedding
    filters: list[tuple[int, int]] = Field(min_length=1, max_length=64)
    n_highway: int = Field(default=0, ge=0, le=64)
    activation: Literal["relu", "tanh"]
    n_characters: Literal[261, 262]
    max_characters_per_token: Literal[50]


class Options(_Part):
    """The whole file.

    Attributes:
        lstm: See ``Lstm``.
        char_cnn: See ``Characters``.
        chatstill: How the words of an ELMo were cut that this package trained; of others nothing.
    """

    lstm: Lstm
    char_cnn: Characters
    chatstill: Any = None

    @property
    def filter_size(self) -> int:
        """Numbers of all convolutions together, F."""
        return sum(number for _, number in self.char_cnn.filters)

    def problems(self) -> list[tuple[str, str]]:
        """(key, what is wrong) beyond single values."""
        found = [
            (
                f"char_cnn.filters.{place}",
                f"is [{width}, {number}], expected a width from 1 to {PLACES} and a number from 1 on",
            )
            for place, (width, number) in enumerate(self.char_cnn.filters)
            if not 1 <= width <= PLACES or not 1 <= number <= MOST
        ]
        if not found and self.filter_size > MOST:
            found.append(
                ("char_cnn.filters", f"count {self.filter_size:,} together, up to {MOST:,}")
            )
        return found


def read_options(path: Path) -> Options | list[Said]:
    """The options of a file, or everything that is wrong with them."""
    try:
        values = read_object(path)
    except (OSError, ValueError) as error:
        return [Said(f"{path} {fault_of(error)}.", code="elmo.options-unreadable")]
    values = {key: _lists_as_pairs(value) for key, value in values.items()}
    try:
        options = Options.model_validate(values)
    except ValidationError as error:
        faults = [(_key(one["loc"]), _fault(dict(one))) for one in error.errors()]
    else:
        faults = options.problems()
        if not faults:
            return options
    return [Said(f"{path}: {key} {fault}.", code="elmo.option-faulty") for key, fault in faults]


def _lists_as_pairs(value: Any) -> Any:
    """Lists of two within ``filters`` as the pairs that a strict schema takes."""
    if isinstance(value, dict) and isinstance(value.get("filters"), list):
        pairs = [tuple(pair) if isinstance(pair, list) else pair for pair in value["filters"]]
        return {**value, "filters": pairs}
    return value


def _key(parts: tuple[int | str, ...]) -> str:
    return ".".join(map(str, parts))


def _fault(one: dict[str, Any]) -> str:
    if one["type"] == "missing":
        return "is missing"
    reason = str(one["msg"])
    return f"is {one['input']!r}: {reason[:1].lower()}{reason[1:]}"[:200]
