"""An ELMo as the language model that it is trained as: a word is predicted by those before, or those behind.

Peters et al. 2018, section 3.1; the characters of Jozefowicz et al. 2016. Both directions share the vectors
of the words that are read and the layer over the vocabulary; their LSTMs are apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput
from typing_extensions import override

from .layers import BiLm
from .tokens import Sizes, TokenEncoder
from .word_bytes import WordBytes
from .written import write_files

MODEL_TYPE = "bilm"
NOT_COUNTED = -100  # the target of a place that is not predicted


class BiLmConfig(PretrainedConfig):
    """Sizes of a bidirectional language model over words.

    Args:
        char_size, filters, highways, activation, projection_size, cell_size, lstm_layers, cell_clip,
            proj_clip, residual: See ``tokens.Sizes``.
        dropout: Of what each layer of LSTMs reads, and of what the layer over the vocabulary reads.
        vocab_size: Words that are predicted; ids from there on count as ``unk_token_id``.
        unk_token_id: Of every other word.
        bos_token_id, eos_token_id: Begin and end of a line.
        pad_token_id: Fills up shorter rows.
        segmenter, lower_case: How its words were cut, for who uses them otherwise.
    """

    model_type = MODEL_TYPE

    def __init__(
        self,
        char_size: int = 16,
        filters: Any = ((1, 32), (2, 32)),
        highways: int = 1,
        activation: str = "relu",
        projection_size: int = 128,
        cell_size: int = 512,
        lstm_layers: int = 2,
        cell_clip: float = 3.0,
        proj_clip: float = 3.0,
        residual: bool = True,
        dropout: float = 0.1,
        vocab_size: int = 5,
        unk_token_id: int = 1,
        bos_token_id: int = 3,
        eos_token_id: int = 4,
        pad_token_id: int = 0,
        segmenter: str = "",
        lower_case: bool = False,
        **more: Any,
    ) -> None:
        self.char_size, self.filters = char_size, [list(pair) for pair in filters]
        self.highways, self.activation = highways, activation
        self.projection_size, self.cell_size = projection_size, cell_size
        self.lstm_layers, self.residual = lstm_layers, residual
        self.cell_clip, self.proj_clip = cell_clip, proj_clip
        self.dropout, self.vocab_size = dropout, vocab_size
        self.unk_token_id = unk_token_id
        self.segmenter, self.lower_case = segmenter, lower_case
        super().__init__(**more)
        self.bos_token_id, self.eos_token_id = bos_token_id, eos_token_id
        self.pad_token_id = pad_token_id
        self.hidden_size = 2 * projection_size
        self.tie_word_embeddings = False

    def sizes(self) -> Sizes:
        """Those of the part that is an ELMo."""
        return Sizes.of(self, token_projection=True)


class BiLmForCausalLM(PreTrainedModel):
    """The language model, and the layer over its vocabulary.

    Attributes:
        words: Characters of each id that rows may hold; not saved with the weights. A row is read from zero
            states, whatever came before it.
    """

    config_class = BiLmConfig
    base_model_prefix = "bilm"

    def __init__(self, config: BiLmConfig) -> None:
        super().__init__(config)
        self.words: WordBytes | None = None
        self.bilm = BiLm(config.sizes(), config.dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.projection_size, config.vocab_size)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Xavier; characters N(0, 1); the layer over the vocabulary N(0, 1 / P)."""
        if isinstance(module, TokenEncoder):
            nn.init.normal_(module.characters)
        elif isinstance(module, nn.Linear | nn.Conv1d):
            if module is self.head:
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
            else:
                nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    @override
    def get_input_embeddings(self) -> Any:
        """None: words are read as their characters."""

    @override
    def get_output_embeddings(self) -> nn.Module:
        return self.head

    def states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(B, 2, L, P): what the layer over the vocabulary reads of each word, forwards and backwards.

        Args:
            input_ids: (B, L), begin and end of lines among them; the characters of each different word are
                looked up and computed once.
            attention_mask: (B, L), a row's words from place 0 on.
        """
        assert self.words is not None, "the words of its ids are not known"
        different, places = input_ids.unique(return_inverse=True)
        vectors = self.bilm.tokens.of_words(self.words.of(different))
        # A look-up, whose gradients are summed in a fixed order on a GPU too.
        tokens = nn.functional.embedding(places, vectors)
        top = self.bilm.states(tokens, attention_mask.bool())[-1]
        found: Tensor = self.dropout(torch.stack(top.chunk(2, -1), 1))
        return found

    def targets(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(B, 2, L): the word behind each one, and the one before it; -100 where none counts.

        Pairs count inside a row and inside a line: behind an end always comes a begin, which is no news.
        """
        config = self.config
        ids = input_ids.masked_fill(input_ids >= config.vocab_size, config.unk_token_id)
        valid = attention_mask.bool()
        pairs = valid[:, :-1] & valid[:, 1:] & (ids[:, :-1] != config.eos_token_id)
        found = ids.new_full((len(ids), 2, ids.shape[1]), NOT_COUNTED)
        found[:, 0, :-1][pairs] = ids[:, 1:][pairs]
        found[:, 1, 1:][pairs] = ids[:, :-1][pairs]
        return found

    def predictions(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """States (B, 2, L, P) and targets (B, 2, L), for figures of a language model."""
        ids, mask = batch["input_ids"], batch["attention_mask"]
        return self.states(ids, mask), self.targets(ids, mask)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> CausalLMOutput:
        """Logits (B, 2, L, V): of the next word, and of the one before."""
        return CausalLMOutput(logits=self.head(self.states(input_ids, attention_mask)))

    @override
    def save_pretrained(self, save_directory: Any, *args: Any, **more: Any) -> None:
        """The whole network as transformers writes it, and beside it the two files of an ELMo."""
        super().save_pretrained(save_directory, *args, **more)
        state = self.bilm.state_dict()
        arrays = {name: tensor.detach().float().cpu().numpy() for name, tensor in state.items()}
        words = {"segmenter": self.config.segmenter, "lower_case": self.config.lower_case}
        write_files(Path(save_directory), self.config.sizes(), arrays, words)
