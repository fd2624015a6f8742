"""A convolutional network on grey images, with a trainer class and one-cycle learning rates."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset


class GreyImages(Dataset):
    """8-bit images as a camera gives them."""

    def __init__(self, images, labels):
        self.images = images
        self.labels = labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = torch.from_numpy(self.images[index]).float()
        image = (image / 255.0 - 0.3) / 0.37
        label = int(self.labels[index])
        return image.unsqueeze(0), label


def conv_block(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class SmallCNN(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.features = nn.Sequential(
            conv_block(1, 12), nn.MaxPool2d(2), conv_block(12, 24), nn.MaxPool2d(2), conv_block(24, 24)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(24, classes)

    def forward(self, x):
        x = self.pool(self.features(x)).flatten(1)
        return self.classifier(x)


class Trainer:
    def __init__(self, model, train_loader, val_loader, epochs=8, max_lr=0.01):
        self.model = model
        self.train_loader = train_loader
        self.val_loader = val_loader
        self.epochs = epochs
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=max_lr, epochs=epochs, steps_per_epoch=len(train_loader)
        )
        self.history = {"train_loss": [], "val_loss": [], "val_acc": []}

    def _train_epoch(self):
        self.model.train()
        running = 0.0
        for images, labels in self.train_loader:
            outputs = self.model(images)
            loss = self.criterion(outputs, labels)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            running += loss.item() * len(labels)
        return running / len(self.train_loader.dataset)

    @torch.no_grad()
    def _validate(self):
        self.model.eval()
        total, correct, count = 0.0, 0, 0
        for images, labels in self.val_loader:
            outputs = self.model(images)
            total += self.criterion(outputs, labels).item() * len(labels)
            correct += (outputs.argmax(1) == labels).sum().item()
            count += len(labels)
        return total / count, correct / count

    def fit(self):
        for epoch in range(self.epochs):
            train_loss = self._train_epoch()
            val_loss, val_acc = self._validate()
            self.history["train_loss"].append(train_loss)
            self.history["val_loss"].append(val_loss)
            self.history["val_acc"].append(val_acc)
            print(f"epoch {epoch + 1}: train {train_loss:.4f}  val {val_loss:.4f}  acc {val_acc:.3f}")


def main(batch_size=64):
    torch.manual_seed(0)
    digits = load_digits()
    images = np.round(digits.images / 16 * 255).astype(np.uint8)
    dataset = GreyImages(images, digits.target)
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(42)).tolist()
    train_set, val_set = Subset(dataset, order[:1300]), Subset(dataset, order[1300:])
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True, drop_last=True)
    val_loader = DataLoader(val_set, batch_size=128)
    trainer = Trainer(SmallCNN(), train_loader, val_loader)
    trainer.fit()


if __name__ == "__main__":
    main()
