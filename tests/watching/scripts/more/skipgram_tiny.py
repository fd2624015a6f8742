import torch
import torch.nn as nn
import torch.optim as optim

text = ("the cat sat on the mat the dog sat on the rug a cat and a dog ran to the door " * 12).split()
vocab = sorted(set(text))
ids = {w: i for i, w in enumerate(vocab)}
pairs = [(ids[text[i]], ids[text[j]]) for i in range(len(text)) for j in range(max(0, i - 2), min(len(text), i + 3)) if i != j]


class SkipGram(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, centre):
        return torch.log_softmax(self.out(self.embed(centre)), dim=1)


torch.manual_seed(0)
centres = torch.tensor([a for a, _ in pairs])
contexts = torch.tensor([b for _, b in pairs])
model = SkipGram(len(vocab), 12)
loss_function = nn.NLLLoss()
optimizer = optim.SGD(model.parameters(), lr=0.5)
for epoch in range(6):
    total_loss = 0
    for rows in torch.randperm(len(centres)).split(32):
        model.zero_grad()
        log_probs = model(centres[rows])
        loss = loss_function(log_probs, contexts[rows])
        loss.backward()
        optimizer.step()
        total_loss += loss.item()
    print(epoch, total_loss)
