"""Objects whose class defines its own hash and equality are known by their identity."""

import gc
from pathlib import Path

import torch
from torch import Tensor, nn

import dlcheck
from dlcheck.runs.folder import RunFolder, read_events, read_object
from dlcheck.watching.living import ByIdentity, Living


class Score(nn.Module):
    """A module as metrics are: its hash is that of a state that its base does not know, and that changes."""

    def __init__(self) -> None:
        super().__init__()
        self.totals = [0.0]

    def __hash__(self) -> int:
        return hash(tuple(self.totals))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Score) and self.totals == other.totals

    def forward(self, answers: Tensor, labels: Tensor) -> Tensor:
        self.totals.append(float((answers.argmax(1) == labels).sum()))
        return torch.tensor(sum(self.totals))


def test_metrics_that_hash_their_state_are_no_failure(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with dlcheck.watch(model, optimizer, run_dir=tmp_path / "run") as run:
        scores = [Score() for _ in range(40)]
        for step in range(60):
            x = torch.randn(32, 6)
            labels = (x[:, 0] > 0).long()
            answers = model(x)
            loss = nn.functional.cross_entropy(answers, labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            scores[step % 40](answers.detach(), labels)
    folder = RunFolder.open(tmp_path / "run")
    assert "monitor-failed" not in {event.kind for event in read_events(folder.events)}
    assert "loss_calls" in read_object(folder.facts)
    assert run.verdict != "sick"


def test_entries_are_one_per_object_and_go_with_it() -> None:
    values: ByIdentity[Score, int] = ByIdentity()
    living: Living[Score] = Living()
    one, other = Score(), Score()
    assert one == other
    for number, score in enumerate((one, other)):
        values[score] = number
        living.add(score)
        living.add(score)
    one.totals.append(1.0)
    assert (values[one], values[other], len(living)) == (0, 1, 2)
    del other, score
    gc.collect()
    assert list(values) == [one] == list(living)
    assert len(values) == len(living) == 1
    del values[one]
    assert one not in values
