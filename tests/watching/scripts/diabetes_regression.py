"""Disease progression by a small network, mean squared error; the target is standardised."""

import random

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, Dataset


def set_seed(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class TableDataset(Dataset):
    def __init__(self, features, target):
        self.features = torch.as_tensor(features, dtype=torch.float32)
        self.target = torch.as_tensor(target, dtype=torch.float32)

    def __len__(self):
        return self.features.shape[0]

    def __getitem__(self, i):
        return self.features[i], self.target[i]


class Regressor(nn.Module):
    def __init__(self, dim_in, dim_hidden=32):
        super().__init__()
        self.fc1 = nn.Linear(dim_in, dim_hidden)
        self.fc2 = nn.Linear(dim_hidden, dim_hidden)
        self.out = nn.Linear(dim_hidden, 1)

    def forward(self, x):
        h = torch.relu(self.fc1(x))
        h = torch.relu(self.fc2(h))
        return self.out(h).squeeze(1)


def main():
    set_seed(5)
    features, target = load_diabetes(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(features, target, test_size=0.25, random_state=2)
    scaler = StandardScaler()
    x_train = scaler.fit_transform(x_train)
    x_test = scaler.transform(x_test)
    mu, sigma = y_train.mean(), y_train.std()
    y_train = (y_train - mu) / sigma
    y_test = (y_test - mu) / sigma

    train_loader = DataLoader(TableDataset(x_train, y_train), batch_size=32, shuffle=True)
    test_loader = DataLoader(TableDataset(x_test, y_test), batch_size=64, shuffle=False)

    net = Regressor(features.shape[1])
    loss_fn = nn.MSELoss()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-4)

    for epoch in range(1, 16):
        net.train()
        train_mse = 0.0
        for x, y in train_loader:
            opt.zero_grad()
            prediction = net(x)
            loss = loss_fn(prediction, y)
            loss.backward()
            opt.step()
            train_mse += loss.item() * len(x)
        train_mse /= len(train_loader.dataset)

        net.eval()
        test_mse = 0.0
        with torch.no_grad():
            for x, y in test_loader:
                test_mse += loss_fn(net(x), y).item() * len(x)
        test_mse /= len(test_loader.dataset)
        print(f"{epoch:3d}  train mse {train_mse:.3f}   test mse {test_mse:.3f}")


main()
