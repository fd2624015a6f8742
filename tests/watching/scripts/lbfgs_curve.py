"""Fit a curve by a small tanh network with L-BFGS, which calls a closure several times a step."""

import torch
from torch import nn

torch.manual_seed(2)
x = torch.linspace(-1, 1, 200).unsqueeze(1)
y = torch.sin(3 * x) + 0.5 * x

model = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=8)

for step in range(15):

    def closure():
        optimizer.zero_grad()
        out = model(x)
        loss = criterion(out, y)
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    print(f"STEP: {step}  loss: {loss.item():.6f}")

with torch.no_grad():
    test_x = torch.linspace(-0.95, 0.95, 77).unsqueeze(1)
    error = criterion(model(test_x), torch.sin(3 * test_x) + 0.5 * test_x)
    print(f"test loss: {error.item():.6f}")
