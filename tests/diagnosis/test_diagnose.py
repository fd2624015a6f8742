import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dlcheck
from dlcheck.findings import Severity

EPOCHS = np.arange(60.0)


def table(**columns: np.ndarray) -> pd.DataFrame:
    train = 2 * np.exp(-EPOCHS / 8) + 0.3
    return pd.DataFrame({"epoch": EPOCHS, "loss": train, "val_loss": train + 0.05} | columns)


def overfit() -> pd.DataFrame:
    val = 2 * np.exp(-EPOCHS / 8) + 0.35 + 0.04 * np.maximum(EPOCHS - 20, 0)
    return table(loss=2 * np.exp(-EPOCHS / 12) + 0.05, val_loss=val)


def codes(diagnosis: dlcheck.Diagnosis) -> set[str]:
    return {finding.code for finding in diagnosis.findings}


def test_a_table_is_diagnosed() -> None:
    diagnosis = dlcheck.diagnose(overfit())
    assert "C409" in codes(diagnosis)
    assert diagnosis.worst is Severity.WARNING
    assert (diagnosis.reports[0].format, diagnosis.reports[0].verdict) == ("dataframe", "sick")
    assert "sick: C409 overfit" in str(diagnosis)


def test_findings_are_rows() -> None:
    frame = dlcheck.diagnose(overfit()).to_frame()
    row = frame.set_index("code").loc["C409"]
    assert (row["name"], row["severity"], row["primary"], row["metric"]) == ("overfit", "warning", True, "val_loss")
    assert frame["epoch"].dtype == "Int64"
    assert frame["step"].dtype == "Int64"


def test_no_findings_are_a_table_without_rows() -> None:
    frame = dlcheck.diagnose(table(), select=["C401"]).to_frame()
    assert frame.empty
    assert list(frame.columns) == list(dlcheck.diagnose(overfit()).to_frame().columns)


def test_a_path_and_its_table_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    overfit().to_csv(path, index=False)
    assert codes(dlcheck.diagnose(path)) == codes(dlcheck.diagnose(str(path))) == codes(dlcheck.diagnose(overfit()))


def test_several_paths_and_one_that_is_no_log(tmp_path: Path) -> None:
    overfit().to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "b.csv").write_bytes(b"\x00\x01")
    diagnosis = dlcheck.diagnose([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert len(diagnosis.reports) == 1
    assert [item.path.name for item in diagnosis.refused] == ["b.csv"]
    with pytest.raises(dlcheck.DlcheckError, match=r"b\.csv"):
        dlcheck.diagnose(tmp_path / "b.csv")


def test_a_run_is_diagnosed_as_it_is() -> None:
    run = dlcheck.diagnose(overfit()).reports[0].run
    assert codes(dlcheck.diagnose(run)) == codes(dlcheck.diagnose(overfit()))


def test_settings_reach_the_rules() -> None:
    assert "C409" not in codes(dlcheck.diagnose(overfit(), ignore=["C409"]))
    assert codes(dlcheck.diagnose(overfit(), select=["C409"])) == {"C409"}
    assert "C409" not in codes(dlcheck.diagnose(overfit(), thresholds={"C409": {"rise": 1e6}}))
    with pytest.raises(dlcheck.DlcheckError, match="no such rule"):
        dlcheck.diagnose(overfit(), select=["C999"])


def test_a_column_can_be_named() -> None:
    odd = overfit().rename(columns={"val_loss": "strange"})
    assert "C409" in codes(dlcheck.diagnose(odd, names={"val_loss": "strange"}))
    with pytest.raises(dlcheck.DlcheckError, match="stranger"):
        dlcheck.diagnose(odd, names={"val_loss": "stranger"})


@pytest.mark.parametrize("first", [0, 40])
def test_nan_to_the_end_of_a_column_was_logged(first: int) -> None:
    loss = 2 * np.exp(-EPOCHS / 8) + 0.3
    loss[first:] = np.nan
    (finding,) = [item for item in dlcheck.diagnose(table(loss=loss)).findings if item.code == "C401"]
    assert finding.where.epoch == first


def test_nan_before_a_number_was_not_logged_and_that_is_said() -> None:
    sparse = (2 * np.exp(-EPOCHS / 8) + 0.35).copy()
    sparse[EPOCHS % 5 != 4] = np.nan
    diagnosis = dlcheck.diagnose(table(val_loss=sparse))
    assert "C401" not in codes(diagnosis)
    run = diagnosis.reports[0].run
    assert len(run.curve("loss", "val")) == 12
    assert "NaN in column 'val_loss' is taken for not logged" in str(run.meta["inferred"])


def test_where_a_column_knows_absent_nan_is_nan() -> None:
    cells: list[float | None] = [1.0, None, float("nan"), 0.8, 0.7, 0.6]
    frame = pd.DataFrame({"epoch": range(6), "loss": pd.Series(cells, dtype=object)})
    curve = dlcheck.diagnose(frame).reports[0].run.curve("loss")
    assert curve.epochs.tolist() == [0, 2, 3, 4, 5]
    assert np.isnan(curve.values[1])


def test_a_table_without_a_curve_is_refused() -> None:
    frame = pd.DataFrame({"name": ["a", "b"], "size": [1, 2]})
    with pytest.raises(dlcheck.DlcheckError, match="the table: no training log"):
        dlcheck.diagnose(frame)


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import sys, dlcheck; print([n for n in ('pandas', 'numpy', 'torch', 'rich') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_public_names_are_there() -> None:
    assert set(dlcheck.__all__) <= {*dir(dlcheck)}
    for name in dlcheck.__all__:
        assert getattr(dlcheck, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        dlcheck.nonsense  # type: ignore[attr-defined]  # noqa: B018
