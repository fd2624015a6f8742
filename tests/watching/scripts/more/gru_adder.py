import torch
from torch import nn

torch.manual_seed(21)


class Adder(nn.Module):
    def __init__(self, hidden_size=32):
        super().__init__()
        self.rnn = nn.GRU(2, hidden_size, batch_first=True)
        self.fc = nn.Linear(hidden_size, 1)

    def forward(self, x, hidden=None):
        out, hidden = self.rnn(x, hidden)
        return self.fc(out[:, -1]).squeeze(1), hidden


def sample(n, length=6):
    values = torch.rand(n, length) - 0.5
    marks = torch.zeros(n, length)
    marks.scatter_(1, torch.rand(n, length).topk(2).indices, 1)
    return torch.stack([values, marks], -1), (values * marks).sum(1)


def train_epoch(model, optimizer, criterion, x, y, batch=50):
    model.train()
    total = 0.0
    for k in range(0, len(x), batch):
        optimizer.zero_grad()
        out, _ = model(x[k:k + batch])
        loss = criterion(out, y[k:k + batch])
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / (len(x) // batch)


if __name__ == '__main__':
    model = Adder()
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[6, 8], gamma=0.3)
    x, y = sample(1000)
    test_x, test_y = sample(200)
    for epoch in range(10):
        loss = train_epoch(model, optimizer, criterion, x, y)
        scheduler.step()
        model.eval()
        with torch.no_grad():
            print(epoch, loss, criterion(model(test_x)[0], test_y).item())
