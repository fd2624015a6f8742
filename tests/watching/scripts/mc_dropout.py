"""Regression with an estimate of its own uncertainty: dropout stays on at prediction, many passes."""

import numpy as np
import torch
from torch import nn


def make_data(n, rng):
    x = rng.uniform(-2, 2, size=(n, 1))
    y = np.sin(2 * x) + 0.1 * rng.normal(size=(n, 1))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


class BayesianNet(nn.Module):
    def __init__(self, p=0.1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(1, 64), nn.ReLU(), nn.Dropout(p), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(p), nn.Linear(64, 1)
        )

    def forward(self, x):
        return self.layers(x)


def predict(model, x, passes=20):
    """Mean and standard deviation over stochastic passes."""
    model.train()  # dropout on
    with torch.no_grad():
        samples = torch.stack([model(x) for _ in range(passes)])
    return samples.mean(0), samples.std(0)


rng = np.random.default_rng(0)
torch.manual_seed(0)
x_train, y_train = make_data(512, rng)
x_val, y_val = make_data(128, rng)
model = BayesianNet()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
loss_fn = nn.MSELoss()

for epoch in range(25):
    model.train()
    for index in torch.randperm(len(x_train)).split(64):
        loss = loss_fn(model(x_train[index]), y_train[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        mean, std = predict(model, x_val)
        rmse = (mean - y_val).pow(2).mean().sqrt()
        print(f"epoch {epoch + 1}: rmse {rmse.item():.3f}, mean uncertainty {std.mean().item():.3f}")
