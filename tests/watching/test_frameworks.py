"""The callbacks for Lightning and Hugging Face, in the real libraries."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from dlcheck.report.report import Report
from dlcheck.runs import read_run

pytestmark = pytest.mark.filterwarnings("ignore")


def data() -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(256, 8, generator=generator)
    return TensorDataset(x, (x[:, 0] + x[:, 1] > 0).long())


def lightning_report(tmp_path: Path, *, softmax: bool) -> tuple[Report, list[Tensor]]:
    lightning = pytest.importorskip("lightning.pytorch")
    from dlcheck.watching.lightning import DlcheckCallback

    class Module(lightning.LightningModule):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))

        def training_step(self, batch: list[Tensor], index: int) -> Tensor:
            output = self.net(batch[0])
            return nn.functional.cross_entropy(output.softmax(1) if softmax else output, batch[1])

        def validation_step(self, batch: list[Tensor], index: int) -> None:
            self.log("val_loss", nn.functional.cross_entropy(self.net(batch[0]), batch[1]))

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=0.01)

    torch.manual_seed(0)
    callback = DlcheckCallback(tmp_path / "run", quiet=True)
    trainer = lightning.Trainer(
        max_epochs=8,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        callbacks=[callback],
        accelerator="cpu",
    )
    module = Module()
    held = torch.utils.data.Subset(data(), range(192, 256))
    train = torch.utils.data.Subset(data(), range(192))
    trainer.fit(module, DataLoader(train, 32, shuffle=True), DataLoader(held, 32))
    assert callback.report is not None
    return callback.report, [p.detach() for p in module.parameters()]


def test_lightning_leaves_a_run_that_is_judged(tmp_path: Path) -> None:
    report, _ = lightning_report(tmp_path, softmax=False)
    assert not [one for one in report.outcome.findings if one.severity.label != "info"]
    run = read_run(tmp_path / "run")
    assert len(run.curve("batch_loss")) == 48
    assert len(run.curve("loss", "val")) >= 7
    assert set(run.layers["layer"]) >= {"net.0", "net.2"}


def test_lightning_a_softmax_too_many_is_found(tmp_path: Path) -> None:
    report, _ = lightning_report(tmp_path, softmax=True)
    assert "M206" in {one.code for one in report.outcome.findings if one.primary}


def test_hugging_face_leaves_a_run_that_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from dlcheck.watching.huggingface import DlcheckCallback

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    model = transformers.BertForSequenceClassification(config)
    codes = torch.randint(3, 30, (160, 12))
    rows = [{"input_ids": row, "labels": int(row[0] > 16)} for row in codes]
    callback = DlcheckCallback(tmp_path / "run", quiet=True)
    arguments = transformers.TrainingArguments(
        output_dir="out",
        num_train_epochs=4,
        per_device_train_batch_size=16,
        report_to=[],
        use_cpu=True,
        save_strategy="no",
        disable_tqdm=True,
        learning_rate=1e-2,
        eval_strategy="epoch",
    )
    trainer = transformers.Trainer(
        model=model, args=arguments, train_dataset=rows[:128], eval_dataset=rows[128:], callbacks=[callback]
    )
    trainer.train()
    assert callback.report is not None
    assert not [one.summary for one in callback.report.outcome.findings if one.severity.label != "info"]
    run = read_run(tmp_path / "run")
    assert len(run.curve("batch_loss")) == 32
    assert "classifier" in set(run.layers["layer"])
