"""A variational autoencoder of digits, binary cross-entropy and Kullback-Leibler divergence."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(21)


class VAE(nn.Module):
    def __init__(self, latent=6):
        super().__init__()
        self.fc1 = nn.Linear(64, 48)
        self.fc_mean = nn.Linear(48, latent)
        self.fc_var = nn.Linear(48, latent)
        self.fc3 = nn.Linear(latent, 48)
        self.fc4 = nn.Linear(48, 64)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc_mean(h), F.softplus(self.fc_var(h)) + 1e-5

    def reparameterize(self, mean, var):
        return mean + torch.randn_like(mean) * var.sqrt()

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mean, var = self.encode(x)
        return self.decode(self.reparameterize(mean, var)), mean, var


def loss_function(recon_x, x, mean, var):
    BCE = F.binary_cross_entropy(recon_x, x, reduction="sum")
    KLD = -0.5 * torch.sum(1 + torch.log(var) - mean.pow(2) - var)
    return BCE + KLD


images = torch.tensor(load_digits().data / 16, dtype=torch.float32)
train_set, test_set = random_split(TensorDataset(images), [1500, 297])
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = DataLoader(test_set, batch_size=64)

model = VAE()
optimizer = optim.Adam(model.parameters(), lr=3e-3)


def train(epoch):
    model.train()
    train_loss = 0
    for (data,) in train_loader:
        optimizer.zero_grad()
        recon_batch, mean, var = model(data)
        loss = loss_function(recon_batch, data, mean, var)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
    print(f"====> Epoch: {epoch} Average loss: {train_loss / len(train_set):.4f}")


def test(epoch):
    model.eval()
    test_loss = 0
    with torch.no_grad():
        for (data,) in test_loader:
            recon_batch, mean, var = model(data)
            test_loss += loss_function(recon_batch, data, mean, var).item()
    print(f"====> Test set loss: {test_loss / len(test_set):.4f}")


for epoch in range(1, 13):
    train(epoch)
    test(epoch)
