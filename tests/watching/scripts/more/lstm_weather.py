"""Temperature of the next hour from the last twelve."""
from dataclasses import dataclass
import math

import torch
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset


@dataclass
class Config:
    hidden: int = 24
    lr: float = 0.01
    epochs: int = 8
    batch_size: int = 32
    clip: float = 1.0


class Hours(Dataset):
    def __init__(self, series, width=12):
        self.series, self.width = series, width

    def __len__(self):
        return len(self.series) - self.width

    def __getitem__(self, i):
        return self.series[i:i + self.width].unsqueeze(-1), self.series[i + self.width]


class Forecaster(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x):
        states, _ = self.lstm(x)
        return self.out(states[:, -1]).squeeze(-1)


def run(cfg):
    torch.manual_seed(7)
    t = torch.arange(900.0)
    series = torch.sin(2 * math.pi * t / 24) + 0.3 * torch.sin(2 * math.pi * t / 150) + 0.1 * torch.randn(900)
    train_dl = DataLoader(Hours(series[:700]), batch_size=cfg.batch_size, shuffle=True)
    valid_dl = DataLoader(Hours(series[700:]), batch_size=100)
    model = Forecaster(cfg.hidden)
    optimizer = optim.Adam(model.parameters(), lr=cfg.lr)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.5)
    criterion = nn.MSELoss()
    for epoch in range(cfg.epochs):
        model.train()
        running = 0.0
        for x, y in train_dl:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm=cfg.clip)
            optimizer.step()
            running += loss.item() * x.size(0)
        scheduler.step()
        model.eval()
        with torch.no_grad():
            valid = sum(criterion(model(x), y).item() * len(x) for x, y in valid_dl) / len(valid_dl.dataset)
        print(f"{epoch:2d} train {running / len(train_dl.dataset):.4f} valid {valid:.4f}")


if __name__ == "__main__":
    run(Config())
