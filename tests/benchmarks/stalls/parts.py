"""Pieces of the scripts: data sets, models, and the ways in which time passes."""

from __future__ import annotations

from tests.benchmarks.stalls.case import Build

BURN = '''def burn(seconds):
    """Keep this thread's core busy for so long."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass'''
FILES = '''def read(path):
    """Read a file from a slow share."""
    parts = []
    with path.open("rb", buffering=0) as file:
        while part := file.read(1024):
            time.sleep(PAUSE)
            parts.append(part)
    return b"".join(parts)'''
BLOCKS = 4
"""Of 1,024 bytes in each file of the slow store."""
CHAIN = '''class Chain:
    """Apply one after another."""

    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, row):
        for transform in self.transforms:
            row = transform(row)
        return row'''
ACCELERATOR = '''class Passing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, seconds):
        ctx.seconds = seconds
        {passing}(seconds / 3)
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        {passing}(ctx.seconds * 2 / 3)
        return gradient, None


class Accelerator(nn.Module):
    """Stands for a device that takes so long."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def forward(self, x):
        return Passing.apply(x, self.seconds)'''
OPTIMIZER = '''class Careful(torch.optim.{kind}):
    """Looks at every weight before it moves any."""

    def step(self, closure=None):
        {passing}
        return super().step(closure)'''


def passing(way: str) -> str:
    """Return the function that lets time pass in this way."""
    return "burn" if way == "burn" else "time.sleep"


def shape(build: Build) -> tuple[int, ...]:
    """Return the shape of a sample."""
    if build.stall is not None and build.stall.place == "pageable":
        return (3, 256, 256)
    real = build.compute == "real"
    shapes: dict[str, tuple[int, ...]] = {
        "mlp": (build.width,),
        "cnn": (3, 32, 32) if real or build.workers > 4 or build.batch > 32 else (3, 16, 16),
        "lstm": (32, 16) if real else (8, 16),
    }
    return shapes[build.model]


def model_lines(build: Build) -> str:
    """Return the layers, one a line."""
    device = [f"Accelerator({build.compute_ms / 1000:.6f})"] if build.compute != "real" else []
    channels = build.width if build.compute == "real" else 8
    stride = 1 if build.compute == "real" else 4
    many = build.stall.count if build.stall is not None and build.stall.place == "kernels" else 0
    layers = {
        "mlp": ["nn.Flatten()", f"nn.Linear({build.width}, {build.width})", "nn.ReLU()"]
        + [f"nn.Linear({build.width}, {build.width})", "nn.ReLU()"] * (4 if build.compute == "real" else 0),
        "cnn": [
            f"nn.Conv2d(3, {channels}, 3, padding=1, stride={stride})",
            "nn.ReLU()",
            "nn.AdaptiveAvgPool2d(4)",
            "nn.Flatten()",
        ],
        "lstm": [f"nn.LSTM(16, {build.width}, batch_first=True)", "Last()"],
    }[build.model]
    last = {"mlp": build.width, "cnn": channels * 16, "lstm": build.width}[build.model]
    small = [f"nn.Linear({last}, {last}, bias=False)"] * many
    return "\n".join(f"        {layer}," for layer in [*layers, *device, *small, f"nn.Linear({last}, CLASSES)"])


LAST = '''class Last(nn.Module):
    """Keep the last moment of a sequence."""

    def forward(self, pair):
        return pair[0][:, -1]'''


def data_set(build: Build) -> str:
    """Return the class of the data set, with what a model needs besides."""
    last = LAST + "\n\n\n" if build.model == "lstm" else ""
    if build.data == "tensors":
        return last.strip("\n")
    kind = "IterableDataset" if build.data == "stream" else "Dataset"
    lines = [f"class Measurements({kind}):", *_init(build), "", *_LENGTHS[build.data], "", *_sample(build)]
    lines += {"batched": _BATCHED, "stream": _STREAM}.get(build.data, [])
    constant = f"PAUSE = {build.stall.ms / 1000 / BLOCKS:.6f}\n\n\n" if _is(build, "file") and build.stall else ""
    return last + constant + "\n".join(lines)


_BATCHED = ["", "    def __getitems__(self, indices):", "        return [self[index] for index in indices]"]
_STREAM = [
    "",
    "    def __iter__(self):",
    "        worker = get_worker_info()",
    "        first, step = (worker.id, worker.num_workers) if worker else (0, 1)",
    "        for index in range(first, self.samples, step):",
    "            yield self.sample(index)",
]
_LENGTH = ["    def __len__(self):", "        return self.samples"]
_LENGTHS = {"map": _LENGTH, "batched": _LENGTH, "stream": _LENGTH}


def _is(build: Build, place: str) -> bool:
    return build.stall is not None and build.stall.place == place


def _init(build: Build) -> list[str]:
    arguments = "self, samples" + (", folder" if _is(build, "file") else "")
    arguments += ", transform=None" if _is(build, "transform") else ""
    lines = [f"    def __init__({arguments}):", "        self.samples = samples"]
    lines += ["        generator = torch.Generator().manual_seed(0)"]
    lines += ["        self.rows = torch.randn(256, *SHAPE, generator=generator)"]
    lines += ["        self.labels = torch.randint(0, CLASSES, (256,), generator=generator)"]
    if _is(build, "transform"):
        lines += ["        self.transform = transform"]
    if _is(build, "file"):
        lines += [
            "        folder.mkdir(exist_ok=True)",
            "        self.files = [folder / f'{n}.bin' for n in range(64)]",
        ]
        lines += ["        for file in self.files:", f"            file.write_bytes(bytes({BLOCKS * 1024}))"]
    return lines


def _sample(build: Build) -> list[str]:
    """Return the method that makes a sample."""
    stall, name = build.stall, "sample" if build.data == "stream" else "__getitem__"
    lines = [f"    def {name}(self, index):"]
    if build.item_ms:
        seconds = f"{build.item_ms / 1000:.6f}"
        if build.jitter:
            seconds += f" * (1 + {build.jitter} * (index % 9 - 4) / 4)"
        lines += [f"        {passing(build.item_way)}({seconds})"]
    if stall is not None and stall.place == "item":
        lines += [f"        {passing(stall.way)}({stall.ms / 1000:.6f})"]
    if stall is not None and stall.place == "rare":
        lines += [
            f"        if index % {stall.every} == 17:",
            f"            {passing(stall.way)}({stall.ms / 1000:.6f})",
        ]
    lines += ["        row = self.rows[index % 256]"]
    if _is(build, "file"):
        lines += ["        row = row + len(read(self.files[index % 64])) * 1e-9"]
    if _is(build, "transform"):
        lines += ["        row = self.transform(row)"]
    return [*lines, "        return row, self.labels[index % 256]"]
