"""The ``[train]`` and ``[rules]`` sections."""

from typing import Annotated, Literal

from pydantic import Field

from dlcheck.recipe.section import Section

Code = Annotated[str, Field(pattern=r"^[A-Z]([0-9]{1,3})?$")]


class Train(Section):
    """``[train]``: how long, in what batches, at which precision."""

    epochs: Annotated[int, Field(ge=1)] = 20
    max_steps: Annotated[int, Field(ge=1)] | None = None
    """Stop after this many optimizer steps, wherever in an epoch that falls."""
    batch_size: Literal["full"] | Annotated[int, Field(ge=1)] = 64
    """Samples in a step: 1 is stochastic, ``"full"`` is batch gradient descent, between them mini-batches."""
    eval_batch_size: Annotated[int, Field(ge=1)] = 512
    drop_last: bool = False
    """Leave out an epoch's last, smaller batch."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Batches whose gradients are averaged into one step."""
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    """Largest norm of the whole gradient; longer ones are scaled back."""
    clip_value: Annotated[float, Field(gt=0)] | None = None
    """Largest absolute value of each gradient entry."""
    seed: int = 0
    """Of initialisation, order, augmentation and dropout."""
    deterministic: bool = False
    """Only deterministic algorithms, at some cost in speed (a CPU run repeats bit for bit without it)."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Mixed precision when not fp32; fp16 comes with a loss scaler."""
    tf32: bool = False
    """Let GPUs since Ampere shorten the factors of fp32 matrix products to 10 bits of mantissa: faster, less exact.

    Convolutions do so anyway, as PyTorch has it.
    """
    channels_last: bool = False
    """Memory format of images that GPUs with tensor cores prefer."""
    compile: bool = False
    """Run the model through ``torch.compile``."""
    threads: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    """CPU threads; ``auto``: one for small networks, where more gain little and can lose all, else PyTorch's choice."""
    monitor: Literal["val_loss", "val_metric"] = "val_loss"
    """What early stopping, the best checkpoint and the plateau schedule look at."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Stop when ``monitor`` has not improved for this many epochs; unset: never."""
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    """Improvement of ``monitor`` that counts."""
    restore_best: bool = True
    """Test (and keep as the result) the weights of the best epoch rather than the last."""
    log_every: Annotated[int, Field(ge=1)] = 1
    """Steps between rows of the step metrics."""
    checkpoint_every_s: Annotated[float, Field(gt=0)] = 60.0
    """Seconds between checkpoints inside a long epoch; one is written at each epoch's end anyway."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """In several processes: whole weights in each, or a part of every weight (for a model that outgrows one device)."""
    tensorboard: bool = False
    """Write TensorBoard event files too."""


class Rules(Section):
    """``[rules]``: which rules judge, and by which thresholds."""

    select: list[Code] = []
    """Codes or prefixes to apply; empty: all."""
    ignore: list[Code] = []
    """Codes or prefixes to leave out; the longest prefix wins."""
    fail_on: Literal["error", "warning", "info", "never"] = "error"
    """Findings of this severity or worse make the exit status 1."""
    thresholds: dict[str, dict[str, float]] = {}
    """``[rules.thresholds.C409]``: other thresholds for a rule."""
