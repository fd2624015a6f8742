"""A callback for Lightning: ``Trainer(callbacks=[DlcheckCallback()])``."""

from __future__ import annotations

from dlcheck.errors import DlcheckError
from dlcheck.watching.framework import FrameworkCallback

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError:
    raise DlcheckError("the Lightning callback needs lightning: pip install 'dlcheck[lightning]'") from None


class DlcheckCallback(FrameworkCallback, Callback):  # type: ignore[misc, unused-ignore]
    """Watches ``fit``, leaves a run folder and prints the diagnosis at the end.

    Args:
        run_dir: The run folder to make; unset: ``dlcheck-runs/lightning-DATE-TIME``.
        select: Code prefixes of the rules to apply; empty: all.
        ignore: Code prefixes to leave out; the longest prefix wins.
        quiet: Print nothing; ``report`` has it all.
    """

    framework = "lightning"

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to listen; the process of rank 0 alone does."""
        if trainer.is_global_zero:
            self._watch.start(pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Judge the run."""
        self._watch.stop(quiet=self._quiet)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Judge what there was before the exception."""
        self._watch.stop(exception, quiet=self._quiet)
