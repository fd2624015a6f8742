"""Distributed data parallel with the gloo backend; alone in its world unless a launcher says otherwise."""

import os
import tempfile

import torch
import torch.distributed as dist
from sklearn.datasets import make_blobs
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler


class ToyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.net1 = nn.Linear(10, 32)
        self.bn = nn.BatchNorm1d(32)
        self.relu = nn.ReLU()
        self.net2 = nn.Linear(32, 5)

    def forward(self, x):
        return self.net2(self.relu(self.bn(self.net1(x))))


def setup():
    rank, world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    store = dist.FileStore(tempfile.mkdtemp() + "/store", world_size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size)


def prepare(train, batch_size=32):
    x, y = make_blobs(n_samples=1500, n_features=10, centers=5, cluster_std=4.0, random_state=0)
    x = (x - x.mean(0)) / x.std(0)
    x, y = (x[:1200], y[:1200]) if train else (x[1200:], y[1200:])
    dataset = TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(y))
    sampler = DistributedSampler(dataset, shuffle=train)
    return DataLoader(dataset, batch_size=batch_size, sampler=sampler), sampler


def main(epochs=8):
    setup()
    torch.manual_seed(6)
    train_loader, sampler = prepare(train=True)
    val_loader, _ = prepare(train=False)
    ddp_model = DDP(ToyModel())
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(ddp_model.parameters(), lr=0.05, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[4, 6], gamma=0.1)
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        ddp_model.train()
        for inputs, labels in train_loader:
            optimizer.zero_grad()
            loss = loss_fn(ddp_model(inputs), labels)
            loss.backward()
            optimizer.step()
        scheduler.step()
        ddp_model.eval()
        correct, total = 0, 0
        with torch.no_grad():
            for inputs, labels in val_loader:
                correct += (ddp_model(inputs).argmax(1) == labels).sum().item()
                total += len(labels)
        if dist.get_rank() == 0:
            print(f"Epoch {epoch} | loss {loss.item():.4f} | accuracy {correct / total:.3f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
