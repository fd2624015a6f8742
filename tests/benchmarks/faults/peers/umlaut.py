"""The rules of UMLAUT, in our hands."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import nn

from tests.benchmarks.faults.peers.rules import Rules
from tests.benchmarks.faults.plan import Plan

BOUND = 1.0
RATES = (1e-7, 0.01)
HIGH_ACCURACY, FROM_EPOCH = 0.95, 4
_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)


class Umlaut(Rules):
    """Our re-implementation of UMLAUT's heuristics after its paper and published code, none of which is copied.

    Source: Schoop et al., "UMLAUT: Debugging Deep Learning Programs using Program Structure and Model Behavior",
    CHI 2021, and BerkeleyHCI/umlaut, umlaut/heuristics.py: inputs outside ±1; inputs that are not floating; images
    that are not square (its guess at a wrong order of axes); NaN in the loss; a rate above 0.01 or below 1e-7; a
    validation loss that rose from the last epoch while the training loss did not; from the fourth epoch on, a
    validation accuracy above 0.95 or above the training accuracy; a weighted layer that no activation follows before
    the next one (in one ``Sequential``; Keras names the activation in the layer); no softmax before a loss that
    wants probabilities (here ``NLLLoss`` without ``LogSoftmax``). "Error" in its title is an error, "Warning" a
    warning.
    """

    name = "umlaut-rules"

    def before(self, plan: Plan) -> None:
        """Look at data and model."""
        x = plan.data.x
        if not x.is_floating_point():
            self.tell("input not floating", severity="error")
        if float(x.min()) < -BOUND or float(x.max()) > BOUND:
            self.tell("input not normalized", "inputs lie outside ±1", severity="error")
        if x.dim() == 4 and x.shape[2] != x.shape[3]:
            self.tell("input wrong shape", severity="error")
        for where, module in plan.model.named_modules():
            if isinstance(module, nn.Sequential):
                self._activations(where, module)
        leaves = [one for one in plan.model.modules() if not list(one.children())]
        if isinstance(plan.loss, nn.NLLLoss) and not isinstance(leaves[-1], nn.LogSoftmax):
            self.tell("no softmax activation", severity="error")

    def _activations(self, where: str, stack: nn.Sequential) -> None:
        named = [(f"{where}.{name}".strip("."), one) for name, one in stack.named_children()]
        kept = [pair for pair in named if not isinstance(pair[1], nn.Flatten | nn.Dropout | nn.BatchNorm1d)]
        for (name, one), (_, after) in pairwise(kept):
            if isinstance(one, _WEIGHTED) and isinstance(after, _WEIGHTED):
                self.tell("missing activation", layer=name, severity="error")

    def each(self, step: int, loss: float) -> None:
        """A training that breaks off in its first epoch has a NaN too."""
        if math.isnan(loss):
            self.tell("nan in loss", severity="error")

    def row(self, epoch: int) -> None:
        """Look at a row."""
        now = self.rows[-1]
        if now["lr"] > RATES[1]:
            self.tell("learning rate high", f"{now['lr']:.2g} is above 0.01")
        elif now["lr"] < RATES[0]:
            self.tell("learning rate low", f"{now['lr']:.2g} is below 1e-7")
        if len(self.rows) > 1 and "val_loss" in now and "val_loss" in self.rows[-2]:
            last = self.rows[-2]
            if now["val_loss"] > last["val_loss"] and now["train_loss"] <= last["train_loss"]:
                self.tell("overfitting", "the validation loss rose since the last epoch")
        if epoch >= FROM_EPOCH and now.get("val_accuracy", 0.0) > min(HIGH_ACCURACY, now.get("train_accuracy", 1.0)):
            self.tell("check validation accuracy", "above 0.95, or above training accuracy")
