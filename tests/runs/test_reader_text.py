import math
import time
from pathlib import Path

import numpy as np
import pytest

from dlcheck.errors import DlcheckError
from dlcheck.runs.names import meaning
from dlcheck.runs.readers import read_run, text_log, text_thin
from dlcheck.runs.readers.reader import read_runs
from dlcheck.runs.readers.text_lines import BLOCK_BYTES, line_blocks
from dlcheck.runs.readers.text_plan import NUMBER, plan_of
from dlcheck.runs.readers.text_writer import text_format
from dlcheck.runs.run import Curve, Run
from tests.runs.text import OPTIONS, read


def train_loss(run: Run) -> Curve:
    curve = run.curve("loss")
    return curve if len(curve) else run.curve("batch_loss")


def told(line: str) -> tuple[dict[str, float], float | None, float | None]:
    """Return the values, the epoch and the step that one line says."""
    parts = NUMBER.split(line)
    plan, numbers = plan_of(tuple(parts[::2])), [float(one.replace(",", "")) for one in parts[1::2]]
    if plan is None:
        return {}, None, None
    epoch, step = (None if place is None else numbers[place] for place in (plan.epoch, plan.step))
    return {name: numbers[place] for place, name in plan.values}, epoch, step


@pytest.mark.parametrize(
    ("line", "values", "epoch", "step"),
    [
        ("step 100: train loss 3.2, val loss 3.3", {"train loss": 3.2, "val loss": 3.3}, None, 100),
        ("iter 10: loss 3.1, time 95.00ms, mfu 23.36%", {"loss": 3.1}, None, 10),
        ("step:100/4400 val_loss:5.50 train_time:71721ms step_avg:717.21ms", {"val_loss": 5.5}, None, 100),
        (
            "| epoch   1 |   200/ 2983 batches | lr 20.00 | ms/batch 11.6 | loss  5.6 | ppl   270.1",
            {"lr": 20, "loss": 5.6, "ppl": 270.1},
            1,
            200,
        ),
        (
            "| end of epoch   4 | time: 23.14s | valid loss 13.72 | valid ppl 9.5",
            {"valid loss": 13.72, "valid ppl": 9.5},
            4,
            None,
        ),
        (
            "2019-08-27 10:51:08,139 [x.py:209] INFO Epoch: [3][10/739]\tTime 33.0 (33.0)\tLoss 54.7 (60.1)\tEPE 4 (4)",
            {"Loss": 54.7},
            3,
            10,
        ),
        (
            " iteration       34/    1000 | consumed samples:        34816 | learning rate: 1.496E-04"
            " | lm loss: 1.28E+01 | loss scale: 12.0 | grad norm: 7.885 | number of nan iterations:   0 |",
            {"learning rate": 1.496e-4, "lm loss": 12.8, "loss scale": 12, "grad norm": 7.885},
            None,
            34,
        ),
        (
            "I0728 23:56:00.280272  4259 solver.cpp:218] Iteration 100 (4.7 iter/s, 21.2s/100 iters), loss = 0.22",
            {"loss": 0.22},
            None,
            100,
        ),
        ("I0728 23:56:00.2  4259 sgd_solver.cpp:105] Iteration 100, lr = 0.0099", {"lr": 0.0099}, None, 100),
        ("epoch: 0,  loss is: 2.50, acc is: 0.07", {"loss": 2.5, "acc": 0.07}, 0, None),
        (
            "[11/23 19:27:19] ppgan INFO: Iter: 10/1000000 lr: 2.0e-04 loss_pixel: 22012699673655271651.000 batch_cost:"
            " 1.0 sec ips: 15.6 images/s eta: 11 days, 19:28:35",
            {"lr": 2e-4, "loss_pixel": 22012699673655271651.0},
            None,
            10,
        ),
        (
            "{'loss': 1.2, 'grad_norm': nan, 'learning_rate': 5e-05, 'epoch': 0.1}",
            {"loss": 1.2, "learning_rate": 5e-5},
            0.1,
            None,
        ),
        (
            '[2022-04-08 21:09:26,852][valid][INFO] - {"epoch": 9, "valid_loss": "3.792", "valid_num_updates": "478"}',
            {"valid_loss": 3.792},
            9,
            None,
        ),
        ("Epoch 001 loss  22.07 | train 2.5s | Acc 13.52%", {"loss": 22.07, "Acc": 13.52}, 1, None),
        ("[FT] ep=10: loss=1.220 acc=100.0% lr=0.008864", {"loss": 1.22, "acc": 100, "lr": 0.008864}, 10, None),
        (
            "INFO:tensorflow:[  5000] | gnorm  8.33 lr  0.000125 | loss  5.56",
            {"gnorm": 8.33, "lr": 0.000125, "loss": 5.56},
            None,
            5000,
        ),
        ("INFO:tensorflow:Eval  batches[  100]                | loss  5.55", {"val loss": 5.55}, None, None),
        (
            "Test set: Average loss: 5.0191, Acc@1: 8.434%",
            {"test Average loss": 5.0191, "test Acc@1": 8.434},
            None,
            None,
        ),
        ("loss: tensor(0.5309, device='cuda:0', grad_fn=<NllLossBackward>)", {"loss": 0.5309}, None, None),
        ("Step 1 | loss:1.23 lr:2e-05 tokens_per_second_per_gpu:1,234.5 ", {"loss": 1.23, "lr": 2e-5}, None, 1),
        ("Epoch [2/500], Validation Loss: 85,848.25", {"Validation Loss": 85848.25}, 2, None),
        ("s:100 tel:6.32", {"tel": 6.32}, None, None),
        (
            "224s - loss: 3.5508 - acc: 0.2966 - val_loss: 1.4529",
            {"loss": 3.5508, "acc": 0.2966, "val_loss": 1.4529},
            None,
            None,
        ),
    ],
)
def test_a_line_says(line: str, values: dict[str, float], epoch: float | None, step: float | None) -> None:
    found = told(line)
    curves = {name: value for name, value in found[0].items() if math.isfinite(value) and meaning(name)}
    assert values.items() <= curves.items()
    extra = {name for name in curves if name not in values}
    assert not {name for name in extra if (said := meaning(name)) and said.kind in ("loss", "lr")}
    assert found[1:] == (epoch, step)


@pytest.mark.parametrize(
    "line",
    [
        "Namespace(lr=20, epochs=5, loss_weight=0.5, dropout=0.2)",
        "Epoch 00007: reducing learning rate of group 0 to 1.0e-05.",
        "Epoch 00003: val_loss improved from inf to 0.58, saving model to best.h5",
        "Downloading 100%|######| 170498071/170498071 [00:12<00:00, 13:12]",
        "Saved checkpoint in 2.43 seconds",
        "best val loss 0.31",
        "Using 4 GPUs, 16 workers, 300 epochs",
        "Training takes 2.5s per epoch",
    ],
)
def test_a_line_says_nothing(line: str) -> None:
    assert told(line)[0] == {}


def test_keras_bars_count_once_an_epoch(tmp_path: Path) -> None:
    lines = []
    for epoch in range(1, 5):
        lines.append(f"Epoch {epoch}/4\n")
        lines += [
            f"{n}/500 [=====>......] - ETA: {9 - n // 100}s - loss: {9 - epoch}.{n} - acc: 0.5\r"
            for n in (100, 200, 300)
        ]
        lines.append(
            f"500/500 [==============================] - 14s 3ms/step - loss: {1 / epoch:.4f}"
            f" - acc: 0.5 - val_loss: {2 / epoch:.4f}\n"
        )
    run = read(tmp_path, "".join(lines))
    assert run.meta["format"] == "keras-text"
    assert run.curve("loss").values.tolist() == [1.0, 0.5, 0.3333, 0.25]
    assert run.curve("loss").epochs.tolist() == [1, 2, 3, 4]
    assert run.curve("loss", "val").values.tolist() == [2.0, 1.0, 0.6667, 0.5]


def test_a_single_bar_is_a_curve(tmp_path: Path) -> None:
    bars = [
        f"\r\x1b[32m{n * 10}%|{'█' * n}| {n * 50}/500 [00:1{n}<00:10, 5.00it/s, loss={3 - n / 10:.2f}]\x1b[0m"
        for n in range(10)
    ]
    run = read(tmp_path, "".join(bars) + "\n")
    assert train_loss(run).steps.tolist() == [n * 50 for n in range(10)]
    assert train_loss(run).values.tolist() == [round(3 - n / 10, 2) for n in range(10)]


def test_an_evaluation_counts_once_with_its_mean(tmp_path: Path) -> None:
    lines = []
    for epoch in range(3):
        lines += [f"Epoch: [{epoch}][{n}/30]\tTime 0.5 (0.6)\tLoss {epoch}.{n}e+00 (7.0e+00)\n" for n in (0, 10, 20)]
        lines += [f"Test: [{n}/20]\tTime 0.1 (0.2)\tLoss 9.9 ({epoch}.{n}5)\tAcc@1 5.0 (6.0)\n" for n in (0, 10)]
    run = read(tmp_path, "".join(lines))
    assert run.curve("loss", "val").values.tolist() == [0.105, 1.105, 2.105]
    assert run.curve("batch_loss").values.tolist() == [0, 0.1, 0.2, 1, 1.1, 1.2, 2, 2.1, 2.2]
    assert (np.diff(run.curve("batch_loss").steps) >= 0).all()


def test_nan_and_infinity_are_values_and_none_is_absent(tmp_path: Path) -> None:
    spelled = ["0.5", "nan", "NaN", "-inf", "Infinity", "None", "0.25"]
    run = read(tmp_path, "".join(f"epoch {n} | train loss {word} | val loss 1.0\n" for n, word in enumerate(spelled)))
    values = run.curve("loss").values
    assert np.array_equal(values, [0.5, math.nan, math.nan, -math.inf, math.inf, 0.25], equal_nan=True)
    assert run.curve("loss").epochs.tolist() == [0, 1, 2, 3, 4, 6]


def test_lines_printed_twice_count_once(tmp_path: Path) -> None:
    lines = [
        f"INFO:tensorflow:[{n}] | loss {1 / n:.3f}\nI1212 15:10:2{n}.44 128 x.py:298] [{n}] | loss {1 / n:.3f}\n"
        for n in range(1, 6)
    ]
    assert len(train_loss(read(tmp_path, "".join(lines)))) == 5


def test_the_last_value_of_all_is_no_point_of_the_curve(tmp_path: Path) -> None:
    lines = [f"{{'loss': {30 - n}.5, 'learning_rate': 0.1, 'epoch': {n}.0}}\n" for n in range(30)]
    run = read(tmp_path, "".join(lines) + "{'train_runtime': 13.5, 'train_loss': 0.09, 'epoch': 29.0}\n")
    assert run.curve("loss").values.tolist() == [30.5 - n for n in range(30)]
    assert "summary" in str(run.meta["inferred"])


def test_a_second_start_is_a_second_run_and_a_resume_is_not(tmp_path: Path) -> None:
    lines = [f"Epoch {n}: train loss {1 / (n + 1):.3f}, val loss 0.5\n" for n in range(6)]
    path = tmp_path / "train.log"
    path.write_text("".join([*lines, *lines]))
    assert len(read_runs(path)) == 2
    path.write_text("".join([*lines[:5], *lines[3:]]))
    [run] = read_runs(path)
    assert run.curve("loss").epochs.tolist() == [0, 1, 2, 3, 4, 5]
    assert [one.kind for one in run.events] == ["overlap"]


def test_code_and_configuration_before_the_log_do_not_count(tmp_path: Path) -> None:
    head = "import torch\nloss = 0.0\nlr = 0.1\nepochs = 300\nfor step in range(1000):\n    loss += 1.5\n" * 20
    run = read(tmp_path, head + "".join(f"step {n}: loss {1 / n:.3f}\n" for n in range(1, 40)))
    assert train_loss(run).steps.tolist() == list(range(1, 40))


def test_a_line_cut_by_a_crash_is_left_out(tmp_path: Path) -> None:
    run = read(tmp_path, "".join(f"epoch {n} train loss 0.{n}55\n" for n in range(1, 9)) + "epoch 9 train loss 0.9")
    assert run.curve("loss").epochs.tolist() == list(range(1, 9))
    assert [one.kind for one in run.events] == ["truncated"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marked_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "train.log"
    path.write_text("".join(f"epoch {n} loss {1 / n:.3f}\r\n" for n in range(1, 9)), encoding=encoding)
    assert len(train_loss(read_run(path))) == 8


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Notes on the training.\nThe loss was 0.5 in the end, which is better than 0.7.\n",
        "import torch\nlr = 0.1\nfor epoch in range(10):\n    loss = 0.0\n",
        "2024-01-01 10:00:00 INFO server started on port 8080\n" * 50,
    ],
)
def test_text_that_is_no_training_log_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(DlcheckError, match="no training log") as caught:
        text_log.read_text(path, OPTIONS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ['{"step": 1, "loss": 0.5}\n' * 9, '[{"step": 1, "loss": 0.5},\n' * 9, "[1.0, 2.0]\n" * 9]
)
def test_json_is_left_to_its_own_readers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.txt"
    path.write_text(text)
    assert not text_log.matches(path)


def test_a_log_with_a_long_beginning_is_known_by_its_end(tmp_path: Path) -> None:
    beginning = "".join(
        f"  (layer{n}): Conv2d(1, 512, kernel_size=(10,), stride=(5,), bias=False)\n" for n in range(2000)
    )
    run = read(tmp_path, beginning + "".join(f"step {n}: loss {1 / n:.3f}\n" for n in range(1, 40)))
    assert len(train_loss(run)) == 39


def test_blocks_end_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    lines = [f"é{n} " + "x" * (n % 90) for n in range(40_000)]
    path.write_bytes("\r\n".join(lines).encode())
    assert path.stat().st_size > BLOCK_BYTES
    *blocks, (last, rest) = line_blocks(path)
    assert [line for block, _ in blocks for line in block] + last + [rest] == lines


def test_very_long_logs_keep_their_extremes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_thin, "MOST_ROWS", 2000)
    monkeypatch.setattr(text_thin, "_BUCKETS", 100)
    values = [f"{2 + n % 7 / 10:.1f}" for n in range(5000)]
    values[1234], values[3456], values[4000] = "999.0", "nan", "0.001"
    run = read(tmp_path, "".join(f"step {n}: loss {word}\n" for n, word in enumerate(values)))
    curve = train_loss(run)
    assert len(curve) < 1000
    assert {1234, 3456, 4000} <= set(curve.steps.tolist())
    assert np.nanmax(curve.values) == 999
    assert np.isnan(curve.values[curve.steps == 3456]).all()


@pytest.mark.parametrize(
    ("log", "split", "first", "last", "points"),
    [
        ("st03", "val", math.nan, math.nan, 5),
        ("st04", "train", 12.28, 6.85, 140),
        ("st06", "val", 5.825e10, 0.0122, 84),
        ("st11", "val", 10.83, 3.499, 45),
        ("st13", "val", 5.55, 5.55, 80),
        ("st18", "train", 5.872, 0.992, 80),
        ("st20", "val", 132.5, 230.7, 27),
        ("ks04", "val", 0.1108, 0.028, 43),
        ("mg01", "train", 12.44, 20.44, 62),
        ("mg02", "train", 12.44, 7.747, 49),
        ("mg03", "train", 12.03, 7.366, 19),
        ("pa01", "train", 2.505, 0.2587, 17),
        ("hs01", "train", 3.566, 0.0023, 1190),
        ("fq01", "train", 9.276, 3.922, 23),
        ("fq01", "val", 6.389, 3.792, 10),
    ],
)
def test_real_logs(shared_data: Path, log: str, split: str, first: float, last: float, points: int) -> None:
    path = next(file for file in (shared_data / "logs").glob(f"*/*/{log}/**/*") if file.is_file())
    assert text_log.matches(path)
    [run] = text_log.read_text(path, OPTIONS)
    curve = train_loss(run) if split == "train" else run.curve("loss", split)
    assert len(curve) == points
    assert np.allclose(curve.values[[0, -1]], [first, last], rtol=5e-4, equal_nan=True)


def test_real_files_that_are_no_logs_are_refused(shared_data: Path) -> None:
    files = [file for file in (shared_data / "logs" / "not_training_log").rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if text_log.matches(file)]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Train on 60000 samples, validate on 10000 samples", "keras-text"),
        ("469/469 [==============================] - 3s 6ms/step - loss: 0.2", "keras-text"),
        ("469/469 ━━━━━━━━━━━━━━━━━━━━ 3s 6ms/step - loss: 0.2", "keras-text"),
        ("I0728 23:56:00.280272  4259 solver.cpp:218] Iteration 100, loss = 0.22", "caffe-text"),
        ('[2022-04-08 21:09:26,852][valid][INFO] - {"epoch": 9}', None),
        ("[2022-04-08 18:40:57,965][fairseq_cli.train][INFO] - {'_name': None}", "fairseq-text"),
        (" iteration       34/    1000 | consumed samples:        34816 | lm loss: 1.28E+01 |", "megatron-text"),
        ("[11/23 19:27:19] ppgan.engine.trainer INFO: Iter: 10/100 lr: 2e-04", "paddle-text"),
        ("{'loss': 1.2, 'grad_norm': nan, 'learning_rate': 5e-05, 'epoch': 0.1}", "hugging-face-text"),
        ("step 250: train loss 1.9, val loss 2.0", "nanogpt-text"),
        ("iter 10: loss 3.1, time 95.00ms, mfu 23.36%", "nanogpt-text"),
        ("step 250: train loss 1.9, val loss 2.0, accuracy 0.5", None),
        ("Epoch 3/10: loss 0.5", None),
        ("from paddle import nn, keras, caffe  # loss", None),
    ],
)
def test_a_line_tells_who_wrote_it(line: str, name: str | None) -> None:
    assert text_format(f"Starting.\n{line}\nDone.\n") == name


def test_the_format_of_other_text_is_text(tmp_path: Path) -> None:
    assert read(tmp_path, "".join(f"step {n} loss 0.{n}5\n" for n in range(1, 9))).meta["format"] == "text"


@pytest.mark.parametrize(
    "text", ["{'loss': 1, " * 5500, "1/2 " + "━ " * 30_000, "iteration 1/ 1 | " * 3900, "[a][" * 16_000]
)
def test_who_wrote_it_is_told_in_proportionate_time(text: str) -> None:
    begin = time.process_time()
    assert text_format(text) is None
    assert time.process_time() - begin < 5  # an expression that backtracks takes minutes here
