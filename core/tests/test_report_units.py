"""Physical units of what encoders say: kept with the run, written behind numbers, logarithms undone."""

from __future__ import annotations

from types import SimpleNamespace

from made_runs import run_folder

from pellucid.data.spec import Signal, Vector
from pellucid.entries import EncoderEntry
from pellucid.report.cases import bars_of
from pellucid.report.folder import RunFolder
from pellucid.report.pictures import units_of
from pellucid.running.document import units_said


def test_a_mean_is_in_the_units_of_its_signal_and_a_log_power_in_their_squares():
    entries = [
        EncoderEntry(name="window-means", label="means", input="eeg"),
        EncoderEntry(name="band-power", label="rhythms", input="eeg"),
        EncoderEntry(name="band-power", label="shares", input="eeg", relative="channel"),
        EncoderEntry(name="identity", input="ratings"),
    ]
    inputs = {
        "eeg": Signal(channels=("a",), length=9, rate_hz=9, units="uV"),
        "ratings": Vector(names=("margin",), units="mm"),
    }
    task = SimpleNamespace(
        study=SimpleNamespace(encoder=entries),
        dataset=SimpleNamespace(spec=SimpleNamespace(input=inputs.__getitem__)),
    )
    assert units_said(task) == {"means": "uV", "rhythms": "ln uV2"}


def test_numbers_of_a_case_have_units_and_logarithms_are_undone(tmp_path):
    plain = RunFolder.read(run_folder(tmp_path / "plain"))
    assert "shape:z3" not in units_of(plain)
    told = RunFolder.read(run_folder(tmp_path / "told", units={"shape": "ln uV2"}))
    units = units_of(told)
    assert units["shape:z3"] == "ln uV2"
    assert units["ratings:margin"] == "rating"
    rows = told.explanations[told.explanations["sample"] == told.explanations["sample"].iloc[0]]
    labels = bars_of(rows, units, singly=True).labels
    value = float(rows.loc[rows["unit"] == "shape:z3", "value"].iloc[0])
    (label,) = [one for one in labels if one.startswith("z3")]
    number, unit = label.partition(" = ")[2].split()
    assert unit == "uV²"
    assert abs(float(number) - 2.718281828**value) < 0.01


def test_places_of_a_learnt_encoder_are_one_bar_under_their_own_word(tmp_path):
    run = RunFolder.read(run_folder(tmp_path / "run"))
    rows = run.explanations[run.explanations["sample"] == run.explanations["sample"].iloc[0]].head(3)
    rows = rows.assign(comparable=False, unit=[f"net:atom {at}" for at in range(1, 4)])
    assert bars_of(rows, {}).labels == ("3 atoms of net",)
    assert bars_of(rows.assign(unit=[f"net:z{at}" for at in range(3)]), {}).labels == ("learnt code of net (3 units)",)
    assert bars_of(rows.assign(unit=[f"net:unit {at}" for at in range(3)]), {}).labels == (
        "learnt code of net (3 units)",
    )
