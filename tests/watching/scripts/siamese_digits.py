"""Embeddings of digits by a triplet loss: one network, three passes a step."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Triplets(Dataset):
    """Anchor, another image of the same digit, and one of another digit."""

    def __init__(self, images, labels, seed=0):
        self.images, self.labels = images, labels
        rng = np.random.default_rng(seed)
        self.positive = np.array([rng.choice(np.flatnonzero(labels == label)) for label in labels])
        self.negative = np.array([rng.choice(np.flatnonzero(labels != label)) for label in labels])

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i], self.images[self.positive[i]], self.images[self.negative[i]]


class Embedding(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))

    def forward(self, x):
        return self.net(x)


def distance(a, b):
    return torch.sqrt(((a - b) ** 2).sum(dim=1) + 1e-8)


class TripletLoss(nn.Module):
    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, anchor, positive, negative):
        return torch.relu(distance(anchor, positive) - distance(anchor, negative) + self.margin).mean()


def main():
    torch.manual_seed(4)
    digits = load_digits()
    images = torch.tensor(digits.data / 8 - 1, dtype=torch.float32)
    train_loader = DataLoader(Triplets(images[:1400], digits.target[:1400]), batch_size=50, shuffle=True)
    val_loader = DataLoader(Triplets(images[1400:], digits.target[1400:], seed=1), batch_size=100)
    model = Embedding()
    criterion = TripletLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(10):
        model.train()
        losses = []
        for anchor, positive, negative in train_loader:
            loss = criterion(model(anchor), model(positive), model(negative))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        right = 0
        with torch.no_grad():
            for anchor, positive, negative in val_loader:
                a, p, n = model(anchor), model(positive), model(negative)
                right += (distance(a, p) < distance(a, n)).sum().item()
        print(f"epoch {epoch}: loss {np.mean(losses):.4f}  right {right / len(val_loader.dataset):.3f}")


if __name__ == "__main__":
    main()
