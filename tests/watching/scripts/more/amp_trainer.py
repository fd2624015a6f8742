import argparse
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.amp import GradScaler, autocast


class Trainer(object):
    def __init__(self, args, net):
        self.net = net
        self.opt = torch.optim.AdamW(self.net.parameters(), lr=args.lr, weight_decay=1e-2)
        self.scaler = GradScaler('cpu', init_scale=1024.)
        self.loss_fn = nn.CrossEntropyLoss()
        self.bs = args.bs

    def fit_epoch(self, x, y):
        self.net.train()
        total, count = 0.0, 0
        for idx in torch.randperm(len(x)).split(self.bs):
            self.opt.zero_grad()
            with autocast('cpu', dtype=torch.bfloat16):
                loss = self.loss_fn(self.net(x[idx]), y[idx])
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.opt)
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), 2.0)
            self.scaler.step(self.opt)
            self.scaler.update()
            total += loss.item()
            count += 1
        return total / count

    @torch.no_grad()
    def score(self, x, y):
        self.net.eval()
        return (self.net(x).argmax(1) == y).float().mean().item()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--lr', default=2e-3, type=float)
    ap.add_argument('--bs', default=64, type=int)
    ap.add_argument('--epochs', default=6, type=int)
    args = ap.parse_args()
    torch.manual_seed(1)
    d = load_digits()
    x = torch.tensor(d.data / 8 - 1, dtype=torch.float32)
    y = torch.tensor(d.target)
    order = torch.randperm(len(x))
    x, y = x[order], y[order]
    t = Trainer(args, nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Dropout(0.1), nn.Linear(64, 10)))
    for e in range(args.epochs):
        loss = t.fit_epoch(x[:1400], y[:1400])
        print('epoch %d loss %.3f acc %.3f' % (e, loss, t.score(x[1400:], y[1400:])))


if __name__ == '__main__':
    main()
