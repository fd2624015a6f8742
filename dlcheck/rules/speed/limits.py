"""The thresholds that the rules of speed share, each with its source; ``bound`` and every rule use the same ones."""

from collections.abc import Mapping

from dlcheck.rules.rule import Limits, Threshold

LIMITS: Mapping[str, Threshold] = {
    "share": Threshold(0.15, "healthy loaders of the benchmark take up to 13 % to hand batches over, its stalls 20 %"),
    "warn": Threshold(0.2, "a healthy loader whose workers share two cores with the computation was seen to take 17 %"),
    "note": Threshold(0.08, "between the 5 % that TensorFlow's input-pipeline analysis calls moderate and a warning"),
    "floor_ms": Threshold(2.0, "10 000 steps lose 20 s to it: less is not worth a change"),
    "agree": Threshold(0.3, "a third of the promise: workers and computation may share cores, so that less comes true"),
    "keeps_up": Threshold(0.8, "a loader that needs four fifths of a step's other time is late whenever it varies"),
    "late": Threshold(0.5, "half of all batches were asked for before they were ready"),
    "headroom": Threshold(1.2, "a tenth for the noise of each of two measured ceilings"),
    "slow": Threshold(0.5, "half of the time of fetching went into samples of 8 times the median"),
    "working": Threshold(0.5, "less than half of the time worked: the rest waited for a disk or a network"),
    "stuck": Threshold(0.3, "a third of the wait; of a Python collate up to a quarter of a step was seen"),
    "idle": Threshold(0.15, "the TensorFlow input-pipeline analysis calls 15 % of kernel launch high"),
    "growth": Threshold(0.2, "twice the work in less than 1.2 times the time: the device was not what limited"),
    "kernel_us": Threshold(20.0, "launching a kernel takes 5 to 20 us (Holistic Trace Analysis)"),
    "optimizer_share": Threshold(0.2, "a fifth of a step is critical in TraceML 0.5.0; the pass is one of four"),
    "fewer": Threshold(1.05, "paired blocks of one loop differ by up to 5 % (quartiles 0.97 and 1.05, measured)"),
    "traffic": Threshold(10.0, "unfused, Adam makes some 19 passes instead of 7: ten times as long is beyond that"),
    "queue": Threshold(0.1, "a tenth of the time waiting for a core makes every other number as uncertain"),
    "calm": Threshold(1.1, "paired blocks of one loop differ by 5 % (quartiles 0.97 and 1.05, measured): twice that"),
    "others": Threshold(0.25, "a quarter less of the machine may move any share by as much"),
}


def thresholds(*names: str) -> dict[str, Threshold]:
    """Return some of the shared thresholds, for a rule to declare."""
    return {name: LIMITS[name] for name in names}


def defaults(overrides: Limits | None = None) -> dict[str, float]:
    """Return the values of all shared thresholds, with some replaced."""
    return {name: threshold.value for name, threshold in LIMITS.items()} | dict(overrides or {})
