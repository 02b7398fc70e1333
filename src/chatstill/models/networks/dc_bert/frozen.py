"""Documents' states of an encoder that is not trained: computed once for each different reply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ....data.fingerprint import state_sha256
from ....data.text_states import TextStates
from .model import DcBertForSequenceClassification
from .sides import part_rows


def frozen_documents(
    model: DcBertForSequenceClassification,
    rows: Iterable[Mapping[str, Tensor]],
    folder: Path,
    device: torch.device,
) -> TextStates:
    """States of the replies of all rows, kept on disk.

    Args:
        model: The network, as it is before training.
        rows: Padded batches of the network's rows.
        folder: For the states.
        device: Where they are computed.
    """
    encoder = model.dc_bert.of_documents.to(device)
    texts: dict[bytes, Tensor] = {}
    for batch in rows:
        types = batch.get("token_type_ids")
        side = part_rows(batch["input_ids"], batch["attention_mask"], types, model.config)[1]
        for ids, length in zip(side.input_ids, side.attention_mask.sum(1).tolist(), strict=True):
            text = ids[:length].clone()
            texts.setdefault(text.numpy().tobytes(), text)

    @torch.no_grad()
    def compute(ids: Tensor, mask: Tensor) -> Tensor:
        training = encoder.training
        encoder.eval()
        states: Tensor = encoder(
            input_ids=ids.to(device), attention_mask=mask.to(device)
        ).last_hidden_state
        encoder.train(training)
        return states

    found = (text.numpy() for text in texts.values())
    width, network = int(model.config.hidden_size), state_sha256(encoder.state_dict())
    return TextStates(folder, found, compute, width, network)
