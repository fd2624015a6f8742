"""Random shifts and noise as augmentation, drawn in the loader's worker processes."""

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset


class AugmentedDigits(Dataset):
    def __init__(self, images, labels, augment):
        self.images = images
        self.labels = labels
        self.augment = augment

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index]
        if self.augment:
            image = np.roll(image, np.random.randint(-1, 2), axis=1)
            image = image + np.random.normal(0, 0.05, image.shape)
        return torch.tensor(image, dtype=torch.float32).unsqueeze(0), int(self.labels[index])


def seed_worker(worker_id):
    np.random.seed(torch.initial_seed() % 2**32)


def main():
    torch.manual_seed(13)
    np.random.seed(13)
    digits = load_digits()
    images = digits.images / 16 - 0.3
    train_set = AugmentedDigits(images[:1200], digits.target[:1200], augment=True)
    val_set = AugmentedDigits(images[1200:], digits.target[1200:], augment=False)
    train_loader = DataLoader(
        train_set, batch_size=60, shuffle=True, num_workers=2, worker_init_fn=seed_worker, persistent_workers=True
    )
    val_loader = DataLoader(val_set, batch_size=200)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.GroupNorm(4, 16),
        nn.SiLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 10),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_function = nn.CrossEntropyLoss()
    for epoch in range(5):
        model.train()
        epoch_loss = 0.0
        for batch_images, batch_labels in train_loader:
            optimizer.zero_grad()
            loss = loss_function(model(batch_images), batch_labels)
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item()
        model.eval()
        with torch.no_grad():
            correct = sum((model(x).argmax(1) == y).sum().item() for x, y in val_loader)
        print(f"Epoch {epoch + 1}: loss {epoch_loss / len(train_loader):.3f}, accuracy {correct / len(val_set):.3f}")


if __name__ == "__main__":
    main()
