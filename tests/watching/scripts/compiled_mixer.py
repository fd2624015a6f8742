"""An MLP-mixer over image patches, compiled; patches mix along one axis, features along the other."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


class MixerBlock(nn.Module):
    def __init__(self, patches, dim):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.mix_patches = nn.Sequential(nn.Linear(patches, 2 * patches), nn.GELU(), nn.Linear(2 * patches, patches))
        self.norm2 = nn.LayerNorm(dim)
        self.mix_features = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        x = x + self.mix_patches(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.mix_features(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self, patches=16, patch_size=4, dim=32, depth=2, classes=10):
        super().__init__()
        self.embed = nn.Linear(patch_size, dim)
        self.blocks = nn.Sequential(*(MixerBlock(patches, dim) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, images):
        patches = F.unfold(images, kernel_size=2, stride=2).transpose(1, 2)
        x = self.blocks(self.embed(patches))
        return self.head(self.norm(x).mean(dim=1))


def mixup(x, y, alpha=0.2):
    lam = torch.distributions.Beta(alpha, alpha).sample()
    other = torch.randperm(len(x))
    targets = F.one_hot(y, 10).float()
    return lam * x + (1 - lam) * x[other], lam * targets + (1 - lam) * targets[other]


def main():
    torch.manual_seed(10)
    digits = load_digits()
    x = torch.tensor(digits.images / 16 - 0.3, dtype=torch.float32).unsqueeze(1)
    y = torch.tensor(digits.target)
    perm = torch.randperm(len(x))
    x_train, y_train, x_val, y_val = x[perm[:1400]], y[perm[:1400]], x[perm[1400:]], y[perm[1400:]]
    model = Mixer()
    compiled = torch.compile(model, backend="eager")
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.05)
    epochs, batch_size = 6, 70
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    for epoch in range(epochs):
        model.train()
        for idx in torch.randperm(len(x_train)).split(batch_size):
            inputs, targets = mixup(x_train[idx], y_train[idx])
            loss = F.cross_entropy(compiled(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(x_val).argmax(1) == y_val).float().mean()
        print(f"epoch {epoch}: last loss {loss.item():.4f}, accuracy {accuracy.item():.3f}")


if __name__ == "__main__":
    main()
