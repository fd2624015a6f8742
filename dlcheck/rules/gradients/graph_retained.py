"""G311."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import at, finite, share, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import GraphGrowth


@rule(
    "G311",
    "graph-retained",
    Severity.WARNING,
    needs=("graph_growth",),
    thresholds={
        "alive": Threshold(10, "a window of a few steps is truncated back-propagation or a history for the eye"),
        "share": Threshold(0.5, "graphs of half of all steps: nothing lets them go"),
        "growth": Threshold(1.5, "twice the steps make twice the graphs where nothing lets them go"),
        "epoch": Threshold(0.9, "graphs of a whole epoch: a sum that is begun anew with each"),
    },
    references=(
        "PyTorch documentation, Frequently Asked Questions (don't accumulate history across your training loop)",
        "PyTorch documentation, torch.Tensor.backward (retain_graph)",
    ),
)
def graph_retained(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find graphs of earlier steps that are kept alive, so that memory grows step by step.

    What it finds:
        Exactly: computation graphs of earlier steps' losses that still live at later ones, their number
        growing with the steps, or with those of each epoch. Also a second backward pass through a graph that
        is gone, at which a script stopped.
    Why it matters:
        total += loss keeps the graph of every step. Memory grows until the run ends out of memory, hours after
        its start. A hidden state that is not detached makes each step longer than the last as well.
    What to do:
        Add numbers, not tensors: total += loss.item(), or loss.detach(). Detach what is handed on from step to
        step. Evaluate under torch.no_grad().
    Limits:
        A constant window of steps, as in truncated back-propagation or reinforcement learning, is no fault.
        Where no growth of memory was measured beside a few graphs, it is told as information.
    Thresholds:
        alive: Graphs alive, at least.
        share: Graphs alive relative to all steps, at least.
        growth: Graphs alive at the end over those at half of the steps, at least.
        epoch: Graphs alive at once relative to the steps of an epoch, at least.
    Sources:
        PyTorch documentation, Frequently Asked Questions; PyTorch documentation, torch.Tensor.backward.
    """
    seen = measured(run, GraphGrowth)
    if seen.crashed:
        yield _crash(seen)
    elif _grows(seen, limits) or _fills_epochs(seen, limits):
        yield _leak(seen)
    elif seen.alive >= limits["alive"] and (seen.memory_slope_low or 0.0) > 0 and seen.alive > seen.alive_middle:
        yield _leak(seen, Severity.INFO)


def _grows(seen: GraphGrowth, limits: Limits) -> bool:
    many = seen.alive >= limits["alive"] and share(seen.alive, seen.steps) >= limits["share"]
    return many and seen.alive >= limits["growth"] * seen.alive_middle


def _fills_epochs(seen: GraphGrowth, limits: Limits) -> bool:
    # All graphs of a run were alive once, and half of them at half of it: they were let go only at its end.
    half = limits["share"] * seen.steps / 2
    if seen.highest >= max(limits["alive"], limits["share"] * seen.steps) and seen.alive_middle >= half:
        return True
    if seen.epoch_steps is None or seen.epoch_steps <= 0:
        return False
    # A window that is longer than an epoch goes on beyond its end; a sum begun anew does not.
    return max(limits["alive"], limits["epoch"] * seen.epoch_steps) <= seen.highest < seen.epoch_steps + seen.resolution


def _leak(seen: GraphGrowth, severity: Severity = Severity.WARNING) -> Finding:
    alive = max(seen.alive, seen.highest)
    kind = "evaluation passes" if seen.evaluation else "earlier steps"
    slope = finite(seen.memory_slope)
    grew = f", and memory grew by {slope:.2g} MiB a step" if slope and (seen.memory_slope_low or 0.0) > 0 else ""
    return graph_retained.finding(
        f"{alive} graphs of {kind} were kept alive within {seen.steps} steps{grew}{at(seen.site)}",
        severity=severity,
        confidence=0.96 if grew else 0.92 if severity > Severity.INFO else 0.6,
        evidence={
            "steps": seen.steps,
            "alive": seen.alive,
            "alive_at_half": seen.alive_middle,
            "alive_at_most": alive,
            "mib_a_step": slope,
            "retain_graph": seen.retained,
        },
        where=site_where(seen.site),
        cause="a loss, an output or a state is kept with its graph: added up, put into a list, or handed on",
        remedies=_remedies(seen),
    )


def _remedies(seen: GraphGrowth) -> tuple[Remedy, ...]:
    number = Remedy("add up numbers: total += loss.item(), or loss.detach() where a wait for the device matters")
    state = Remedy("detach what is handed on to the next step: hidden = hidden.detach(); then drop retain_graph=True")
    blind = Remedy("run the evaluation under torch.no_grad()")
    if seen.evaluation:
        return (blind, number)
    return (state, number) if seen.retained else (number, state)


def _crash(seen: GraphGrowth) -> Finding:
    return graph_retained.finding(
        f"a second backward pass went through a graph that was freed{at(seen.site)}",
        severity=Severity.ERROR,
        confidence=0.95,
        evidence={"steps": seen.steps, "alive": seen.alive, "retain_graph": seen.retained},
        where=site_where(seen.site),
        cause="something of an earlier step is part of this step's loss: a hidden state, a sum of losses, an output",
        remedies=(
            Remedy("detach what is handed on from step to step: hidden = hidden.detach()"),
            Remedy("compute what two losses share once, add the losses, and call backward() on the sum"),
        ),
    )
