"""Policy gradient (REINFORCE) in a corridor: walk right to the goal."""

import argparse
from collections import deque

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical

parser = argparse.ArgumentParser(description="REINFORCE")
parser.add_argument("--gamma", type=float, default=0.97)
parser.add_argument("--seed", type=int, default=543)
parser.add_argument("--episodes", type=int, default=60)
args = parser.parse_args()


class Corridor:
    """Seven cells; the walk starts in the middle, the right end gives 1, the left end nothing."""

    def reset(self):
        self.position, self.steps = 3, 0
        return self._observe()

    def step(self, action):
        self.position += 1 if action == 1 else -1
        self.steps += 1
        done = self.position in (0, 6) or self.steps >= 20
        return self._observe(), float(self.position == 6), done

    def _observe(self):
        return np.eye(7, dtype=np.float32)[self.position]


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(7, 24)
        self.affine2 = nn.Linear(24, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        return F.softmax(self.affine2(F.relu(self.affine1(x))), dim=1)


torch.manual_seed(args.seed)
env = Corridor()
policy = Policy()
optimizer = optim.Adam(policy.parameters(), lr=1e-2)
eps = np.finfo(np.float32).eps.item()


def select_action(state):
    state = torch.from_numpy(state).float().unsqueeze(0)
    probs = policy(state)
    m = Categorical(probs)
    action = m.sample()
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item()


def finish_episode():
    R = 0
    policy_loss = []
    returns = deque()
    for r in policy.rewards[::-1]:
        R = r + args.gamma * R
        returns.appendleft(R)
    returns = torch.tensor(returns)
    for log_prob, R in zip(policy.saved_log_probs, returns, strict=True):
        policy_loss.append(-log_prob * (R - 0.3))
    optimizer.zero_grad()
    policy_loss = torch.cat(policy_loss).sum()
    policy_loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_log_probs[:]


running_reward = 0.5
for i_episode in range(1, args.episodes + 1):
    state, done = env.reset(), False
    while not done:
        state, reward, done = env.step(select_action(state))
        policy.rewards.append(reward)
    running_reward = 0.05 * sum(policy.rewards) + 0.95 * running_reward
    finish_episode()
    if i_episode % 20 == 0:
        print(f"Episode {i_episode}\tAverage reward: {running_reward:.2f}")
