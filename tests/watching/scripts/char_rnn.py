"""Character language model: LSTM, tied embeddings, truncated back-propagation through time, clipping."""

import argparse
import math
import random

import torch
import torch.nn as nn


class RNNModel(nn.Module):
    def __init__(self, ntoken, nhid, dropout=0.1):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, nhid)
        self.rnn = nn.LSTM(nhid, nhid)
        self.decoder = nn.Linear(nhid, ntoken)
        self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        self.nhid = nhid
        self.ntoken = ntoken

    def forward(self, tokens, hidden):
        emb = self.drop(self.encoder(tokens))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output))
        return decoded.view(-1, self.ntoken), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return weight.new_zeros(1, bsz, self.nhid), weight.new_zeros(1, bsz, self.nhid)


def make_text(length):
    """Sentences of a small grammar."""
    rng = random.Random(0)
    nouns = ["cat", "dog", "bird", "child", "old man"]
    verbs = ["sees", "follows", "likes", "hears"]
    text = ""
    while len(text) < length:
        text += f"the {rng.choice(nouns)} {rng.choice(verbs)} the {rng.choice(nouns)}. "
    return text[:length]


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    return data[: nbatch * bsz].view(bsz, -1).t().contiguous()


def get_batch(source, i, bptt):
    seq_len = min(bptt, len(source) - 1 - i)
    return source[i : i + seq_len], source[i + 1 : i + 1 + seq_len].view(-1)


def repackage_hidden(h):
    return tuple(v.detach() for v in h)


parser = argparse.ArgumentParser()
parser.add_argument("--bptt", type=int, default=25)
parser.add_argument("--batch_size", type=int, default=16)
parser.add_argument("--nhid", type=int, default=48)
parser.add_argument("--lr", type=float, default=5.0)
parser.add_argument("--clip", type=float, default=0.5)
parser.add_argument("--epochs", type=int, default=5)
args = parser.parse_args()

torch.manual_seed(1111)
text = make_text(24000)
vocabulary = sorted(set(text))
codes = torch.tensor([vocabulary.index(c) for c in text])
train_data = batchify(codes[:20000], args.batch_size)
val_data = batchify(codes[20000:], 8)

model = RNNModel(len(vocabulary), args.nhid)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=args.lr)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.8)


def evaluate(source):
    model.eval()
    total_loss = 0.0
    hidden = model.init_hidden(8)
    with torch.no_grad():
        for i in range(0, source.size(0) - 1, args.bptt):
            data, targets = get_batch(source, i, args.bptt)
            output, hidden = model(data, hidden)
            hidden = repackage_hidden(hidden)
            total_loss += len(data) * criterion(output, targets).item()
    return total_loss / (len(source) - 1)


def train():
    model.train()
    total_loss = 0.0
    hidden = model.init_hidden(args.batch_size)
    for i in range(0, train_data.size(0) - 1, args.bptt):
        data, targets = get_batch(train_data, i, args.bptt)
        model.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = model(data, hidden)
        loss = criterion(output, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip)
        optimizer.step()
        total_loss += loss.item()
    return total_loss / math.ceil((len(train_data) - 1) / args.bptt)


for epoch in range(1, args.epochs + 1):
    train_loss = train()
    val_loss = evaluate(val_data)
    scheduler.step()
    print(f"| epoch {epoch} | train {train_loss:5.2f} | valid {val_loss:5.2f} | ppl {math.exp(val_loss):8.2f}")
