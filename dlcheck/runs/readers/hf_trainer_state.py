"""``trainer_state.json`` of Hugging Face's Trainer: train, evaluation and one summary record in ``log_history``."""

from pathlib import Path

from dlcheck.runs.content import head_text, text_of
from dlcheck.runs.json_text import array_records, parse
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.records import records_table
from dlcheck.runs.run import Run
from dlcheck.runs.tables import table_runs

_PLAN = (
    "max_steps",
    "num_train_epochs",
    "global_step",
    "logging_steps",
    "eval_steps",
    "best_metric",
    "train_batch_size",
)
_SUMMARY = {"train_runtime", "total_flos"}


def _matches(path: Path) -> bool:
    text = head_text(path)
    return text.lstrip().startswith("{") and '"log_history"' in text


def _read(path: Path, options: ReadOptions) -> list[Run]:
    found = array_records(path, "log_history")
    # The summary's train_loss is the mean over the whole run, no point of its curve.
    records = [record for record in found.records if not _SUMMARY & set(record)]
    table = records_table(records, events=found.events, meta={"plan": _plan(path)})
    return table_runs(table, options.names)


def _plan(path: Path) -> dict[str, object]:
    content = parse(text_of(path))
    state = content if isinstance(content, dict) else {}
    return {key: state[key] for key in _PLAN if isinstance(state.get(key), int | float)}


READER = Reader("hf-trainer-state", _matches, _read, rank=10)
