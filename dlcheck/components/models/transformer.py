"""A small pre-norm Transformer."""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from dlcheck.components.info import DataInfo
from dlcheck.components.models.layers import make_dropout
from dlcheck.components.models.registry import MODELS
from dlcheck.components.models.sequence import as_sequence, sequence_shape
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import Transformer

EMBEDDING_STD = 0.02  # Radford et al. 2018, "Improving language understanding by generative pre-training"
EXPANSION = 4  # Vaswani et al. 2017: the inner layer is four times as wide


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762); ``causal`` hides what comes later."""

    def __init__(self, width: int, heads: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.heads = heads
        self.rate = dropout
        self.causal = causal
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, time, width)."""
        split = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)
        rate = self.rate if self.training else 0.0
        mixed = scaled_dot_product_attention(query, key, value, dropout_p=rate, is_causal=self.causal)
        y: Tensor = self.project(mixed.transpose(1, 2).flatten(2))
        return y


class TransformerBlock(nn.Module):
    """x + attention, then + a fully connected network, each of the normalised stream.

    Xiong et al. 2020, "On layer normalization in the Transformer architecture", ICML, arXiv:2002.04745.
    """

    def __init__(self, width: int, heads: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout, causal)
        self.norm2 = nn.LayerNorm(width)
        self.feedforward = nn.Sequential(
            OrderedDict(
                expand=nn.Linear(width, EXPANSION * width),
                activation=nn.GELU(),
                contract=nn.Linear(EXPANSION * width, width),
            )
        )
        self.dropout = make_dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, time, width)."""
        x = x + self.dropout(self.attention(self.norm1(x)))
        y: Tensor = x + self.dropout(self.feedforward(self.norm2(x)))
        return y


class TransformerNetwork(nn.Module):
    """Embedding and learned positions, blocks, and a linear head.

    Codes (batch, time) give (batch, time, outputs), causally; all other inputs, read as sequences, give
    (batch, outputs) from the mean over time. Sequences may be shorter than those of the data.
    """

    def __init__(self, section: Transformer, info: DataInfo, outputs: int) -> None:
        super().__init__()
        self.language = info.task == "language"
        steps, features = (info.input_shape[0], 0) if self.language else sequence_shape(info)
        self.embedding: nn.Module
        if self.language:
            self.embedding = nn.Embedding(info.outputs, section.width)
            nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        else:
            self.embedding = nn.Linear(features, section.width)
        self.positions = nn.Parameter(torch.empty(steps, section.width).normal_(std=EMBEDDING_STD))
        self.dropout = make_dropout(section.dropout)
        self.blocks = nn.Sequential()
        for index in range(section.layers):
            block = TransformerBlock(section.width, section.heads, section.dropout, self.language)
            self.blocks.add_module(f"block{index + 1}", block)
        self.norm = nn.LayerNorm(section.width)
        self.head = nn.Linear(section.width, outputs)
        if section.tie_weights:
            self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, outputs), or (batch, time, outputs) for codes."""
        sequence = x if self.language else as_sequence(x)
        embedded = self.embedding(sequence) + self.positions[: sequence.shape[1]]
        states = self.norm(self.blocks(self.dropout(embedded)))
        outputs: Tensor = self.head(states if self.language else states.mean(dim=1))
        return outputs


@MODELS.register(Transformer)
def build_transformer(section: Transformer, info: DataInfo, outputs: int, folder: Path) -> nn.Module:
    """Build a Transformer; tied weights as in Press & Wolf 2017, arXiv:1608.05859.

    Raises:
        DlcheckError: ``heads`` does not divide ``width``, or weights are to be tied without an embedding.
    """
    if section.width % section.heads:
        raise DlcheckError(f"model.heads = {section.heads} does not divide model.width = {section.width}")
    if section.tie_weights and info.task != "language":
        raise DlcheckError("model.tie_weights = true: only text has an embedding to tie to; valid here: false")
    return TransformerNetwork(section, info, outputs)
