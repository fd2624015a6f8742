"""Descriptions of images in words."""

from pathlib import Path

import torch
from torch import Tensor, nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models.cnn import conv_stages
from dlcheck.components.models.images import image_shape
from dlcheck.components.models.layers import Style, make_dropout
from dlcheck.components.models.recurrent import CELLS
from dlcheck.components.models.registry import MODELS
from dlcheck.recipe.model import Captioner

State = Tensor | tuple[Tensor, Tensor]


class CaptionerNetwork(nn.Module):
    """A convolutional ``encoder`` whose output becomes the first state of a recurrent ``decoder`` of words.

    After Vinyals et al. 2015, "Show and tell", CVPR, arXiv:1411.4555; there the image is the first input, here it
    is the first state.
    """

    def __init__(self, section: Captioner, info: DataInfo, outputs: int) -> None:
        super().__init__()
        style = Style.of(section)
        channels, size = image_shape(section.name, info)
        stages, size = conv_stages(channels, section.channels, 3, "max", style, size)
        self.encoder = nn.Sequential(stages)
        flat = section.channels[-1] * size[0] * size[1]
        self.states = 2 if section.cell == "lstm" else 1  # hidden state, and the LSTM's memory
        self.bridge = nn.Linear(flat, self.states * section.hidden)
        self.embedding = nn.Embedding(outputs, section.embedding)
        self.decoder = CELLS[section.cell](section.embedding, section.hidden, batch_first=True)
        self.dropout = make_dropout(section.dropout)
        self.head = nn.Linear(section.hidden, outputs)

    def forward(self, images: Tensor, words: Tensor) -> Tensor:
        """Return scores (batch, time, vocabulary) of the word after each of the true ``words`` (batch, time)."""
        scores, _ = self._read(words, self._first_state(images))
        return scores

    @torch.no_grad()
    def describe(self, images: Tensor, start: int, stop: int, max_length: int) -> Tensor:
        """Return int64 codes (batch, at most ``max_length``), always taking the likeliest next word after ``start``.

        A description ends with the code ``stop``, which also fills the rest of its row.
        """
        state = self._first_state(images)
        word = torch.full((len(images), 1), start, device=images.device)
        ended = torch.zeros_like(word, dtype=torch.bool)
        words: list[Tensor] = []
        while len(words) < max_length and not bool(ended.all()):
            scores, state = self._read(word, state)
            word = scores.argmax(dim=2).masked_fill(ended, stop)
            ended |= word == stop
            words.append(word)
        return torch.cat(words, dim=1)

    def _first_state(self, images: Tensor) -> State:
        made = torch.tanh(self.bridge(self.encoder(images).flatten(1))).unsqueeze(0)
        if self.states == 1:
            return made
        hidden, memory = made.chunk(2, dim=2)
        return hidden.contiguous(), memory.contiguous()

    def _read(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        outputs, state = self.decoder(self.dropout(self.embedding(words)), state)
        return self.head(self.dropout(outputs)), state


@MODELS.register(Captioner)
def build_captioner(section: Captioner, info: DataInfo, outputs: int, folder: Path) -> nn.Module:
    """Build encoder and decoder; ``outputs`` is the size of the vocabulary."""
    return CaptionerNetwork(section, info, outputs)
