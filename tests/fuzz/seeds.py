"""Small valid logs of every format, made by the builders of the other tests."""

import dataclasses
import struct
import tempfile
import types
import typing
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from dlcheck.runs import Event, RunFolder, facts
from dlcheck.runs.facts import Fact, Site
from dlcheck.runs.ranks import CRASH, FILE, FOLDER, Word, encoded
from dlcheck.runs.strict_json import dumps
from tests.fuzz.pack import Files, packed
from tests.runs.protobuf import block, varint
from tests.runs.test_reader_conformance import LOGS
from tests.runs.test_reader_tables import HEADERS
from tests.runs.test_reader_tensorboard import event, frame, simple
from tests.runs.test_reader_tracking import history, rows, wandb_bytes

TEXTS = (
    "step 100: train loss 3.2, val loss 3.3\nstep 200: train loss 3.0, val loss 3.1\n"
    "step 300: train loss nan, val loss inf\n",
    "| epoch   1 |   200/ 2983 batches | lr 20.00 | ms/batch 11.6 | loss  5.6 | ppl   270.1\n" * 2
    + "| end of epoch   1 | time: 23.14s | valid loss 13.72 | valid ppl 9.5\n" * 2,
    "Epoch 1/3\r\n10/10 [====] - 1s 9ms/step - loss: 0.5\x08\x08 - loss: 0.4000 - val_loss: 0.6\r\n"
    "Epoch 2/3\r\n10/10 [====] - 1s 9ms/step - loss: 0.3000 - val_loss: 0.5\r\n",
    "{'loss': 2.5, 'learning_rate': 5e-05, 'epoch': 0.1}\n{'loss': 2.4, 'epoch': 0.2}\n"
    "{'eval_loss': 2.3, 'epoch': 0.2}\n",
    "I0801 10:51:08.139 1 solver.cpp:218] Iteration 100, loss = 2.3\n"
    "I0801 10:51:09 1 sgd.cpp:1] Iteration 100, lr = 0.01\n"
    "I0801 10:52:08.139 1 solver.cpp:218] Iteration 200, loss = 2.1\n",
    " iteration       34/    1000 | consumed samples:        34816 | learning rate: 1.496E-04"
    " | lm loss: 1.28E+01 | loss scale: 12.0 | grad norm: 7.885 | number of nan iterations:   0 |\n" * 3,
    "epoch 1 | loss 1.0 | acc 10% |\nepoch 2 | loss 0.5 | acc 1,000.5 |\nTraceback (most recent call last):\n"
    '  File "a.py"\n',
    "Epoch: [3][10/739]\tTime 33.0 (33.0)\tLoss 54.7 (60.1)\n" * 3
    + "Test set: Average loss: 5.0191, Accuracy: 9/10 (90%)\n",
)
OTHERS = (
    "timestamp\tstep\tval_loss\n1650000000000\t0\t1.0\n1650000002000\t1\t0.5\n",
    '{"train": {"loss": [1.0, 0.5]}, "val": {"loss": [1.0, null]}, "epochs": 2}',
    "[[0, 1.0], [1, 0.5], [2, NaN]]",
    '{"epoch": 1, "train_loss": 1.0, "n_parameters": 5, "test_acc1": 50.0}\n' * 3,
    '{"mode": "train", "epoch": 1, "iter": 10, "loss": 1.0, "lr": 0.1}\n'
    '{"mode": "val", "epoch": 1, "iter": 5, "mAP": 1}\n',
    "Step,one - loss,one - loss__MIN\n0,1.0,1.0\n1,0.9,0.9\n2,0.8,0.8\n",
    "epoch;loss;val_loss\n0;1,5;1,0\n1;0,5;0,7\n2;0,4;0,6\n",
)
TENSOR = b"\x08\x02\x12\x00\x22\x08" + struct.pack("<d", 0.1)


@cache
def files() -> list[bytes]:
    """Return logs that are one file each."""
    plain = [*LOGS, *HEADERS.values(), *TEXTS, *OTHERS]
    return [
        *(text.encode() for text in plain),
        LOGS[0].encode("utf-16"),
        event_file(event_payloads()[0].split(b"\xff\xfe|")),
        wandb_bytes([*rows(3), history({"_step": "3", "a": "NaN"}, nested=True)]),
    ]


def event_file(payloads: Sequence[bytes]) -> bytes:
    """Return an event file of TensorBoard with these events."""
    version = frame(b"\x09" + struct.pack("<d", 1.7e9) + block(3, b"brain.Event:2"))
    return version + b"".join(frame(one) for one in payloads)


def event_payloads() -> list[bytes]:
    """Return the events of a file, as the target beneath the sums takes them."""
    told = [event(step, simple("loss", 1 / (step + 1)), 1.7e9 + step) for step in (0, 1, 128)]
    told += [event(step, block(1, block(1, b"train/acc") + block(8, TENSOR))) for step in (0, 1)]
    halves = event(3, simple("a", 1.0) + simple("epoch", 2.0)) + b"\x10" + varint(7)
    return [b"\xff\xfe|".join(told), b"\xff\xfe|".join([*told[:2], halves])]


def wandb_payloads() -> list[bytes]:
    """Return the records of a .wandb file, as the target beneath the sums takes them."""
    nested = history({"a/b": "1.5", "_runtime": "2"}, nested=True)
    return [b"\xff\xfe|".join(rows(3)), b"\xff\xfe|".join([*rows(1), nested, block(2, block(2, b"\x08\x05"))])]


@cache
def folders() -> list[bytes]:
    """Return logs that are a folder each."""
    curve = "".join(f"{1_700_000_000_000 + 1000 * step} {1 / (step + 1)} {step}\n" for step in range(4)).encode()
    meta = b"artifact_uri: ''\nrun_name: brave-owl\nstatus: 4\n"
    tsv = b"step\tloss\n0\t2.0\n1\tnan\n2\t\n3\tinf\n"
    epochs: Files = [
        (f"metrics_epoch_{n}.json", b'{"epoch": 1, "training_loss": 0.5, "best": null}') for n in (0, 1, 10)
    ]
    first, second = (event_file(one.split(b"\xff\xfe|")) for one in event_payloads())
    return [
        packed(run_folder()),
        packed([("meta.yaml", meta), ("metrics/loss", curve), ("metrics/val/loss", curve + b"9 nan")]),
        packed([("plots/metrics/train/loss.tsv", tsv), ("plots/metrics/val/loss.tsv", tsv), ("metrics.json", b"{}")]),
        packed([("val_loss.tsv", OTHERS[0].encode()), ("loss.tsv", tsv)]),
        packed(epochs),
        packed(
            [("events.out.tfevents.1.a", first), ("events.out.tfevents.2.a", second), ("loss_a/x.tfevents.3", first)]
        ),
        packed([("train/a.tfevents.1", first), ("validation/a.tfevents.1", second)]),
        packed([("run-1.wandb", wandb_bytes(rows(4))), ("files/config.yaml", b"lr: 0.1\n")]),
        packed(
            [("files/wandb-summary.json", b"{}"), ("files/wandb-history.jsonl", b'{"_step": 0, "loss": 1.0}\n' * 3)]
        ),
        packed([("files/wandb-metadata.json", b"{}"), ("files/output.log", TEXTS[0].encode())]),
    ]


@cache
def run_folder() -> Files:
    """Return the files of a run folder of dlcheck's own, and two ranks."""
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder.create(Path(name) / "run")
        folder.recipe.write_text('[data]\nname = "digits"\n[rules]\nignore = ["R701"]\n')
        folder.metrics.write_text(
            "epoch,step,wall_s,lr,train_loss,val_loss,val_accuracy\n"
            + "".join(f"{n},{10 * n},{n}.5,0.1,{1 / n},{2 / n},0.{n}\n" for n in range(1, 9))
        )
        folder.steps.write_text("step,epoch,loss,lr,grad_norm\n" + "".join(f"{n},1,2.{n},0.2,1.5\n" for n in range(9)))
        folder.layers.write_text(
            "step,layer,statistic,value\n"
            + "".join(f"{n},fc,grad_norm,0.5\n{n},fc,dead_fraction,nan\n" for n in range(5))
        )
        folder.signals.write_text("step,epoch,split,metric,value\n1,1,train,gradient_noise,0.5\n2,,val,loss,nan\n")
        folder.phases.write_text("step,phase,seconds\n1,forward,0.5\n1,data,0.1\n")
        folder.add_event(Event("nonfinite", step=11, detail={"value": float("inf")}))
        folder.add_facts({"trivial_loss": 2.3, "initial_loss": float("nan")})
        word = encoded(Word(0, 2, "a", 1, beat=3, wall=1.7e9, step=5, block=1, own_s=(0.1, 0.2), period_s=(0.2, 0.3)))
        ranks: Files = [(f"{FOLDER}/{n}/{FILE}", word.replace('"rank": 0', f'"rank": {n}').encode()) for n in (0, 1)]
        names = ("environment", "recipe", "metrics", "steps", "layers", "signals", "phases", "events", "facts")
        paths = [getattr(folder, name) for name in names]
        crash = (
            f"{FOLDER}/1/{CRASH}",
            b'Fatal Python error: Aborted\n\nThread 0x1:\n  File "train.py", line 3 in step\n',
        )
        return [*((path.name, path.read_bytes()) for path in paths), *ranks, crash]


def fact_kinds() -> list[type[Fact]]:
    """Return every kind of fact with parts."""
    named = (getattr(facts, name) for name in facts.__all__)
    return [kind for kind in named if isinstance(kind, type) and issubclass(kind, Fact) and kind is not Fact]


def example(annotation: Any) -> Any:
    """Return a value of a type, the plainest of each."""
    plain = {bool: True, int: 3, float: 0.5, str: "fc", types.NoneType: None, Site: Site("train.py", 3)}
    if annotation in plain:
        return plain[annotation]
    if dataclasses.is_dataclass(annotation):
        hints = typing.get_type_hints(annotation)
        return annotation(**{one.name: example(hints[one.name]) for one in dataclasses.fields(annotation)})  # type: ignore[operator]
    parts = typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple:
        return tuple(example(part) for part in parts if part is not Ellipsis)
    return example(parts[0])


def singles() -> list[bytes]:
    """Return each fact in a small run folder of its own, which a change of one byte hits sooner."""
    marker = next(content for name, content in run_folder() if name == "environment.json")
    kept = [("environment.json", marker)]
    return [packed([*kept, ("facts.json", dumps(example(kind).as_dict()).encode())]) for kind in fact_kinds()]
