import torch, torch.nn as nn
torch.manual_seed(5)
users, items, k = 60, 80, 4
true = (torch.randn(users, k) @ torch.randn(k, items)) / k ** .5
u, i = torch.randint(users, (6000,)), torch.randint(items, (6000,))
r = true[u, i] + .1 * torch.randn(6000)

class MF(nn.Module):
    def __init__(self):
        super().__init__()
        self.U, self.V = nn.Embedding(users, 8), nn.Embedding(items, 8)
        nn.init.normal_(self.U.weight, std=.3); nn.init.normal_(self.V.weight, std=.3)
    def forward(self, u, i):
        return (self.U(u) * self.V(i)).sum(-1)

m = MF()
optim = torch.optim.Adam(m.parameters(), 0.02)
lossf = nn.MSELoss()
for epoch in range(8):
    total = 0
    for b in torch.randperm(5000).split(100):
        loss = lossf(m(u[b], i[b]), r[b])
        optim.zero_grad()
        loss.backward()
        optim.step()
        total += loss.item()
    with torch.no_grad():
        val = lossf(m(u[5000:], i[5000:]), r[5000:]).item()
    print(epoch, total / 50, val)
