"""Wine cultivars from their chemistry: table, scaler, data loaders, early stopping by hand."""

import copy

import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

BATCH_SIZE = 16
EPOCHS = 40
LR = 3e-3
PATIENCE = 10


def load_data():
    X, y = load_wine(return_X_y=True)
    # every fourth bottle is kept for validation
    held_out = torch.arange(len(X)) % 4 == 0
    X_train, y_train = X[~held_out], y[~held_out]
    X_val, y_val = X[held_out], y[held_out]
    scaler = StandardScaler().fit(X_train)
    X_train, X_val = scaler.transform(X_train), scaler.transform(X_val)
    train_ds = TensorDataset(torch.FloatTensor(X_train), torch.LongTensor(y_train))
    val_ds = TensorDataset(torch.FloatTensor(X_val), torch.LongTensor(y_val))
    return (
        DataLoader(train_ds, batch_size=BATCH_SIZE, shuffle=True),
        DataLoader(val_ds, batch_size=BATCH_SIZE),
    )


def build_model(n_features=13, n_classes=3):
    return nn.Sequential(
        nn.Linear(n_features, 32),
        nn.ReLU(),
        nn.Linear(32, 16),
        nn.ReLU(),
        nn.Linear(16, n_classes),
    )


def run_epoch(model, loader, criterion, optimizer=None):
    training = optimizer is not None
    model.train(training)
    total_loss, n_correct, n = 0.0, 0, 0
    with torch.set_grad_enabled(training):
        for xb, yb in loader:
            out = model(xb)
            loss = criterion(out, yb)
            if training:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total_loss += loss.item() * xb.size(0)
            n_correct += (out.argmax(1) == yb).sum().item()
            n += xb.size(0)
    return total_loss / n, n_correct / n


torch.manual_seed(7)
train_loader, val_loader = load_data()
model = build_model()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=LR)

best_loss, best_state, bad_epochs = float("inf"), None, 0
for epoch in range(EPOCHS):
    train_loss, train_acc = run_epoch(model, train_loader, criterion, optimizer)
    val_loss, val_acc = run_epoch(model, val_loader, criterion)
    print(f"[{epoch:02d}] train {train_loss:.4f}/{train_acc:.3f}  val {val_loss:.4f}/{val_acc:.3f}")
    if val_loss < best_loss:
        best_loss, best_state, bad_epochs = val_loss, copy.deepcopy(model.state_dict()), 0
    else:
        bad_epochs += 1
        if bad_epochs >= PATIENCE:
            print("early stopping")
            break
model.load_state_dict(best_state)
