"""``dlcheck watch`` killed at random moments leaves a run folder that can be diagnosed."""

from pathlib import Path

import pandas as pd
import pytest

from tests.crash.killing import Killer, Whom, kills, readable, whole

SCRIPT = """
import torch
torch.manual_seed(0)
x = torch.randn(512, 8)
data = torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True))
loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True, num_workers=WORKERS)
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(EPOCHS):
    for inputs, target in loader:
        loss = ((model(inputs) - target) ** 2).mean()
        optimizer.zero_grad(); loss.backward(); optimizer.step()
    print(epoch, flush=True)
"""
VICTIMS: list[Whom] = ["first", "all", "one"]
pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "epochs", "wanted"), [(0, 30, 16), (2, 6, 10)])
def test_a_watched_script_killed_at_any_moment_can_be_diagnosed(
    workers: int, epochs: int, wanted: int, tmp_path: Path
) -> None:
    killer = Killer()
    script = SCRIPT.replace("WORKERS", str(workers)).replace("EPOCHS", str(epochs))
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    status, took_s = whole(["watch", "--run-dir", "whole", "script.py"], tmp_path)
    assert status in (0, 1), (tmp_path / "output.txt").read_text()
    full, count, grown = pd.read_csv(tmp_path / "whole" / "steps.csv"), 0, 0
    while killer.kills < kills(wanted):
        count += 1
        path = tmp_path / f"run-{count}"
        told = f"seed {killer.seed}, {workers} loader workers, run {count}, after {killer.kills} kills"
        killer.kill(["watch", "--run-dir", path.name, "script.py"], tmp_path, took_s, killer.chance.choice(VICTIMS))
        assert readable(path), told
        table = path / "steps.csv"
        steps = pd.read_csv(table) if table.exists() else pd.DataFrame()
        if len(steps):
            grown += 1
            both = steps.merge(full, on="step", suffixes=("", "_whole"))
            assert steps["step"].is_monotonic_increasing, told
            assert len(both), told
            pd.testing.assert_series_equal(both["loss"], both["loss_whole"], check_names=False, check_exact=True)
    assert grown
    assert (tmp_path / "script.py").read_text(encoding="utf-8") == script
    print(f"watch, {workers} loader workers: {killer.kills} kills, a whole run {took_s:.1f} s")
