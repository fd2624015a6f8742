"""Generated shapes (discs, squares, crosses) with a strided CNN, AdamW and cosine annealing over steps."""

import argparse

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


def draw(rng, kind, size=16):
    canvas = rng.normal(0, 20, (size, size)) + 60
    cy, cx = rng.integers(5, size - 5, 2)
    radius = rng.integers(3, 5)
    yy, xx = np.mgrid[:size, :size]
    if kind == 0:
        mask = (yy - cy) ** 2 + (xx - cx) ** 2 <= radius**2
    elif kind == 1:
        mask = (abs(yy - cy) < radius) & (abs(xx - cx) < radius)
    else:
        mask = ((abs(yy - cy) < 1) & (abs(xx - cx) < radius)) | ((abs(xx - cx) < 1) & (abs(yy - cy) < radius))
    canvas[mask] += 120
    return np.clip(canvas, 0, 255).astype(np.uint8)


class Shapes(Dataset):
    def __init__(self, count, seed):
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, 3, count)
        self.images = np.stack([draw(rng, kind) for kind in self.labels])

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        image = torch.from_numpy(self.images[i]).float().unsqueeze(0)
        return image.div(127.5).sub(0.6), torch.tensor(self.labels[i])


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.fc = nn.Linear(32 * 4 * 4, 3)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        return self.fc(x.flatten(1))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--epochs", type=int, default=6)
    p.add_argument("--batch", type=int, default=50)
    p.add_argument("--lr", type=float, default=6e-3)
    a = p.parse_args()
    torch.manual_seed(77)
    train_ds, val_ds = Shapes(1000, seed=0), Shapes(300, seed=1)
    train_dl = DataLoader(train_ds, batch_size=a.batch, shuffle=True)
    val_dl = DataLoader(val_ds, batch_size=100)
    model = Model()
    optim = torch.optim.AdamW(model.parameters(), lr=a.lr)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(optim, T_max=a.epochs * len(train_dl))
    ce = nn.CrossEntropyLoss()
    for epoch in range(a.epochs):
        model.train()
        for image, label in train_dl:
            loss = ce(model(image), label)
            optim.zero_grad()
            loss.backward()
            optim.step()
            sched.step()
        model.eval()
        with torch.no_grad():
            right = sum((model(image).argmax(1) == label).sum().item() for image, label in val_dl)
        print(f"{epoch}: loss {loss.item():.4f}, accuracy {right / len(val_ds):.3f}, lr {sched.get_last_lr()[0]:.2e}")


if __name__ == "__main__":
    main()
