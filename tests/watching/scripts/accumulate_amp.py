"""Gradient accumulation under bfloat16 autocast, clipping, and an exponential moving average of the weights."""

import argparse
import math

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class ResidualMLP(nn.Module):
    def __init__(self, dim_in=64, dim=48, depth=2, classes=10):
        super().__init__()
        self.stem = nn.Linear(dim_in, dim)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)
        for block in self.blocks:  # every block starts as the identity
            nn.init.zeros_(block[-1].weight)
            nn.init.zeros_(block[-1].bias)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(self.norm(x))


def batches(x, y, size):
    for index in torch.randperm(len(x)).split(size):
        yield x[index], y[index]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--micro-batch", type=int, default=32)
    parser.add_argument("--accumulate", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, default=3e-3)
    args = parser.parse_args()

    torch.manual_seed(17)
    digits = load_digits()
    x = torch.tensor((digits.data - 4.9) / 6.0, dtype=torch.float32)
    y = torch.tensor(digits.target)
    order = torch.randperm(len(x))
    x_train, y_train = x[order[:1280]], y[order[:1280]]
    x_val, y_val = x[order[1280:]], y[order[1280:]]

    model = ResidualMLP()
    ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.95))
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.05)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    total = args.epochs * math.ceil(len(x_train) / args.micro_batch) // args.accumulate
    warmup = 10

    def schedule(step):
        return step / warmup if step < warmup else 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)

    for epoch in range(args.epochs):
        model.train()
        running = 0.0
        optimizer.zero_grad()
        for i, (xb, yb) in enumerate(batches(x_train, y_train, args.micro_batch)):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = criterion(model(xb), yb)
            (loss / args.accumulate).backward()
            running += loss.item()
            if (i + 1) % args.accumulate == 0:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
                ema.update_parameters(model)
        model.eval()
        ema.eval()
        with torch.no_grad():
            accuracy = (ema(x_val).argmax(1) == y_val).float().mean().item()
            val_loss = nn.functional.cross_entropy(model(x_val), y_val).item()
        print(f"epoch {epoch}: train {running / (i + 1):.4f}  val {val_loss:.4f}  ema accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
