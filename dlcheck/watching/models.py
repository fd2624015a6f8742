"""Which module is the model: the outermost ones that are called, and what holds them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from dlcheck.runs.facts import ParameterCoverage, Site
from dlcheck.watching.living import ByIdentity, Living

WRAPPERS = ("DistributedDataParallel", "DataParallel", "FullyShardedDataParallel")
LOOKS = 3
"""Forward passes in which it is noted which modules are called at all."""
MOST_NAMES = 20
MUCH = 0.1
"""Largest number at the first weights over that of the batch, below which a network scales its inputs itself."""
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


def inner(module: nn.Module) -> nn.Module:
    """Return the model inside wrappers for several devices or for the compiler."""
    for _ in range(4):
        inside = getattr(module, "_orig_mod", None)
        if inside is None and type(module).__name__ in WRAPPERS:
            inside = getattr(module, "module", None)
        if not isinstance(inside, nn.Module):
            return module
        module = inside
    return module


@dataclass(slots=True)
class Root:
    """A module that is called from outside of all modules, and has parameters."""

    module: weakref.ref[nn.Module]
    trained: bool = False
    """A backward pass went through it."""
    attached: bool = False
    evaluated: bool = False
    """It was once called in evaluation mode."""
    calls: int = 0
    called: set[int] = field(default_factory=set)
    """Identities of the modules inside that were called in the first passes."""
    graded: set[int] = field(default_factory=set)
    """Of these, the ones that ran where a graph is recorded."""
    rescales: bool = False
    """Numbers that reach the first weights are far smaller than those of the batch: the forward pass divides them."""
    first_norm: bool = False
    """The first module without children that was called normalises."""


@dataclass(slots=True)
class Held:
    """An optimizer, with the names of its parameters as they were when it was built."""

    optimizer: weakref.ref[torch.optim.Optimizer]
    kind: str
    site: Site | None
    names: dict[int, str] = field(default_factory=dict)
    steps: int = 0
    known: bool = False
    """The monitor watches its steps."""
    since: int = 0
    """Steps that others had made when it began."""


def _much_smaller(inputs: object, given: Tensor | None) -> bool:
    first = inputs[0] if isinstance(inputs, tuple) and inputs else None
    if given is None or not isinstance(first, Tensor) or not first.is_floating_point():
        return False
    if not first.numel() or not given.numel() or given.is_complex():
        return False
    return float(first.detach().abs().max()) < MUCH * float(given.detach().abs().max())


class Models:
    """All modules that live, the roots among them, and the optimizers."""

    def __init__(self) -> None:
        self.alive: Living[nn.Module] = Living()
        self.roots: ByIdentity[nn.Module, Root | None] = ByIdentity()
        self.optimizers: weakref.WeakKeyDictionary[torch.optim.Optimizer, Held] = weakref.WeakKeyDictionary()
        self.with_gradient: set[int] = set()
        """Identities of parameters that were seen with a gradient."""
        self.gradient_looks = 0
        self.loaded: set[int] = set()
        """Identities of parameters whose values were loaded."""

    def root(self, module: nn.Module) -> Root | None:
        """Return what is known of a module that is called from outside; None for one without parameters."""
        try:
            return self.roots[module]
        except KeyError:
            found = next(module.parameters(), None) is not None
            root = Root(weakref.ref(module)) if found else None
            self.roots[module] = root
            return root

    def top(self, module: nn.Module) -> nn.Module:
        """Return the largest living module that holds this one, itself where there is none."""
        best, size = module, 0
        for other in list(self.alive):
            if other is not module and any(child is module for child in other.modules()):
                count = sum(1 for _ in other.modules())
                if count > size:
                    best, size = other, count
        return best

    def hold(self, optimizer: torch.optim.Optimizer, site: Site | None) -> Held:
        """Take note of an optimizer."""
        held = Held(weakref.ref(optimizer), type(optimizer).__name__, site)
        wanted = {id(parameter) for parameter in parameters_of(optimizer)}
        for module in sorted(self.alive, key=lambda one: -sum(1 for _ in one.modules())):
            if len(held.names) == len(wanted):
                break
            for name, parameter in module.named_parameters():
                if id(parameter) in wanted:
                    held.names.setdefault(id(parameter), name)
        self.optimizers[optimizer] = held
        return held

    def look_at_gradients(self) -> None:
        """Note which parameters have a gradient now, of models and of optimizers."""
        self.gradient_looks += 1
        for parameter in [*self._trained_parameters().values(), *self._held_parameters().values()]:
            if parameter.grad is not None:
                self.with_gradient.add(id(parameter))

    def watch_calls(self, root: Root, given: Tensor | None = None) -> object | None:
        """Note, for the first passes of a root, which modules inside are called; returns what to remove after.

        Args:
            root: The module that is called.
            given: The batch that it is called with.
        """
        if root.calls > LOOKS or hasattr(root.module(), "_orig_mod"):
            return None

        def called(module: nn.Module, inputs: object) -> None:
            if not root.called.intersection({-1}) and not any(True for _ in module.children()):
                root.called.add(-1)  # the first one without children
                root.first_norm = isinstance(module, _NORMS)
            if -2 not in root.called and any(True for _ in module.parameters(recurse=False)):
                root.called.add(-2)  # the first one with weights of its own
                root.rescales = _much_smaller(inputs, given)
            root.called.add(id(module))
            if torch.is_grad_enabled():
                root.graded.add(id(module))

        return register_module_forward_pre_hook(called)

    def trained(self) -> list[nn.Module]:
        """Return the roots that live and went through a backward pass."""
        return [module for module, root in self.roots.items() if root is not None and root.trained]

    def coverage(self, *, detached: bool = False, crashed: bool = False) -> ParameterCoverage | None:
        """Return how the parameters of models and optimizers fit; None without any training.

        Args:
            detached: A backward pass was asked of a loss without a graph.
            crashed: That, or something like it, ended the script.
        """
        own, held = self._trained_parameters(), self._held_parameters()
        never = bool(held) and self.gradient_looks > 0 and not self.with_gradient
        if not own and (detached or never):  # no backward pass tells which model trains: all that were called
            own = {id(p): p for module in list(self.roots) for p in module.parameters() if self.roots[module]}
        if not own or not self.optimizers or not (self.gradient_looks or detached):
            return None
        names = self._names(own)
        trainable = {key for key, parameter in own.items() if parameter.requires_grad}
        outside = [names[key] for key in own if key in trainable - held.keys() and key in self.with_gradient]
        silent = [key for key in held if key not in self.with_gradient and held[key].requires_grad]
        stale = [key for key in silent if key not in self._living_parameters()]
        silent_own = [names[key] for key in silent if key in own]
        called = {key for root in self.roots.values() if root is not None for key in root.called}
        idle = {id(p) for m in self.trained() for sub in m.modules() if id(sub) not in called for p in _own(sub)}
        first = max(self.optimizers.values(), key=lambda one: one.steps)
        return ParameterCoverage(
            parameters=len(own),
            trainable=len(trainable),
            optimized=len(trainable & held.keys()),
            outside=tuple(outside[:MOST_NAMES]),
            outside_count=len(outside),
            without_gradient=tuple(silent_own[:MOST_NAMES]),
            without_gradient_count=len(silent_own),
            unused=tuple(names[key] for key in silent if key in own and key in idle)[:MOST_NAMES] if called else (),
            frozen_count=len(own) - len(trainable),
            stale=tuple(first.names.get(key, f"parameter {at}") for at, key in enumerate(stale))[:MOST_NAMES],
            stale_count=len(stale),
            steps=max((one.steps for one in self.optimizers.values()), default=0),
            outside_loaded=sum(1 for key in own if key in trainable - held.keys() and key in self.loaded),
            outside_whole=self._whole(held),
            without_graph_count=sum(1 for key in silent if key in own and key in self._graphless()),
            detached=detached,
            crashed=crashed,
            site=first.site,
        )

    def _whole(self, held: dict[int, torch.Tensor]) -> int:
        """Return how many parameters belong to models of which no optimizer holds anything."""
        # A teacher or judge is in evaluation mode; one that trains and that no optimizer holds was forgotten.
        trained = [m for m in self.trained() if not m.training]
        fixed = [m for m in trained if not any(id(p) in held for p in self.top(m).parameters())]
        return len({id(p) for m in fixed for p in m.parameters() if p.requires_grad and id(p) in self.with_gradient})

    def _graphless(self) -> set[int]:
        """Return the parameters of modules that were seen to run, but never with a graph."""
        called = [root for root in self.roots.values() if root is not None]
        graded = {key for root in called for key in root.graded}
        return {
            id(p)
            for module in self.trained()
            for sub in module.modules()
            if id(sub) not in graded and any(id(sub) in root.called for root in called)
            for p in _own(sub)
        }

    def _trained_parameters(self) -> dict[int, nn.Parameter]:
        modules = [*self.trained(), *self._unregistered()]
        return {id(parameter): parameter for module in modules for parameter in module.parameters()}

    def _unregistered(self) -> list[nn.Module]:
        """Return modules with weights that run inside a model, with a graph, but are no part of it: kept in a list."""
        trained = self.trained()
        roots = [root for module in trained if (root := self.roots[module]) is not None]
        graded = {key for root in roots for key in root.graded}
        parts = {id(part) for module in trained for part in module.modules()}
        return [one for one in self.alive if id(one) in graded - parts and next(_own(one), None) is not None]

    def _held_parameters(self) -> dict[int, torch.Tensor]:
        return {id(p): p for one, held in self.optimizers.items() if held.steps for p in parameters_of(one)}

    def _living_parameters(self) -> set[int]:
        return {id(p) for module in list(self.alive) for p in module.parameters()} | set(self._trained_parameters())

    def _names(self, own: dict[int, nn.Parameter]) -> dict[int, str]:
        names: dict[int, str] = {}
        for module in self.trained() or [one for one in self.roots if self.roots[one]]:
            for holder in (self.top(module), module):
                for name, parameter in inner(holder).named_parameters():
                    names.setdefault(id(parameter), name)
        for module in self._unregistered():
            for name, parameter in module.named_parameters():
                names.setdefault(id(parameter), f"{type(module).__name__}.{name} (of a module that the model lacks)")
        return {key: f"parameter {at}" for at, key in enumerate(own)} | names


def parameters_of(optimizer: torch.optim.Optimizer) -> Iterator[torch.Tensor]:
    """Yield the tensors that an optimizer holds."""
    for group in optimizer.param_groups:
        yield from group["params"]


def _own(module: nn.Module) -> Iterator[nn.Parameter]:
    return module.parameters(recurse=False)
