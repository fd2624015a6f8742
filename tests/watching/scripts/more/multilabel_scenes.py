#!/usr/bin/env python3
"""Several labels an example."""
import logging

import torch
from sklearn.datasets import make_multilabel_classification
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

log = logging.getLogger("scenes")


class Tagger(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_in, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def evaluate(model: nn.Module, loader: DataLoader) -> float:
    model.eval()
    right = total = 0
    with torch.no_grad():
        for x, y in loader:
            guess = torch.sigmoid(model(x)) > 0.5
            right += (guess == y.bool()).sum().item()
            total += y.numel()
    return right / total


def train(model, loader, optimizer, criterion):
    model.train()
    epoch_loss = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    return epoch_loss / len(loader)


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    torch.manual_seed(2)
    x, y = make_multilabel_classification(n_samples=1500, n_features=20, n_classes=5, random_state=3)
    x = (x - x.mean(0)) / x.std(0)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=0)
    as_set = lambda a, b: TensorDataset(torch.tensor(a).float(), torch.tensor(b).float())
    train_loader = DataLoader(as_set(x_train, y_train), batch_size=48, shuffle=True)
    test_loader = DataLoader(as_set(x_test, y_test), batch_size=128)
    model = Tagger(20, 5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(8):
        loss = train(model, train_loader, optimizer, criterion)
        log.info("epoch %d: loss %.4f, right %.3f", epoch, loss, evaluate(model, test_loader))


if __name__ == "__main__":
    main()
