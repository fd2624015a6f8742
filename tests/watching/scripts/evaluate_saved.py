"""Measure a saved network on held-out digits; nothing is trained here."""

import sys

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def build():
    return nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 10))


def main():
    torch.manual_seed(0)
    model = build()
    if len(sys.argv) > 1:
        model.load_state_dict(torch.load(sys.argv[1], weights_only=True))
    model.eval()
    digits = load_digits()
    data = TensorDataset(torch.tensor(digits.data / 16).float(), torch.tensor(digits.target))
    total, loss = 0, 0.0
    with torch.no_grad():
        for x, y in DataLoader(data, batch_size=200):
            out = model(x)
            loss += nn.functional.cross_entropy(out, y, reduction="sum").item()
            total += (out.argmax(1) == y).sum().item()
    print(f"loss {loss / len(data):.4f}  accuracy {total / len(data):.4f}")


if __name__ == "__main__":
    main()
