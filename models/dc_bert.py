"""Your own interaction layers for DC-BERT: a class here can be named as ``last_layer_model_type``.

    "model_type": "dc-bert",
    "dc_bert_model_config": {"last_layer_model_type": "MaxSim"}

A class gets the network's config and turns the states of both texts into logits. What it takes:

    query_states     (B, Lq, H)  the query encoder's last states, [CLS] first
    query_mask       (B, Lq)     1 for tokens, 0 for padding
    document_states  (B, Ld, H)  the reply encoder's last states, [CLS] first
    document_mask    (B, Ld)

What it gives: logits (B, config.num_labels). Padding must change nothing. ``start_from(teacher)``, where
the class has it, is called once on a new network, with the fine-tuned cross-encoder. This file is read
only where a name is asked for that is not built in, and its content is part of a run's fingerprint:
`chatstill evaluate` and `predict` need it again, here or with ``--plugin``.
"""

import torch
from torch import nn
from torch.nn import functional as F


class MaxSim(nn.Module):
    """Late interaction, after ColBERT (arXiv 2004.12832): each query token looks for its best match.

    score = mean over query tokens i of max over reply tokens j of cos(W q_i, W d_j), then a weight and a
    bias for each output.
    """

    def __init__(self, config, width=128):
        super().__init__()
        self.project = nn.Linear(config.hidden_size, min(width, config.hidden_size), bias=False)
        self.output = nn.Linear(1, config.num_labels)

    def forward(self, query_states, query_mask, document_states, document_mask):
        query = F.normalize(self.project(query_states), dim=-1)
        document = F.normalize(self.project(document_states), dim=-1)
        similar = query @ document.transpose(1, 2)  # (B, Lq, Ld)
        similar = similar.masked_fill(~document_mask.bool()[:, None, :], -1.0)
        best = similar.max(-1).values * query_mask  # (B, Lq)
        score = best.sum(-1, keepdim=True) / query_mask.sum(-1, keepdim=True)
        return self.output(score)

    @torch.no_grad()
    def start_from(self, teacher):
        """A score of 0.5 stands for as much as none; -1 to 1 is a small range, so the weight is large."""
        outputs = len(self.output.weight)
        signs = torch.linspace(-1, 1, outputs) if outputs > 1 else torch.ones(1)
        self.output.weight.copy_(10 * signs[:, None])
        self.output.bias.copy_(-5 * signs)
