"""Eight layers deep on concentric circles, with weights drawn by hand as Glorot and Bengio say."""

import math

import torch
from sklearn.datasets import make_circles
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

DEPTH = 8
WIDTH = 32


def init_layer(layer):
    fan_out, fan_in = layer.weight.shape
    bound = math.sqrt(6 / (fan_in + fan_out))
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound)
        layer.bias.zero_()


class DeepNet(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = [2] + [WIDTH] * DEPTH
        self.hidden = nn.ModuleList(nn.Linear(sizes[i], sizes[i + 1]) for i in range(DEPTH))
        self.activation = nn.Tanh()
        self.output = nn.Linear(WIDTH, 2)
        for layer in self.hidden:
            init_layer(layer)

    def forward(self, x):
        for layer in self.hidden:
            x = self.activation(layer(x))
        return self.output(x)


def main():
    torch.manual_seed(12)
    x, y = make_circles(n_samples=1200, noise=0.08, factor=0.5, random_state=0)
    x, y = torch.tensor(x * 1.4, dtype=torch.float32), torch.tensor(y)
    train_loader = DataLoader(TensorDataset(x[:900], y[:900]), batch_size=30, shuffle=True)
    x_val, y_val = x[900:], y[900:]
    net = DeepNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(20):
        net.train()
        total = 0.0
        for xb, yb in train_loader:
            optimizer.zero_grad()
            loss = criterion(net(xb), yb)
            loss.backward()
            optimizer.step()
            total += loss.item()
        net.eval()
        with torch.no_grad():
            logits = net(x_val)
            val_loss = criterion(logits, y_val).item()
            accuracy = (logits.argmax(1) == y_val).float().mean().item()
        print(f"epoch {epoch:2d}  train {total / len(train_loader):.4f}  val {val_loss:.4f}  accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
