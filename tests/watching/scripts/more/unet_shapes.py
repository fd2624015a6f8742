"""Segmentation of bright rectangles."""
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Shapes(Dataset):
    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        self.images = torch.randn(n, 1, 16, 16, generator=g) * 0.5
        self.masks = torch.zeros(n, 1, 16, 16)
        for k in range(n):
            r, c = torch.randint(0, 9, (2,), generator=g).tolist()
            self.masks[k, :, r:r + 6, c:c + 7] = 1
        self.images += self.masks - 0.2

    def __len__(self): return len(self.images)
    def __getitem__(self, k): return self.images[k], self.masks[k]


def conv(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = conv(1, 8)
        self.bottom = conv(8, 16)
        self.up = conv(24, 8)
        self.final = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        skip = self.down(x)
        low = self.bottom(nn.functional.max_pool2d(skip, 2))
        low = nn.functional.interpolate(low, scale_factor=2)
        return self.final(self.up(torch.cat([skip, low], 1)))


def dice(logits, masks):
    guess = (logits > 0).float()
    return (2 * (guess * masks).sum() / (guess.sum() + masks.sum() + 1e-6)).item()


if __name__ == "__main__":
    torch.manual_seed(0)
    train_loader = DataLoader(Shapes(160, 0), batch_size=16, shuffle=True)
    val_loader = DataLoader(Shapes(64, 1), batch_size=32)
    unet = UNet()
    optimizer = torch.optim.Adam(unet.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.8)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(5):
        unet.train()
        for images, masks in train_loader:
            optimizer.zero_grad()
            predictions = unet(images)
            loss = criterion(predictions, masks)
            loss.backward()
            optimizer.step()
        scheduler.step()
        unet.eval()
        with torch.no_grad():
            scores = [dice(unet(images), masks) for images, masks in val_loader]
        print(f"epoch {epoch} loss {loss.item():.3f} dice {sum(scores) / len(scores):.3f}")
