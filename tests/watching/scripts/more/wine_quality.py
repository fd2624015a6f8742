"""Regression on columns of very different units, after scikit-learn's split."""
import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load():
    rng = np.random.default_rng(11)
    X = np.stack([rng.normal(8, 1.5, 900), rng.normal(0.5, 0.15, 900), rng.normal(46, 30, 900), rng.normal(3.3, 0.15, 900)], 1)
    Z = (X - X.mean(0)) / X.std(0)
    y = Z[:, 0] - 0.5 * Z[:, 1] * Z[:, 2] + 0.3 * Z[:, 3] + 0.1 * rng.normal(size=900)
    return Z.astype(np.float32), y.astype(np.float32)


X, y = load()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)
train = TensorDataset(torch.from_numpy(X_train), torch.from_numpy(y_train))
loader = DataLoader(train, 32, shuffle=True)

torch.manual_seed(6)
model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters())
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3)

for epoch in range(20):
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(xb).squeeze(-1), yb)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        val = loss_fn(model(torch.from_numpy(X_test)).squeeze(-1), torch.from_numpy(y_test))
    scheduler.step(val)
    print(epoch, loss.item(), val.item())
