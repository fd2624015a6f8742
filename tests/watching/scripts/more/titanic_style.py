# %% [markdown]
# # Passenger survival, exported from a notebook
# %%
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
rng = np.random.default_rng(4)
n = 1200
age = rng.uniform(1, 80, n); fare = rng.exponential(30, n); sex = rng.integers(0, 2, n); cls = rng.integers(1, 4, n)
z = 2.2*sex - 0.03*(age-30) + 0.01*fare - 0.8*(cls-2)
survived = (z + rng.logistic(0, .5, n) > 0).astype(np.float32)
# %%
X = np.stack([(age-40)/23, np.log1p(fare)-3, sex, cls-2], 1).astype(np.float32)
idx = rng.permutation(n); tr, va = idx[:900], idx[900:]
Xtr, ytr = torch.tensor(X[tr]), torch.tensor(survived[tr])
Xva, yva = torch.tensor(X[va]), torch.tensor(survived[va])
# %%
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Dropout(.1), nn.Linear(32, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
hist = []
for ep in range(12):
    net.train()
    perm = torch.randperm(900)
    tot = 0.
    for i in range(0, 900, 50):
        b = perm[i:i+50]
        out = net(Xtr[b]).squeeze(1)
        loss = F.binary_cross_entropy_with_logits(out, ytr[b])
        opt.zero_grad(); loss.backward()
        opt.step()
        tot += loss.item()
    net.eval()
    with torch.no_grad():
        acc = ((net(Xva).squeeze(1) > 0) == (yva > 0.5)).float().mean()
    hist.append(acc.item())
    print(ep, tot/18, hist[-1])
