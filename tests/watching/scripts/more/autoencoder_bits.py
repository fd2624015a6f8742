import torch
from torch import nn
from sklearn.datasets import load_digits

X = torch.tensor(load_digits().images, dtype=torch.float).flatten(1) / 16
X = X[torch.randperm(len(X), generator=torch.Generator().manual_seed(0))]
train, test = X[:1500], X[1500:]

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 12))
decoder = nn.Sequential(nn.ReLU(), nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 64))
model = nn.Sequential(encoder, decoder)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.MSELoss()

losses = []
for epoch in range(10):
    for batch in train[torch.randperm(len(train))].split(50):
        optimizer.zero_grad()
        reconstruction = model(batch)
        loss = criterion(reconstruction, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        error = criterion(model(test), test).item()
    print(f'{epoch}: {sum(losses[-30:]) / 30:.4f} {error:.4f}')
