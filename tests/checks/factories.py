"""Small networks with a factory each: healthy ones, and ones with a planted fault."""

import textwrap
from pathlib import Path

HEAD = """
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def blobs(count=600, features=12, classes=4, seed=0):
    draw = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, features, generator=draw) * 1.5
    labels = torch.randint(classes, (count,), generator=draw)
    return centres[labels] + torch.randn(count, features, generator=draw), labels


def mlp(depth=2, width=32, act=nn.ReLU, features=12, outputs=4):
    sizes = [features, *[width] * depth]
    layers = [part for a, b in zip(sizes, sizes[1:]) for part in (nn.Linear(a, b), act())]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def parts(model, loss=None, *, data=None, batch=32, lr=1e-3, **more):
    x, y = data or blobs()
    train = DataLoader(TensorDataset(x, y), batch, shuffle=True, generator=torch.Generator().manual_seed(1))
    return {
        "model": model,
        "loss": loss or nn.CrossEntropyLoss(),
        "train": train,
        "optimizer": torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr),
        **more,
    }
"""


def write_factory(folder: Path, body: str) -> str:
    """Write a module whose function ``make`` has this body, after any code of its own; return the factory's name."""
    path = folder / "net.py"
    text = textwrap.dedent(body)
    path.write_text(HEAD + (text if "def make" in text else "\n\ndef make():\n" + textwrap.indent(text, "    ")))
    return f"{path}:make"


HEALTHY = {
    "mlp": "return parts(mlp())",
    "mlp, deep": "return parts(mlp(depth=6))",
    "tanh": "return parts(mlp(act=nn.Tanh))",
    "sigmoid": "return parts(mlp(depth=1, act=nn.Sigmoid))",
    "gelu": "return parts(mlp(act=nn.GELU))",
    "batch norm": """
        model = nn.Sequential(nn.Linear(12, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 4))
        return parts(model)
    """,
    "residual branch that begins as zero": """
        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.one, self.two = nn.Linear(32, 32), nn.Linear(32, 32)
                nn.init.zeros_(self.two.weight)
                nn.init.zeros_(self.two.bias)

            def forward(self, x):
                return x + self.two(F.relu(self.one(x)))

        return parts(nn.Sequential(nn.Linear(12, 32), Block(), Block(), nn.Linear(32, 4)))
    """,
    "last layer that begins as zero": """
        model = mlp()
        nn.init.zeros_(model[-1].weight)
        return parts(model)
    """,
    "frozen part": """
        model = mlp(depth=3)
        for parameter in model[0].parameters():
            parameter.requires_grad_(False)
        return parts(model)
    """,
    "tied weights": """
        model = mlp(depth=3)
        model[4].weight = model[2].weight
        return parts(model)
    """,
    "log-probabilities into nll": "return parts(nn.Sequential(mlp(), nn.LogSoftmax(1)), nn.NLLLoss())",
    "one output": """
        x, y = blobs(classes=2)
        loss = lambda output, target: F.binary_cross_entropy_with_logits(output.squeeze(1), target)
        return parts(mlp(outputs=1), loss, data=(x, y.float()))
    """,
    "regression": """
        x, _ = blobs()
        return parts(mlp(outputs=1), nn.MSELoss(), data=(x, (x[:, :1] * x[:, 1:2]).tanh()))
    """,
    "regression, mean absolute error": """
        x, _ = blobs()
        return parts(mlp(outputs=2), nn.L1Loss(), data=(x, x[:, :2].sin()))
    """,
    "label smoothing": "return parts(mlp(), nn.CrossEntropyLoss(label_smoothing=0.2))",
    "cnn": """
        x, y = blobs(features=64)
        model = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                              nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 4))
        return parts(model, data=(x, y))
    """,
    "gru": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.gru, self.head = nn.GRU(3, 24, batch_first=True), nn.Linear(24, 4)

            def forward(self, x):
                return self.head(self.gru(x.unflatten(1, (4, 3)))[1][-1])

        return parts(Net())
    """,
    "transformer": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed, self.place = nn.Embedding(11, 32), nn.Parameter(torch.randn(16, 32) * 0.1)
                layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True, norm_first=True)
                self.body, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(32, 11)

            def forward(self, codes):
                mask = nn.Transformer.generate_square_subsequent_mask(codes.shape[1])
                return self.head(self.body(self.embed(codes) + self.place, mask=mask, is_causal=True))

        walk = torch.randint(11, (400, 17), generator=torch.Generator().manual_seed(0)).cumsum(1) % 11
        loss = lambda output, target: F.cross_entropy(output.flatten(0, 1), target.flatten())
        return parts(Net(), loss, data=(walk[:, :-1], walk[:, 1:]))
    """,
}

FAULTS = {
    "softmax before cross-entropy": ("M206", "return parts(nn.Sequential(mlp(), nn.Softmax(1)))"),
    "scores into nll": ("M206", "return parts(mlp(), nn.NLLLoss())"),
    "sigmoid twice": (
        "M206",
        """
        x, y = blobs(classes=2)
        model = nn.Sequential(mlp(outputs=1), nn.Sigmoid(), nn.Flatten(0))
        return parts(model, nn.BCEWithLogitsLoss(), data=(x, y.float()))
        """,
    ),
    "columns against rows": (
        "M211",
        """
        x, _ = blobs()
        return parts(mlp(outputs=1), nn.MSELoss(), data=(x, x[:, 0].sin()))
        """,
    ),
    "columns against rows, by hand": (
        "M211",
        """
        x, _ = blobs()
        return parts(mlp(outputs=1), lambda out, y: ((out - y) ** 2).mean(), data=(x, x[:, 0].sin()))
        """,
    ),
    "zeros": (
        "M202",
        """
        model = mlp()
        for parameter in model.parameters():
            nn.init.zeros_(parameter)
        return parts(model)
        """,
    ),
    "one number for all": (
        "M202",
        """
        model = mlp()
        for parameter in model.parameters():
            nn.init.constant_(parameter, 0.05)
        return parts(model)
        """,
    ),
    "weights twenty times too large": (
        "M201",
        """
        model = mlp()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(20)
        return parts(model)
        """,
    ),
    "deep sigmoid": ("M203", "return parts(mlp(depth=12, act=nn.Sigmoid))"),
    "weights fifty times too small": (
        "M203",
        """
        model = mlp(depth=6)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(0.02)
        return parts(model)
        """,
    ),
    "dead units": (
        "M204",
        """
        model = mlp()
        nn.init.constant_(model[0].bias, -10.0)
        return parts(model)
        """,
    ),
    "saturated units": (
        "M205",
        """
        model = mlp(act=nn.Tanh)
        with torch.no_grad():
            model[2].weight.mul_(100)
        return parts(model)
        """,
    ),
    "layer outside of the optimizer": (
        "M207",
        """
        found = parts(mlp(depth=3))
        found["optimizer"] = torch.optim.Adam(list(found["model"].parameters())[:2], lr=1e-3)
        return found
        """,
    ),
    "layer replaced after the optimizer was built": (
        "M207",
        """
        found = parts(mlp())
        found["model"][4] = nn.Linear(32, 4)
        return found
        """,
    ),
    "everything frozen": (
        "M207",
        """
        found = parts(mlp())
        found["model"].requires_grad_(False)
        return found
        """,
    ),
    "samples mixed by a reshape": (
        "M208",
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = mlp(features=12)

            def forward(self, x):
                return self.body(x.t().reshape(x.shape))

        return parts(Net())
        """,
    ),
    "softmax over the batch": (
        "M208",
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.body, self.head = nn.Linear(12, 32), nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.body(x).softmax(0) * len(x))

        return parts(Net())
        """,
    ),
    "later codes seen": (
        "M208",
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed = nn.Embedding(11, 24)
                self.lstm, self.head = nn.LSTM(24, 24, batch_first=True, bidirectional=True), nn.Linear(48, 11)

            def forward(self, codes):
                return self.head(self.lstm(self.embed(codes))[0])

        walk = torch.randint(11, (400, 17), generator=torch.Generator().manual_seed(0)).cumsum(1) % 11
        loss = lambda output, target: F.cross_entropy(output.flatten(0, 1), target.flatten())
        return parts(Net(), loss, data=(walk[:, :-1], walk[:, 1:]))
        """,
    ),
    "flipped sign": ("M209", "return parts(mlp(), lambda out, y: -F.cross_entropy(out, y))"),
    "flipped sign, numbers": (
        "M209",
        """
        x, _ = blobs()
        return parts(mlp(outputs=2), lambda out, y: -F.mse_loss(out, y), data=(x, x[:, :2].sin()))
        """,
    ),
    "small batches before batch norm": (
        "M210",
        """
        model = nn.Sequential(nn.Linear(12, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))
        return parts(model, batch=2)
        """,
    ),
    "last batch of one sample": (
        "M210",
        """
        model = nn.Sequential(nn.Linear(12, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))
        return parts(model, data=blobs(577))
        """,
    ),
    "input ignored": (
        "M214",
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = mlp()

            def forward(self, x):
                return self.body(x * 0)

        return parts(Net())
        """,
    ),
    "evaluation in training mode": (
        "M212",
        """
        model = nn.Sequential(nn.Linear(12, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 4))
        found = parts(model)

        def evaluate():
            with torch.no_grad():
                for x, y in found["train"]:
                    model(x)

        return {**found, "evaluate": evaluate}
        """,
    ),
    "training in evaluation mode": (
        "M213",
        """
        model = nn.Sequential(nn.Linear(12, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 4))
        found = parts(model)

        def train_step(batch):
            model.eval()
            found["loss"](model(batch[0]), batch[1]).backward()
            found["optimizer"].step()

        return {**found, "train_step": train_step}
        """,
    ),
}
