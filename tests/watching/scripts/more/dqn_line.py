import random
from collections import deque
import torch
import torch.nn as nn
import torch.nn.functional as F

random.seed(1); torch.manual_seed(1)
N = 8

class QNet(nn.Module):
    def __init__(self):
        super(QNet, self).__init__()
        self.fc1 = nn.Linear(N, 32)
        self.fc2 = nn.Linear(32, 2)
    def forward(self, s):
        return self.fc2(F.relu(self.fc1(s)))

def onehot(s):
    v = torch.zeros(N); v[s] = 1.
    return v

policy, target = QNet(), QNet()
target.load_state_dict(policy.state_dict())
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
memory = deque(maxlen=2000)
steps = 0

def optimize():
    batch = random.sample(memory, 32)
    s, a, r, s2, d = (torch.stack([b[k] for b in batch]) for k in range(5))
    q = policy(s).gather(1, a.unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        want = r + 0.9 * target(s2).max(1).values * (1 - d)
    loss = F.smooth_l1_loss(q, want)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

for episode in range(40):
    s, total = 0, 0.
    for _ in range(20):
        a = random.randrange(2) if random.random() < 0.4 else policy(onehot(s)).argmax().item()
        s2 = max(0, min(N - 1, s + (1 if a else -1)))
        done = s2 == N - 1
        memory.append((onehot(s), torch.tensor(a), torch.tensor(1. if done else 0.), onehot(s2), torch.tensor(float(done))))
        s, steps = s2, steps + 1
        if len(memory) >= 64:
            total += optimize()
        if steps % 50 == 0:
            target.load_state_dict(policy.state_dict())
        if done:
            break
print('last losses', total)
