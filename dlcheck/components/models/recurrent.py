"""Recurrent networks over numbers or characters."""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models.layers import make_dropout
from dlcheck.components.models.registry import MODELS
from dlcheck.components.models.sequence import as_sequence, sequence_shape
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import Recurrent

CELLS: Final[dict[str, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]]] = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


class RecurrentNetwork(nn.Module):
    """Reads a sequence; answers once at its end, or after every character.

    Numbers (batch, time, features), (batch, columns) or images give (batch, outputs), from the last states of
    both directions. Codes (batch, time) give (batch, time, outputs).
    """

    def __init__(self, section: Recurrent, info: DataInfo, outputs: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(info.outputs, section.embedding) if info.task == "language" else None
        features = section.embedding if self.embedding is not None else sequence_shape(info)[1]
        self.recurrent = CELLS[section.name](
            features,
            section.hidden,
            section.layers,
            batch_first=True,
            dropout=section.dropout if section.layers > 1 else 0.0,
            bidirectional=section.bidirectional,
        )
        self.dropout = make_dropout(section.dropout)
        self.head = nn.Linear(section.hidden * (2 if section.bidirectional else 1), outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, outputs), or (batch, time, outputs) for codes."""
        sequence = as_sequence(x) if self.embedding is None else self.embedding(x)
        states, last = self.recurrent(sequence)
        if self.embedding is None:
            states = self._final(last)
        outputs: Tensor = self.head(self.dropout(states))
        return outputs

    def _final(self, last: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        """Return the last layer's final state (batch, directions · hidden)."""
        hidden = last[0] if isinstance(last, tuple) else last
        directions = 2 if self.recurrent.bidirectional else 1
        return torch.cat(tuple(hidden[-directions:]), dim=1)


@MODELS.register(Recurrent)
def build_recurrent(section: Recurrent, info: DataInfo, outputs: int, folder: Path) -> nn.Module:
    """Build an Elman network (1990), an LSTM (Hochreiter & Schmidhuber 1997) or a GRU (Cho et al. 2014).

    Raises:
        DlcheckError: a bidirectional network is to predict the next character, which it would have read.
    """
    if info.task == "language" and section.bidirectional:
        raise DlcheckError(
            "model.bidirectional = true: reading backwards shows the next character that the network is to "
            "predict; valid for text: false"
        )
    return RecurrentNetwork(section, info, outputs)
