"""Writes a case as a plain PyTorch training script, as people write them; and in the dress that a peer asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from tests.benchmarks.stalls.case import Build, Stall
from tests.benchmarks.stalls.parts import (
    ACCELERATOR,
    BURN,
    CHAIN,
    FILES,
    OPTIMIZER,
    data_set,
    model_lines,
    passing,
    shape,
)

Dress = Literal["plain", "traceml", "loadtune"]
"""``traceml``: with the two lines that TraceML wants in a loop; ``loadtune``: as a workload file of loadtune's."""
WARM = 5
"""Steps before the script's own clock starts."""
STEPS = 4000
"""Of the script by default: more than anybody measures."""


def script(build: Build, dress: Dress = "plain") -> str:
    """Return the script; it takes ``--steps`` and tells its milliseconds a step at the end.

    The dresses of peers have all steps in a function, whatever the layout, as the peers want it.
    """
    body = {"plain": _PLAIN[build.layout], "traceml": _function, "loadtune": _workload}[dress]
    parts = [_head(build, dress), *_definitions(build), *body(build, dress)]
    return "\n\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _head(build: Build, dress: Dress) -> str:
    lines = ['"""Train a small network on made-up measurements."""', "", "import argparse", "import time"]
    if _place(build) == "file":
        lines += ["from pathlib import Path"]
    lines += ["", "import torch", "from torch import nn", f"from torch.utils.data import {_data_names(build)}"]
    if _place(build) == "transform" and build.chain != "own":
        lines += ["from torchvision.transforms import " + ("Compose" if build.chain == "v1" else "v2")]
    if dress == "traceml":
        lines += ["import traceml_ai as traceml"]
    if dress == "loadtune":
        lines += ["import loadtune"]
    return "\n".join([*lines, "", f"SHAPE = {shape(build)}", "CLASSES = 10", f"BATCH = {build.batch}"])


def _data_names(build: Build) -> str:
    kind = {"tensors": "TensorDataset", "stream": "IterableDataset, get_worker_info"}.get(build.data, "Dataset")
    return f"DataLoader, {kind}"


def _definitions(build: Build) -> Iterator[str]:
    yield BURN if _burns(build) else ""
    yield FILES if _place(build) == "file" else ""
    yield from _transforms(build)
    yield data_set(build)
    yield from _loader_functions(build)
    yield ACCELERATOR.format(passing=passing(build.compute)) if build.compute != "real" else ""
    yield OPTIMIZER.format(kind=build.optimizer, passing=_passing(build)) if _place(build) == "optimizer" else ""
    yield _gap(build)
    yield _parts(build)


def _transforms(build: Build) -> Iterator[str]:
    stall = build.stall
    if stall is None or stall.place != "transform":
        return
    yield (
        f"class {stall.name}:\n"
        '    """One of three changes to a sample."""\n\n'
        "    def __call__(self, row):\n"
        f"        {_passing(build)}\n"
        "        return row"
    )
    yield "class Scale:\n    def __call__(self, row):\n        return row * 0.5"
    yield "class Shift:\n    def __call__(self, row):\n        return row + 0.1"
    if build.chain == "own":
        yield CHAIN


def _loader_functions(build: Build) -> Iterator[str]:
    place = _place(build)
    if place == "collate":
        yield (
            "def gather(samples):\n"
            f"    {_passing(build)}\n"
            "    rows, labels = zip(*samples)\n"
            "    return torch.stack(rows), torch.as_tensor(labels)"
        )
    if place == "start" and build.stall is not None and build.stall.ms > 0:
        yield f'def open_store(worker):\n    """Connect a worker to the store."""\n    {_passing(build)}'


GAPS = {"before": "prepare", "between": "measure", "after": "report"}
"""Function that the loop calls, by place."""


def _gap(build: Build) -> str:
    name = GAPS.get(_place(build), "")
    return f"def {name}(value):\n    {_passing(build)}\n    return value" if name else ""


def _parts(build: Build) -> str:
    """Return the functions that make data, loader and model."""
    transform = ""
    if _place(build) == "transform" and build.stall is not None:
        made = {"own": "Chain", "v1": "Compose", "v2": "v2.Compose"}[build.chain]
        transform = f", transform={made}([Scale(), {build.stall.name}(), Shift()])"
    folder = ", folder=Path(__file__).parent / 'store'" if _place(build) == "file" else ""
    samples = build.batch * build.epoch
    data = (
        f"TensorDataset(torch.randn({min(samples, 4096)}, *SHAPE), torch.randint(0, CLASSES, ({min(samples, 4096)},)))"
    )
    if build.data != "tensors":
        data = f"Measurements({samples}{transform}{folder})"
    device = "" if build.device == "cpu" else f".to({build.device!r})"
    return "\n".join(
        [
            f"def make_data():\n    return {data}\n\n",
            f"def make_loader():\n    return DataLoader(make_data(), {', '.join(loader_arguments(build))})\n\n",
            f"def make_model():\n    return nn.Sequential(\n{model_lines(build)}\n    ){device}\n\n",
            f"def make_optimizer(model):\n    return {_optimizer(build)}(model.parameters(), lr=0.001)",
        ]
    )


def loader_arguments(build: Build) -> list[str]:
    """Return the arguments of the loader, as source text."""
    found = ["batch_size=BATCH"]
    if build.data != "stream":
        found.append("shuffle=True")
    if _place(build) == "collate":
        found.append("collate_fn=gather")
    if build.workers:
        found.append(f"num_workers={build.workers}")
        found += [f"prefetch_factor={build.prefetch}"] if build.prefetch else []
        found += ["persistent_workers=True"] if build.persistent else []
        found += [] if build.in_order else ["in_order=False"]
        found += [f"multiprocessing_context={build.start!r}"] if build.start else []
        if _place(build) == "start" and build.stall is not None and build.stall.ms > 0:
            found.append("worker_init_fn=open_store")
    return found


def _optimizer(build: Build) -> str:
    return "Careful" if _place(build) == "optimizer" else f"torch.optim.{build.optimizer}"


def _step(build: Build) -> list[str]:
    """Return the lines of a step, from the batch to its end."""
    place, counted = _place(build), build.accumulate
    lines = ["optimizer.zero_grad()"] if counted == 1 else []
    if build.device != "cpu":
        lines += [f"x, y = x.to({build.device!r}), y.to({build.device!r})"]
    lines += ["x = prepare(x)"] if place == "before" else []
    lines += ["output = model(x)", "loss = criterion(output, y)"]
    lines += ["total += sum(part.item() for part in output.flatten()[:20])"] if place == "read" else []
    lines += ["torch.cuda.synchronize()", "time.sleep(0.005)"] if place == "synchronize" else []
    lines += ["measure(output)"] if place == "between" else []
    lines += ["loss.backward()"]
    if counted == 1:
        lines += ["optimizer.step()"]
    else:
        lines += [f"if step % {counted} == {counted - 1}:", "    optimizer.step()", "    optimizer.zero_grad()"]
    lines += ["report(loss)"] if place == "after" else []
    return lines


def _tail(build: Build) -> list[str]:
    """Return what a step ends with: its count, a line of the log now and then, and the script's own clock."""
    log = [f"if step % 10 == 0:\n    time.sleep({build.log_ms / 1000})"] if build.log_ms else []
    return ["step += 1", *log, f"if step == {WARM}:\n    started = time.perf_counter()", "if step >= steps:\n    break"]


def _loop(build: Build, dress: Dress) -> str:
    """Return the loop over epochs and batches, at the left margin; ``steps`` holds how many to make."""
    body = "\n".join(_step(build))
    if dress == "traceml":
        body = f"with traceml.trace_step(model):\n{indented(body)}"
    inner = body + "\n" + "\n".join(_tail(build))
    evaluate = [indented(_EVALUATE)] if build.evaluate else []
    start = ["step, started, total = 0, 0.0, 0.0", "while step < steps:"]
    return "\n".join([*start, "    for x, y in loader:", indented(inner, 8), *evaluate, _CLOSE])


_EVALUATE = """model.eval()
with torch.no_grad():
    for index, (x, y) in enumerate(loader_of_validation):
        criterion(model(x), y)
        if index == 1:
            break
model.train()"""
_CLOSE = (
    f"""print(f"{{step - {WARM}}} steps, {{1000 * (time.perf_counter() - started) / (step - {WARM}):.4f}} ms each")"""
)
_PARSE = f"""parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default={STEPS})
steps = parser.parse_args().steps"""
_VALIDATION = "loader_of_validation = DataLoader(make_data(), batch_size=BATCH)"


def _setup(build: Build) -> str:
    stall = build.stall
    threads = [f"torch.set_num_threads({stall.count})"] if stall is not None and stall.place == "threads" else []
    lines = [*threads, "torch.manual_seed(0)", "loader = make_loader()", "model = make_model()"]
    lines += [_VALIDATION] if build.evaluate else []
    return "\n".join([*lines, "optimizer = make_optimizer(model)", "criterion = nn.CrossEntropyLoss()"])


def _function(build: Build, dress: Dress) -> list[str]:
    init = ['traceml.init(mode="auto")'] if dress == "traceml" else []
    inner = "\n".join([_PARSE, *init, _setup(build), _loop(build, dress)])
    return [f"def main():\n{indented(inner)}", 'if __name__ == "__main__":\n    main()']


def _top(build: Build, dress: Dress) -> list[str]:
    return ["\n".join([_PARSE, _setup(build), _loop(build, dress)])]


def _trainer(build: Build, dress: Dress) -> list[str]:
    setup = _setup(build).splitlines()
    names = [line.split(" = ")[0] for line in setup if " = " in line]
    init = "\n".join([*setup, *(f"self.{name} = {name}" for name in names)])
    local = [f"{name} = self.{name}" for name in names]
    fit = "\n".join([*local, _loop(build, dress)])
    trainer = (
        "class Trainer:\n    def __init__(self):\n"
        + indented(init, 8)
        + "\n\n    def fit(self, steps):\n"
        + indented(fit, 8)
    )
    guard = f'if __name__ == "__main__":\n{indented(_PARSE)}\n    Trainer().fit(steps)'
    return [trainer, guard]


def _workload(build: Build, dress: Dress) -> list[str]:
    """Return the functions that loadtune asks for; it makes the loader itself."""
    step = "\n".join(["x, y = batch", "total = 0.0", *_step(replace(build, accumulate=1)), "return loss"])
    collate = "gather" if _place(build) == "collate" else "None"
    stall = build.stall
    threads = f"torch.set_num_threads({stall.count})\n" if stall is not None and stall.place == "threads" else ""
    return [
        "criterion = nn.CrossEntropyLoss()",
        f"def train_step(model, optimizer, batch, device):\n{indented(step)}",
        "def get_workload():\n"
        + indented(
            f"{threads}return loadtune.Workload(\n"
            f'    name="measurements", make_dataset=make_data, make_model=make_model, train_step=train_step,\n'
            f"    make_optimizer=make_optimizer, default_batch_size=BATCH, collate_fn={collate},\n)"
        ),
    ]


_PLAIN = {"function": _function, "top": _top, "trainer": _trainer}


def indented(text: str, spaces: int = 4) -> str:
    """Return the text with every line that is not empty moved to the right."""
    return "\n".join(" " * spaces + line if line.strip() else line for line in text.splitlines())


def _place(build: Build) -> str:
    return build.stall.place if build.stall is not None else ""


def _passing(build: Build) -> str:
    stall = build.stall or Stall("")
    return f"{passing(stall.way)}({stall.ms / 1000:.6f})"


def _burns(build: Build) -> bool:
    ways: Sequence[str] = (
        build.compute,
        build.stall.way if build.stall else "",
        build.item_way if build.item_ms else "",
    )
    return "burn" in ways
