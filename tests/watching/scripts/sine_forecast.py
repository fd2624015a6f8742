"""Forecast a noisy seasonal series with a GRU: sliding windows, the end of the series for validation."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


@dataclass
class Settings:
    window: int = 20
    hidden: int = 24
    batch_size: int = 32
    epochs: int = 8
    lr: float = 5e-3


class Windows(Dataset):
    """Every stretch of ``window`` values with the one that follows."""

    def __init__(self, series, window):
        self.series = torch.as_tensor(series, dtype=torch.float32)
        self.window = window

    def __len__(self):
        return len(self.series) - self.window

    def __getitem__(self, start):
        stop = start + self.window
        return self.series[start:stop].unsqueeze(1), self.series[stop : stop + 1]


class Forecaster(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        _, last = self.gru(x)
        return self.head(last[-1])


def make_series(length=1100):
    rng = np.random.default_rng(3)
    t = np.arange(length)
    return 50 + 12 * np.sin(2 * np.pi * t / 24) + 5 * np.sin(2 * np.pi * t / 60) + rng.normal(0, 0.8, length)


def main():
    cfg = Settings()
    torch.manual_seed(9)
    series = make_series()
    train_part, val_part = series[:800], series[800:]
    mean, std = train_part.mean(), train_part.std()
    train_part, val_part = (train_part - mean) / std, (val_part - mean) / std
    train_loader = DataLoader(Windows(train_part, cfg.window), batch_size=cfg.batch_size, shuffle=True)
    val_loader = DataLoader(Windows(val_part, cfg.window), batch_size=128)

    model = Forecaster(cfg.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=cfg.lr)
    criterion = nn.MSELoss()
    for epoch in range(cfg.epochs):
        model.train()
        total_loss = 0
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total_loss += loss.item()
        model.eval()
        with torch.no_grad():
            val = sum(criterion(model(x), y).item() * len(x) for x, y in val_loader) / len(val_loader.dataset)
        print(f"epoch {epoch} train {float(total_loss) / len(train_loader):.4f} val {val:.4f}")


if __name__ == "__main__":
    main()
