"""A callback for the trainer of Hugging Face: ``Trainer(..., callbacks=[DlcheckCallback()])``."""

from __future__ import annotations

from typing import Any

from dlcheck.errors import DlcheckError
from dlcheck.watching.framework import FrameworkCallback

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
except ImportError:
    raise DlcheckError("this callback needs transformers: pip install 'dlcheck[huggingface]'") from None


class DlcheckCallback(FrameworkCallback, TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Watches ``train``, leaves a run folder and prints the diagnosis at the end.

    Args:
        run_dir: The run folder to make; unset: ``dlcheck-runs/huggingface-DATE-TIME``.
        select: Code prefixes of the rules to apply; empty: all.
        ignore: Code prefixes to leave out; the longest prefix wins.
        quiet: Print nothing; ``report`` has it all.
    """

    framework = "huggingface"

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Begin to listen; the process of rank 0 alone does."""
        model = kwargs.get("model")
        if state.is_world_process_zero and model is not None:
            self._watch.start(model)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Judge the run."""
        self._watch.stop(quiet=self._quiet)
