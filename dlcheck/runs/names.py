"""What the raw names in logs mean: of which data, and what was measured."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["loss", "metric", "lr", "step", "epoch", "time", "other"]

SPLITS = {
    **dict.fromkeys(("train", "training", "tr", "trn", "trl", "fit"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "eval", "evaluation", "dev", "holdout", "tel"), "val"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}
"""Words of a name that say of which data it speaks."""

STEPS = (
    *(
        "global_step",
        "trainer_global_step",
        "train_global_step",
        "iteration",
        "iterations",
        "iter",
        "iters",
        "iter_num",
    ),
    *("step", "steps", "current_steps", "num_updates", "update", "updates", "total_timesteps", "time_total_timesteps"),
    *("training_iteration", "train_step", "_step", "batch", "batch_idx", "batches"),
)
"""Names of a counter of steps: those that count the whole run before those that may not."""

_EPOCHS = {"epoch", "epochs", "ep", "current_epoch", "epoch_num", "epoch_idx", "trainer_epoch", "train_epoch"}
_TIME = re.compile(
    r"^(?:.*_)?(?:time|runtime|timestamp|wall_s|elapsed|duration|dur|created_at|eta|eta_seconds|seconds|sec|secs|date"
    r"|datetime|walltime|epoch_s|ms)$|^(?:time|eta|elapsed|remaining)_"
)
_LR = re.compile(r"(?:^|_)(?:lrs?\d*|learning_rates?|learningrate)(?:_|$)")
_OTHER = {
    "grad_norm": re.compile(r"^(?:.*_)?(?:grad_norm|gnorm|gradient_norm|global_norm|gradnorm|grad_l2_norm)$"),
    "loss_scale": re.compile(r"(?:^|_)(?:loss_scale|grad_scale|loss_scaling)$"),
    "samples_per_s": re.compile(r"^(?:train_)?(?:samples_per_s|samples_per_second|samples_per_sec|imgs_per_sec)$"),
    "memory_gib": re.compile(r"^memory_gib$"),
    "momentum": re.compile(r"^(?:train_)?momentum$"),
}
_LOSS = {"loss", "losses", "cost", "nll", "ce", "bce", "xent", "crossentropy", "objective", "elbo", "trl", "tel"}
_SCORES = (
    {
        "accuracy",
        "accuracies",
        "precision",
        "recall",
        "dice",
        "coef",
        "psnr",
        "ssim",
        "reward",
        "rewards",
        "rew",
        "kappa",
    }
    | {"score", "mcc", "spearman", "pearson", "correlation", "wer", "cer", "fid", "rmse", "mse", "mae", "mape", "error"}
    | {"err", "perplexity", "ppl", "bpc", "bpb", "jaccard", "exactmatch", "sensitivity", "specificity", "return", "kl"}
    | {
        "errors",
        "fwiou",
        "ndcg",
        "mrr",
        "hits",
        "auroc",
        "auprc",
        "meteor",
        "cider",
        "lpips",
        "r2",
        "em",
        "nmse",
        "ter",
    }
)
_NUMBERED_SCORE = re.compile(r"^(?:m?acc|a?acc|top|m?iou|m?ap[lms]?|auc|f|rouge[12l]?|bleu|hit)\d*(?:\.\d+)?$")
_NO_CURVE = {"best", "weight", "weights", "scale", "coefficient", "lambda", "count", "counter", "patience", "smoothing"}
_RATES = {"per", "mfu", "tps", "tflops", "flops", "flos", "memory", "mem", "gpu", "cpu", "size", "parameters"}
_FILLERS = {"metrics", "metric", "avg", "average", "averaged", "mean", "total", "main", "running", "overall", "epoch"}
_FILLERS |= {
    "vs",
    "iterations",
    "dataloader",
    "idx",
    "log",
    "logs",
    "current",
    "global",
    "scalar",
    "scalars",
    "trainer",
}
_BATCH = {"step", "batch", "iter", "iteration", "minibatch"}
_COCO = {"bbox", "segm", "keypoints", "coco"}
_SHORT = {"acc": "accuracy", "accuracies": "accuracy", "ppl": "perplexity", "err": "error", "losses": "loss"}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one raw name says."""

    split: str
    """train, train_eval, val or test; a name that says nothing speaks of training."""
    metric: str
    """Lower case, words joined by underscores, without the split: ``loss`` is the loss that is trained on."""
    kind: Kind
    explicit: bool = False
    """Whether the name itself says the split."""


@lru_cache(maxsize=20000)
def meaning(raw: str) -> Meaning | None:
    """Return what a raw name of a log means; None for a name of no known thing.

    Upper case, camel case, blanks, and the signs ``/ . - _`` do not matter, nor do words without content
    as *mean* or *metrics*. Of two splits in one name, the one nearer to the metric counts.
    """
    if len(raw) > 200:
        return None
    words = _words(raw)
    plain = "_".join(words)
    return _counter(plain, raw) or _series(words, plain, raw)


def plain_name(raw: str) -> str:
    """Return a raw name in lower case, its words joined by underscores."""
    return "_".join(_words(raw)) or "unnamed"


def _words(raw: str) -> list[str]:
    parted = re.sub(r"(?<=[a-z0-9][a-z0-9])(?=[A-Z][a-z])", "_", raw.strip().removesuffix("(B)"))
    parted = re.sub(r"(?i)mean[ _]squared[ _]error", "mse", re.sub(r"(?i)mean[ _]absolute[ _]error", "mae", parted))
    parted = re.sub(r"(?<!\d)\.|\.(?!\d)", "_", parted)
    words = [word.lower() for word in re.split(r"[^A-Za-z0-9.]+", parted) if word]
    return ["_step"] if raw.strip() == "_step" else words


def _counter(plain: str, raw: str) -> Meaning | None:
    if plain in STEPS:
        return Meaning("train", "step", "step")
    if plain in _EPOCHS:
        return Meaning("train", "epoch", "epoch")
    if _TIME.search(plain):
        return Meaning("train", plain, "time")
    if _LR.search(plain) and not re.search(r"(?:^|_)(?:loss|acc|accuracy|grad)", plain):
        return Meaning("train", "lr", "lr", explicit=True)
    name = next((name for name, pattern in _OTHER.items() if pattern.search(plain)), None)
    return Meaning("train", name, "other") if name else None


def _series(words: list[str], plain: str, raw: str) -> Meaning | None:
    if _NO_CURVE & set(words) or _RATES & set(words):
        return None
    places = [place for place, word in enumerate(words) if _is_loss(word, words) or _is_score(word)]
    if not places:
        return None
    is_loss = any(_is_loss(words[place], words) for place in places)
    split = _split(words, places, raw)
    rest = [_SHORT.get(word, word) for word in words if word not in SPLITS or word in _LOSS]
    batch = is_loss and bool(_BATCH & set(rest)) and "epoch" not in rest
    kept = [word for word in rest if word not in _FILLERS and not (is_loss and word in _BATCH)]
    metric = "_".join(dict.fromkeys(kept))
    metric = re.sub(r"_0$", "", metric) if "dataloader" in words else metric
    if is_loss and metric in _LOSS:
        metric = "batch_loss" if batch and split in (None, "train") else "loss"
    if split is None and (words[0] == "metrics" or _COCO & set(words)) and not is_loss:
        split = "val"  # Ultralytics and Detectron2 evaluate on validation data only
    return Meaning(split or "train", metric or plain, "loss" if is_loss else "metric", explicit=split is not None)


def _is_loss(word: str, words: list[str]) -> bool:
    return word in _LOSS or (word == "entropy" and "cross" in words)


def _is_score(word: str) -> bool:
    return word in _SCORES or bool(_NUMBERED_SCORE.match(word))


def _split(words: list[str], places: list[int], raw: str) -> str | None:
    if words[:2] == ["train", "eval"] and raw.strip().lower().startswith("train_eval_"):
        return "train_eval"
    said = [place for place, word in enumerate(words) if word in SPLITS]
    nearest = min(said, key=lambda place: (min(abs(place - other) for other in places), -place), default=None)
    return None if nearest is None else SPLITS[words[nearest]]
