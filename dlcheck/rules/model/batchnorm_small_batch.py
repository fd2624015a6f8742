"""M210."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.prescription import Prescription, prescribed
from dlcheck.rules.prescriptions import GENERALISES
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import at, listed, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import BatchNormBatches

REMEDIES = (
    Prescription(
        "use larger batches",
        {"train.batch_size": 32},
        only_if={"train.batch_size": tuple(range(1, 32))},
        expects=GENERALISES,
    ),
    Prescription("use larger batches", {"train.batch_size": "*2"}, expects=GENERALISES),
    Prescription(
        "normalise by layer or group instead: LayerNorm, GroupNorm",
        {"model.norm": "group"},
        only_if={"model.norm": ("batch", "instance")},
        expects=GENERALISES,
    ),
)


@rule(
    "M210",
    "batchnorm-small-batch",
    Severity.WARNING,
    needs=("batchnorm_batches",),
    thresholds={
        "values": Threshold(8, "the variance of 8 values is off by half (relative error sqrt(2/(n − 1)))"),
        "samples": Threshold(4, "Wu & He 2018, figure 1: the error rises by 4 points at 4 images, by 11 at 2"),
    },
    references=(
        "Ioffe & Szegedy 2015, Batch Normalization, arXiv:1502.03167",
        "Wu & He 2018, Group Normalization, arXiv:1803.08494",
    ),
    prescriptions=REMEDIES,
)
def batchnorm_small_batch(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find batch normalisation whose mean and variance are taken over a handful of values.

    What it finds:
        The values a channel that the usual batch gives to the layer with the fewest: samples times positions.
        One single value, in the last batch of an epoch often, makes PyTorch stop.
    Why it matters:
        Mean and variance of few values are noise. What training then sees differs from what evaluation
        computes with running statistics, and validation suffers.
    What to do:
        Use larger batches, drop the incomplete last one, or normalise over something else than the batch:
        group, layer or instance normalisation.
    Limits:
        Frozen batch normalisation does not count. Convolutions see many positions of each sample, so that
        small batches are told as information only: some networks for images want them.
    Thresholds:
        values: Values a channel in the usual batch, fewer are a warning.
        samples: Samples in the usual batch, fewer are told.
    Sources:
        Ioffe & Szegedy 2015, arXiv:1502.03167; Wu & He 2018, arXiv:1803.08494.
    """
    seen = measured(run, BatchNormBatches)
    if seen.layer_count <= 0 or min(seen.batch, seen.values) <= 0:
        return
    if seen.crashed or seen.values == 1 or seen.smallest_values == 1:
        yield _single(run, seen)
    elif seen.values < limits["values"]:
        yield _finding(run, seen, f"a batch gives {seen.values} values a channel", Severity.WARNING, 0.9)
    elif seen.batch < limits["samples"]:
        yield _finding(run, seen, f"a batch has {seen.batch} samples", Severity.INFO, 0.6)


def _single(run: Run, seen: BatchNormBatches) -> Finding:
    usual = seen.values == 1
    which = "a batch" if usual else "the smallest batch, usually the last of an epoch,"
    stops = ": PyTorch stopped" if seen.crashed else ": PyTorch stops there"
    drop = patched(run, "drop the last, incomplete batch (drop_last=True)", {"train.drop_last": True})
    return _finding(
        run, seen, f"{which} gives 1 value a channel{stops}", Severity.ERROR, 0.98, () if usual else (drop,)
    )


def _finding(
    run: Run,
    seen: BatchNormBatches,
    what: str,
    severity: Severity,
    confidence: float,
    first: tuple[Remedy, ...] = (),
) -> Finding:
    return batchnorm_small_batch.finding(
        f"{what} to the batch normalisation of {listed(seen.layers, seen.layer_count)}{at(seen.site)}",
        severity=severity,
        confidence=confidence,
        evidence={
            "batch": seen.batch,
            "values": seen.values,
            "smallest_batch": seen.smallest,
            "smallest_values": seen.smallest_values,
            "layers": seen.layer_count,
        },
        where=site_where(seen.site, layer=seen.layers[0] if seen.layers else None),
        cause="mean and variance are taken over too few values to say anything of the data",
        remedies=(
            *first,
            *prescribed(run, *REMEDIES),
        ),
    )
