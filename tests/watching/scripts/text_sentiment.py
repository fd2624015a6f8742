"""Sentiment of short reviews with an embedding bag; complaints are rare, so the loss weighs classes."""

import random

import torch
from torch import nn
from torch.utils.data import DataLoader

GOOD = ["great", "lovely", "excellent", "fine", "superb", "warm", "friendly", "tasty"]
BAD = ["awful", "cold", "rude", "bland", "broken", "slow", "dirty", "terrible"]
PLAIN = [
    "the",
    "a",
    "food",
    "service",
    "place",
    "was",
    "is",
    "and",
    "we",
    "they",
    "room",
    "table",
    "very",
    "it",
    "staff",
    "dinner",
    "today",
    "here",
]


def write_review(rng, complaint):
    words = rng.choices(PLAIN, k=rng.randint(6, 14)) + rng.choices(BAD if complaint else GOOD, k=2)
    if rng.random() < 0.3:
        words.append(rng.choice(GOOD if complaint else BAD))
    rng.shuffle(words)
    return " ".join(words)


def make_reviews(count, seed):
    rng = random.Random(seed)
    labels = [int(rng.random() < 0.08) for _ in range(count)]
    return [(label, write_review(rng, label == 1)) for label in labels]


class TextClassificationModel(nn.Module):
    def __init__(self, vocab_size, embed_dim, num_class):
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocab_size, embed_dim, sparse=False)
        self.fc = nn.Linear(embed_dim, num_class)

    def forward(self, text, offsets):
        return self.fc(self.embedding(text, offsets))


def main():
    torch.manual_seed(44)
    train_reviews, val_reviews = make_reviews(1200, 0), make_reviews(400, 1)
    vocabulary = {word: code for code, word in enumerate(sorted({w for _, r in train_reviews for w in r.split()}))}

    def collate_batch(batch):
        labels = torch.tensor([label for label, _ in batch])
        texts = [torch.tensor([vocabulary[w] for w in review.split() if w in vocabulary]) for _, review in batch]
        offsets = torch.tensor([0] + [len(t) for t in texts[:-1]]).cumsum(dim=0)
        return labels, torch.cat(texts), offsets

    train_loader = DataLoader(train_reviews, batch_size=32, shuffle=True, collate_fn=collate_batch)
    val_loader = DataLoader(val_reviews, batch_size=100, collate_fn=collate_batch)
    model = TextClassificationModel(len(vocabulary), 16, 2)
    share = sum(label for label, _ in train_reviews) / len(train_reviews)
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([0.5 / (1 - share), 0.5 / share]))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for epoch in range(1, 7):
        model.train()
        for label, text, offsets in train_loader:
            optimizer.zero_grad()
            predicted = model(text, offsets)
            loss = criterion(predicted, label)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        model.eval()
        found, complaints, right = 0, 0, 0
        with torch.no_grad():
            for label, text, offsets in val_loader:
                answer = model(text, offsets).argmax(1)
                right += (answer == label).sum().item()
                found += ((answer == 1) & (label == 1)).sum().item()
                complaints += label.sum().item()
        print(f"epoch {epoch}  accuracy {right / len(val_reviews):.3f}  complaints found {found}/{complaints}")


if __name__ == "__main__":
    main()
