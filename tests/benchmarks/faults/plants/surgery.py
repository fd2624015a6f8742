"""Changes of models that keep the names of what is left."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tests.benchmarks.faults.plan import Plan
from tests.benchmarks.faults.plants.kinds import ACTIVATIONS


class Wrapped(nn.Module):
    """A model with something before and after it."""

    def __init__(self, first: nn.Module, body: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.first, self.body, self.last = first, body, last

    def forward(self, x: Tensor) -> Tensor:
        """Apply the three in turn."""
        answer: Tensor = self.last(self.body(self.first(x)))
        return answer


class Applied(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Apply it."""
        return self.function(x)


def before(model: nn.Module, name: str, first: nn.Module) -> nn.Module:
    """Return the model with a module before it; a stack keeps its layers' names."""
    if isinstance(model, nn.Sequential):
        return nn.Sequential(OrderedDict([(name, first), *model.named_children()]))
    return Wrapped(first, model, nn.Identity())


def after(model: nn.Module, name: str, last: nn.Module) -> nn.Module:
    """Return the model with a module after it; a stack keeps its layers' names."""
    if isinstance(model, nn.Sequential):
        return nn.Sequential(OrderedDict([*model.named_children(), (name, last)]))
    return Wrapped(nn.Identity(), model, last)


def inserted(model: nn.Module, name: str, middle: nn.Module) -> nn.Sequential:
    """Return a stack with a module after its first activation."""
    named = list(model.named_children())
    place = next(i for i, (_, module) in enumerate(named) if isinstance(module, ACTIVATIONS)) + 1
    return nn.Sequential(OrderedDict([*named[:place], (name, middle), *named[place:]]))


def width(model: nn.Module) -> int:
    """Return how many numbers a stack's first layer answers with."""
    first = next(iter(model.children()))
    return int(getattr(first, "out_features", 0))


def replaced(model: nn.Module, kinds: tuple[type[nn.Module], ...], make: Callable[[nn.Module], nn.Module]) -> str:
    """Replace modules of these kinds in place, and return the name of the first."""
    names: list[str] = [name for name, module in model.named_modules() if name and isinstance(module, kinds)]
    for name in names:
        set_module(model, name, make(model.get_submodule(name)))
    return names[0]


def set_module(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of the one of this name."""
    owner, _, last = name.rpartition(".")
    setattr(model.get_submodule(owner), last, module)


def matrices(model: nn.Module) -> list[nn.Parameter]:
    """Return weights, without biases and the scales of normalisation."""
    return [one for one in model.parameters() if one.dim() > 1]


@contextmanager
def drawn(plan: Plan) -> Iterator[None]:
    """Draw new weights from the plan's seed, and leave the stream of random numbers as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(plan.seed + 1)
        yield


def chance(plan: Plan) -> torch.Generator:
    """Return random numbers of the plan's seed."""
    return torch.Generator().manual_seed(plan.seed + 1)
