"""Breast cancer, benign or malignant: one logit, binary cross-entropy, plateau schedule."""

import argparse
import logging

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.basicConfig(level=logging.INFO, format="%(message)s")
log = logging.getLogger("cancer")


class Classifier(nn.Module):
    def __init__(self, n_in, hidden):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_in, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, x):
        return self.body(x)


def get_loaders(batch_size):
    data = load_breast_cancer()
    x_tr, x_va, y_tr, y_va = train_test_split(
        data.data, data.target, test_size=0.3, stratify=data.target, random_state=1
    )
    mean, std = x_tr.mean(0), x_tr.std(0)
    x_tr, x_va = (x_tr - mean) / std, (x_va - mean) / std

    def as_set(x, y):
        return TensorDataset(torch.tensor(x).float(), torch.tensor(y).float().unsqueeze(1))

    return (
        DataLoader(as_set(x_tr, y_tr), batch_size=batch_size, shuffle=True),
        DataLoader(as_set(x_va, y_va), batch_size=512),
    )


def evaluate(model, loader, criterion):
    model.eval()
    losses, hits, n = 0.0, 0, 0
    with torch.inference_mode():
        for x, y in loader:
            score = model(x)
            losses += criterion(score, y).item() * len(y)
            prediction = (score.sigmoid() > 0.5).float()
            hits += (prediction == y).sum().item()
            n += len(y)
    return losses / n, hits / n


def main(argv=None):
    ap = argparse.ArgumentParser()
    ap.add_argument("--epochs", type=int, default=20)
    ap.add_argument("--hidden", type=int, default=32)
    ap.add_argument("--batch-size", type=int, default=32)
    ap.add_argument("--lr", type=float, default=0.02)
    opt = ap.parse_args(argv)

    torch.manual_seed(11)
    train_loader, val_loader = get_loaders(opt.batch_size)
    model = Classifier(30, opt.hidden)
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=opt.lr, momentum=0.9, weight_decay=5e-3)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3, factor=0.3)
    for epoch in range(opt.epochs):
        model.train()
        total = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            score = model(x)
            loss = criterion(score, y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        val_loss, val_acc = evaluate(model, val_loader, criterion)
        scheduler.step(val_loss)
        log.info("epoch %d  train %.4f  val %.4f  acc %.3f", epoch, total / len(train_loader), val_loss, val_acc)


if __name__ == "__main__":
    main()
