"""What lies in the folder in which the README's commands run."""

from pathlib import Path

from tests.readme import run

FORGETS = """import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
digits = load_digits()
data = TensorDataset(torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target))
model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(10):
    for inputs, labels in DataLoader(data, batch_size=32, shuffle=True):
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
"""

FORGETS_TWICE = """import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 32)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(32, 10)

    def forward(self, inputs):
        return self.head(self.drop(torch.relu(self.hidden(inputs))))


torch.manual_seed(0)
digits = load_digits()
inputs, labels = torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target)
train = DataLoader(TensorDataset(inputs[:1200], labels[:1200]), batch_size=32, shuffle=True)
val = DataLoader(TensorDataset(inputs[1200:], labels[1200:]), batch_size=64)
model = Net()
opt = torch.optim.SGD(model.parameters(), lr=0.1)
loss_fn = nn.CrossEntropyLoss()
for epoch in range(6):
    for inputs, labels in train:
        loss = loss_fn(model(inputs), labels)
        loss.backward()
        opt.step()
    right = 0
    with torch.no_grad():
        for inputs, labels in val:
            right += (model(inputs).argmax(1) == labels).sum().item()
    print(epoch, right / 597)
"""


def prepare(section: str, folder: Path) -> None:
    """Write the files that a section's commands read."""
    if section == "dlcheck" or section.startswith("Ten minutes"):
        run(["train", "sick/init-too-small", "--run-dir", "sick-run", "--quiet"], folder)
    elif section == "Your own data and code":
        _wine(folder)
    elif section == "Treating a sick recipe":
        (folder / "train.py").write_text(FORGETS_TWICE, encoding="utf-8")
    elif section == "Watching a script":
        (folder / "train.py").write_text(FORGETS, encoding="utf-8")
    elif section == "Diagnosing runs that dlcheck did not start":
        run(["train", "digits", "--set", "optimizer.lr=3", "--run-dir", "too-high", "--quiet"], folder)


def _wine(folder: Path) -> None:
    from sklearn.datasets import load_wine

    load_wine(as_frame=True).frame.to_csv(folder / "wine.csv", index=False)
