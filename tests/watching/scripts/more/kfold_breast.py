import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import KFold
from torch import nn


def make_net(d):
    return nn.Sequential(nn.Linear(d, 16), nn.Tanh(), nn.Linear(16, 2))


def fit(net, x, y, epochs=12):
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=epochs)
    crit = nn.CrossEntropyLoss()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(32):
            loss = crit(net(x[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
        sched.step()
    return loss.item()


def main():
    data = load_breast_cancer()
    accuracies = []
    for fold, (train, test) in enumerate(KFold(3, shuffle=True, random_state=0).split(data.data)):
        torch.manual_seed(fold)
        mean, std = data.data[train].mean(0), data.data[train].std(0)
        x = torch.tensor((data.data - mean) / std, dtype=torch.float32)
        y = torch.tensor(data.target)
        net = make_net(x.shape[1])
        last = fit(net, x[train], y[train])
        with torch.no_grad():
            accuracies.append((net(x[test]).argmax(1) == y[test]).double().mean().item())
        print(f"fold {fold}: loss {last:.4f}, accuracy {accuracies[-1]:.3f}")
    print("mean", np.mean(accuracies))


main()
