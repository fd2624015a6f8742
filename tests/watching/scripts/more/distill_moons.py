# Teacher and student
import torch
import torch.nn.functional as F
from sklearn.datasets import make_moons
from torch import nn

torch.manual_seed(8)
x, y = make_moons(1500, noise=0.15, random_state=1)
x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def mlp(width):
    return nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))


teacher, student = mlp(64), mlp(16)
teacher_opt = torch.optim.Adam(teacher.parameters(), lr=0.01)
for _ in range(150):
    rows = torch.randint(1200, (64,))
    teacher_opt.zero_grad()
    F.cross_entropy(teacher(x[rows]), y[rows]).backward()
    teacher_opt.step()

for p in teacher.parameters():
    p.requires_grad_(False)
student_opt = torch.optim.Adam(student.parameters(), lr=0.01)
T = 2.0
for step in range(200):
    rows = torch.randint(1200, (64,))
    with torch.no_grad():
        soft = F.softmax(teacher(x[rows]) / T, dim=1)
    out = student(x[rows])
    loss = F.kl_div(F.log_softmax(out / T, dim=1), soft, reduction='batchmean') * T * T + 0.5 * F.cross_entropy(out, y[rows])
    student_opt.zero_grad()
    loss.backward()
    student_opt.step()
with torch.no_grad():
    print('student', (student(x[1200:]).argmax(1) == y[1200:]).float().mean().item())
