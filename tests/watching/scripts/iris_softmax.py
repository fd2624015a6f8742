"""Softmax regression on iris by full-batch gradient descent: convex, so the learning rate can be large."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_iris

torch.manual_seed(3)

iris = load_iris()
X = (iris.data - iris.data.mean(axis=0)) / iris.data.std(axis=0)
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(iris.target)

perm = np.random.RandomState(0).permutation(len(X))
train, val = perm[:110], perm[110:]

W = torch.zeros(4, 3, requires_grad=True)
b = torch.zeros(3, requires_grad=True)
optimizer = torch.optim.SGD([W, b], lr=1.0)

for step in range(200):
    logits = X[train] @ W + b
    log_probs = F.log_softmax(logits, dim=1)
    loss = F.nll_loss(log_probs, y[train])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        with torch.no_grad():
            pred = (X[val] @ W + b).argmax(dim=1)
            acc = (pred == y[val]).float().mean()
        print(f"step {step:3d}  loss {loss.item():.4f}  val accuracy {acc.item():.3f}")
