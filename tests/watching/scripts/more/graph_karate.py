"""Node classification by a hand-made graph convolution, all nodes at once."""
import torch
from torch import nn

torch.manual_seed(12)
n, classes = 150, 3
labels = torch.arange(n) % classes
same = labels[:, None] == labels[None, :]
adj = (torch.rand(n, n) < torch.where(same, 0.15, 0.02)).float()
adj = ((adj + adj.t() + torch.eye(n)) > 0).float()
norm = adj / adj.sum(1, keepdim=True)
feats = torch.randn(n, 10) + 0.6 * nn.functional.one_hot(labels, 10)
mask = torch.rand(n) < 0.5


class GCN(nn.Module):
    def __init__(self, d_in, d_hidden, d_out):
        super().__init__()
        self.lin1 = nn.Linear(d_in, d_hidden)
        self.lin2 = nn.Linear(d_hidden, d_out)
        self.drop = nn.Dropout(0.3)

    def forward(self, a, x):
        x = torch.relu(a @ self.lin1(x))
        x = self.drop(x)
        return a @ self.lin2(x)


gcn = GCN(10, 24, classes)
optimiser = torch.optim.Adam(gcn.parameters(), lr=0.01, weight_decay=5e-4)
for epoch in range(120):
    gcn.train()
    optimiser.zero_grad()
    out = gcn(norm, feats)
    loss = nn.functional.cross_entropy(out[mask], labels[mask])
    loss.backward()
    optimiser.step()
    if epoch % 20 == 0:
        gcn.eval()
        with torch.no_grad():
            guess = gcn(norm, feats).argmax(1)
            print(epoch, loss.item(), (guess[~mask] == labels[~mask]).float().mean().item())
