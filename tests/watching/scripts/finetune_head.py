"""Transfer: a network that knows digits 0 to 4 gets a new head for 5 to 9; its body stays frozen."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(128, n_classes)

    def forward(self, x):
        return self.head(self.backbone(x))


def loaders(digits_wanted):
    data = load_digits()
    images = torch.tensor(data.images / 16, dtype=torch.float32).unsqueeze(1)
    labels = torch.tensor(data.target)
    keep = torch.isin(labels, torch.tensor(digits_wanted))
    images, labels = images[keep], labels[keep] - digits_wanted[0]
    x_train, x_val, y_train, y_val = train_test_split(images, labels, test_size=0.3, random_state=0)
    return (
        DataLoader(TensorDataset(x_train, y_train), batch_size=32, shuffle=True),
        DataLoader(TensorDataset(x_val, y_val), batch_size=128),
    )


def fit(model, optimizer, train_loader, val_loader, epochs, frozen=None):
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        if frozen is not None:
            frozen.eval()
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            hits = sum((model(x).argmax(1) == y).sum().item() for x, y in val_loader)
        print(f"epoch {epoch}: loss {loss.item():.4f}  accuracy {hits / len(val_loader.dataset):.3f}")


torch.manual_seed(8)
model = Net(5)
print("pre-training on 0 to 4")
fit(model, torch.optim.Adam(model.parameters(), lr=3e-3), *loaders([0, 1, 2, 3, 4]), epochs=3)

print("new head for 5 to 9")
for parameter in model.backbone.parameters():
    parameter.requires_grad = False
model.head = nn.Linear(128, 5)
optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1, momentum=0.9)
fit(model, optimizer, *loaders([5, 6, 7, 8, 9]), epochs=5, frozen=model.backbone)
