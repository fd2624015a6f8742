"""D114."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Unchecked, measured, rule
from dlcheck.rules.site import at, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import WorkerSeeds


@rule(
    "D114",
    "duplicated-worker-seed",
    Severity.WARNING,
    needs=("worker_seeds",),
    references=(
        "PyTorch documentation, Reproducibility: DataLoader",
        "PyTorch pull request 56488 (NumPy is seeded in each worker)",
    ),
)
def duplicated_worker_seed(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find loader workers that draw the same random numbers.

    What it finds:
        Two or more workers whose global random stream (NumPy's or Python's) begins alike, or begins alike in
        every epoch, while the data set draws from that very stream.
    Why it matters:
        Augmentation repeats itself: samples of different workers get the same crops and flips, and a second
        epoch the same as the first. There is less variety than was asked for.
    What to do:
        Draw from PyTorch's generator, or seed each worker in worker_init_fn from torch.initial_seed().
    Limits:
        A stream that the data set does not use is no finding. For PyTorch's own stream it cannot be seen
        whether it is used: information.
    Thresholds:
        None: the test is exact.
    Sources:
        PyTorch documentation, Reproducibility: DataLoader; PyTorch pull request 56488.
    """
    seen = measured(run, WorkerSeeds)
    if seen.workers < 1:
        raise Unchecked("the loader has no workers")
    streams = _alike(seen)
    repeated = seen.epochs_repeat and (seen.numpy_used or seen.python_used)
    if streams or repeated or 0 < seen.torch_distinct < seen.workers:
        yield _judge(seen, streams, repeated=repeated)


def _alike(seen: WorkerSeeds) -> list[str]:
    """Return the streams that the data set uses and that some workers share."""
    streams = {
        "NumPy": seen.numpy_used and 0 < seen.numpy_distinct < seen.workers,
        "Python": seen.python_used and 0 < seen.python_distinct < seen.workers,
    }
    return [name for name, alike in streams.items() if alike]


def _judge(seen: WorkerSeeds, streams: list[str], *, repeated: bool) -> Finding:
    again = "each epoch's workers draw the same random numbers as the epoch before's"
    words = f"{seen.workers} loader workers share the random numbers of {' and '.join(streams) or 'PyTorch'}"
    used = bool(streams) or repeated
    return duplicated_worker_seed.finding(
        f"{again if repeated and not streams else words}{f'; {again}' if repeated and streams else ''}{at(seen.site)}",
        severity=Severity.WARNING if used else Severity.INFO,
        confidence=0.97 if used else 0.6,
        evidence={
            "workers": seen.workers,
            "numpy_distinct": seen.numpy_distinct,
            "python_distinct": seen.python_distinct,
            "torch_distinct": seen.torch_distinct,
            "epochs_repeat": seen.epochs_repeat,
        },
        where=site_where(seen.site),
        cause="a worker_init_fn that seeds every worker and epoch alike, or workers that inherit the parent's stream",
        remedies=(
            Remedy("draw from torch in the data set: PyTorch seeds its own stream apart in each worker and epoch"),
            Remedy("seed in worker_init_fn: numpy.random.seed(torch.initial_seed() % 2**32), and random.seed alike"),
        ),
    )
