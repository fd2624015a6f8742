"""Mixed precision with a gradient scaler: scale, unscale, clip, step, update."""

import torch
from sklearn.datasets import make_classification
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def build():
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))


def train_one_epoch(model, loader, optimizer, scaler, device):
    model.train()
    total = 0.0
    for inputs, labels in loader:
        inputs, labels = inputs.to(device), labels.to(device)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device_type=device.type, dtype=torch.float16):
            outputs = model(inputs)
            loss = nn.functional.cross_entropy(outputs, labels)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=5.0)
        scaler.step(optimizer)
        scaler.update()
        total += loss.item()
    return total / len(loader)


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    hits = sum((model(inputs).argmax(1) == labels).sum().item() for inputs, labels in loader)
    return hits / len(loader.dataset)


def main():
    torch.manual_seed(31)
    device = torch.device("cpu")
    features, labels = make_classification(
        n_samples=1600, n_features=20, n_informative=12, n_classes=4, class_sep=1.5, random_state=0
    )
    features = (features - features.mean(0)) / features.std(0)
    data = TensorDataset(torch.tensor(features).float(), torch.tensor(labels))
    train_data, val_data = random_split(data, [1280, 320])
    train_loader = DataLoader(train_data, batch_size=64, shuffle=True)
    val_loader = DataLoader(val_data, batch_size=320)
    model = build().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    scaler = torch.amp.GradScaler(device.type, init_scale=2.0**10)
    for epoch in range(8):
        loss = train_one_epoch(model, train_loader, optimizer, scaler, device)
        print(f"epoch {epoch}  loss {loss:.4f}  accuracy {accuracy(model, val_loader):.3f}  {scaler.get_scale():.0f}")


if __name__ == "__main__":
    main()
