"""Records of one's own with a table of labels, some of them broken."""

from __future__ import annotations

import json

import numpy as np
import pytest
from made_databases import LEADS, signals, write_folder, write_record

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid.opening import dataset
from pellucid_ecg.databases.folder import EcgFolder, EcgFolderConfig
from pellucid_ecg.recordings.objects import recording_of

SHORT = {"seconds": 2.0}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))


def opened(folder, **options):
    return EcgFolder(EcgFolderConfig(**(SHORT | options)), folder)


def left_out(data):
    return [f for f in data.findings if f.done == "left out"]


def test_a_table_and_its_records_become_a_dataset(tmp_path):
    data = opened(write_folder(tmp_path / "data", 6), covariates=("age",), trivial=("age",))
    assert data.frame["label"].tolist() == [0, 1] * 3
    assert data.frame["subject"].tolist()[:3] == [pseudonym(p, "ecg-folder") for p in ("p0", "p0", "p1")]
    assert data.frame["age"].tolist() == [20, 21, 22, 23, 24, 25]
    np.testing.assert_allclose(
        data.read(np.array([4, 1])).inputs["ecg"],
        np.stack([signals(4, length=200), signals(1, length=200)]) / 1000,
        atol=1e-6,
    )
    assert data.spec.trivial == ("age",)


def test_several_labels_are_targets_of_their_own_and_one_together(tmp_path):
    folder = write_folder(tmp_path / "data", 4, header="record,subject,wide,late")
    (folder / "labels.csv").write_text("record,subject,wide,late\na000,p,1,0\na001,q,0,\na002,r,1,1\n")
    data = opened(folder, labels=("wide", "late"))
    assert set(data.spec.targets) == {"wide", "late", "labels"}
    assert data.target_values("labels")[[0, 2]].tolist() == [[1, 0], [1, 1]]
    assert np.isnan(data.target_values("late")[1, 0])
    assert len(data.labelled("labels")) == 2
    assert len(data.labelled("wide")) == 3


def test_names_of_files_are_not_shown_unless_a_column_of_names_is_given(tmp_path):
    folder = write_folder(tmp_path / "data", 4)
    (folder / "a003.dat").unlink()
    data = opened(folder, skip_broken=True)
    assert "a00" not in data.frame.to_csv() + str(data.findings)
    named = opened(folder, skip_broken=True, sample="record")
    assert named.frame.index.tolist() == ["a000", "a001", "a002"]


def test_a_record_at_another_rate_is_resampled(tmp_path):
    folder = write_folder(tmp_path / "data", 4)
    time = np.arange(1000) / 500
    wave = np.tile(800 * np.sin(2 * np.pi * 3 * time), (12, 1)).astype("<i2")
    write_record(folder / "a001", wave, rate_hz=500)
    read = opened(folder).read(np.array([1])).inputs["ecg"][0]
    expected = 0.8 * np.sin(2 * np.pi * 3 * np.arange(200) / 100)
    assert np.abs(read[0, 20:180] - expected[20:180]).max() < 0.01


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("recrod,subject,label,age", r"no column 'record'; did you mean 'recrod'"),
        ("record,patient,label,age", r"no column 'subject'"),
        ("record,subject,lable,age", r"no column 'label'; did you mean 'lable'"),
        ("record;subject;label;age", r"semicolons part its columns"),
        ("record,subject,label,label", r"column 'label' stands more than once"),
    ],
)
def test_a_column_that_is_missing_is_answered_with_the_nearest(tmp_path, header, said):
    folder = write_folder(tmp_path / "data", 4, header=header)
    if ";" in header:
        (folder / "labels.csv").write_text("record;subject;label\na000;p;1\n")
    with pytest.raises(DataError, match=said):
        opened(folder)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a009,p0,2,30", "line 6, column 'label': is 2; write 0 or 1"),
        ("a009,,1,30", "line 6, column 'subject': is empty"),
        (",p0,1,30", "line 6, column 'record': is empty"),
        ("a000,p0,1,30", "line 6, column 'record': stands in line 2 already"),
        ("../a000,p0,1,30", "'..'"),
        ("a000,p0,1", "line 6: 3 cells"),
        ('"a000,p0,1,30', "quotation mark"),
        ("a009,p0,1,old", "line 6, column 'age': is no number"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path, row, said):
    folder = write_folder(tmp_path / "data", 4)
    with (folder / "labels.csv").open("a") as file:
        file.write(row + "\n")
    with pytest.raises(DataError) as caught:
        opened(folder, covariates=("age",))
    assert said in str(caught.value)


def test_tables_that_are_none_are_refused(tmp_path):
    folder = write_folder(tmp_path / "data", 2)
    for content, said in (
        (b"", "is empty"),
        (b"record,subject,label\n", "no rows"),
        (b"\xff\xfe\x00", "no text in UTF-8"),
    ):
        (folder / "labels.csv").write_bytes(content)
        with pytest.raises(DataError, match=said):
            opened(folder)
    (folder / "labels.csv").unlink()
    with pytest.raises(DataError, match="there is no table"):
        opened(folder)
    with pytest.raises(DataError, match="--data DIR"):
        EcgFolder()


def broken_in_every_way(folder):
    """Seven records broken, each in its own way; what is to be said of each."""
    whole = signals(0, length=200)
    (folder / "a001.dat").unlink()
    (folder / "a002.dat").write_bytes((folder / "a002.dat").read_bytes()[:-100])
    (folder / "a003.hea").write_text((folder / "a003.hea").read_text().replace(" 16 1000", " 999 1000"))
    write_record(folder / "a004", whole, gain=0)
    write_record(folder / "a005", signals(5, length=150))
    write_record(folder / "a006", signals(6, 3, 200), leads=("I", "II", "V1"))
    (folder / "a007.hea").write_bytes(b"\x00\x01not a header")
    return {
        "a001": "a001.dat",
        "a002": "a002",
        "a003": "999",
        "a004": "gain of 0",
        "a005": "1.5 s long, and 2 s are asked for",
        "a006": "no lead",
        "a007": "not a WFDB header",
    }


def test_each_way_to_be_broken_is_named(tmp_path):
    folder = write_folder(tmp_path / "data", 12)
    expected = broken_in_every_way(folder)
    with pytest.raises(
        DataError, match=r"7 of 12 recordings cannot be used. The first is a001 \(labels\.csv, line 3\)"
    ):
        opened(folder, sample="record")
    data = opened(folder, sample="record", skip_broken=True)
    told = {f.sample: f.where for f in left_out(data)}
    assert set(told) == set(expected)
    for name, words in expected.items():
        assert words in told[name], told[name]
    assert len(data) == 5


def test_what_a_header_quotes_of_a_person_is_not_in_the_list_of_what_was_left_out(tmp_path):
    folder = write_folder(tmp_path / "Doe", 8)
    for name, old, new in (
        ("a001", "a001.dat", "Doe,John.dat"),
        ("a002", " V6\n", " Mr Doe\n"),
        ("a003", "/mV", "/Doe"),
        ("a004", " 16 0 ", " 16 Doe "),
        ("a005", "a005.dat", "../Doe.dat"),
    ):
        header = folder / f"{name}.hea"
        header.write_text(header.read_text().replace(old, new))
    with pytest.raises(DataError, match=r"Doe,John\.dat"):
        opened(folder)
    data = opened(folder, sample="record", skip_broken=True)
    assert len(left_out(data)) == 5
    assert "Doe" not in str(data.findings)


def test_a_further_signal_is_told_by_its_number(tmp_path):
    folder = write_folder(tmp_path / "data", 4)
    stored = np.vstack([signals(1, length=200), np.zeros((1, 200), "<i2")])
    write_record(folder / "a001", stored, leads=(*LEADS, "Mr Doe"))
    told = opened(folder, sample="record").findings
    assert [found.where for found in told if found.what == "flat lead"] == ["signal 13"]
    assert "Doe" not in str(told)


@pytest.mark.parametrize("again", ["a001.hea", "a001.dat"])
def test_a_record_that_stands_twice_is_refused_however_it_is_named(tmp_path, again):
    folder = write_folder(tmp_path / "data", 4)
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace("a002", again))
    with pytest.raises(DataError, match="line 3 already"):
        opened(folder)


@pytest.mark.parametrize(
    "options",
    [
        {"covariates": ("label",)},
        {"covariates": ("age", "age")},
        {"covariates": ("subject",)},
        {"labels": ("subject",), "subject": "label"},
        {"labels": ("split",)},
        {"leads": ("II", "ii")},
        {"leads": ("",)},
    ],
)
def test_columns_that_would_hide_each_other_are_refused(options):
    with pytest.raises(ValueError, match=r"column|covariates|lead"):
        EcgFolderConfig(**options)


def test_a_path_that_no_disk_takes_is_a_broken_record(tmp_path):
    folder = write_folder(tmp_path / "data", 4)
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace("a002", "x" * 5000))
    with pytest.raises(DataError, match=r"1 of 4 recordings cannot be used\..*too long"):
        opened(folder)


STUDY = """
title = "Can it be told apart?"
dataset = "ecg-folder"
target = "label"
protocols = ["subject-holdout"]
[options.ecg-folder]
seconds = 2.0
sample = "record"
covariates = ["age"]
[[encoder]]
input = "covariates"
name = "identity"
[[head]]
name = "linear"
[training]
epochs = 1
"""


def pellucid(*arguments):
    from pellucid.command.commands import app

    app([str(argument) for argument in arguments], standalone_mode=False)


def others(folder, count=20):
    """A folder of other people, of which one record is broken."""
    write_folder(folder, count)
    (folder / "labels.csv").write_text((folder / "labels.csv").read_text().replace(",p", ",q"))
    (folder / "a003.dat").unlink()
    return folder


def test_500_records_of_which_3_are_broken(tmp_path):
    """Refused by default, with nothing written; with --skip-broken the three are in run.json, and evaluation agrees."""
    folder, study, out = write_folder(tmp_path / "data", 500), tmp_path / "study.toml", tmp_path / "run"
    study.write_text(STUDY)
    (folder / "a017.dat").unlink()
    (folder / "a250.hea").write_text("nothing\n")
    write_record(folder / "a499", signals(1, length=20))
    said = r"3 of 500 recordings cannot be used. The first is a017 \(labels\.csv, line 19\).*--skip-broken"
    with pytest.raises(DataError, match=said):
        pellucid("run", study, "--data", folder, "--out", out)
    assert not out.exists()
    pellucid("run", study, "--data", folder, "--out", out, "--skip-broken")
    document = json.loads((out / "run.json").read_text())
    left = {f["sample"]: f for f in document["findings"] if f["done"] == "left out"}
    assert set(left) == {"a017", "a250", "a499"}
    assert all(f["what"] == "cannot be used" and f["where"] for f in left.values())
    assert document["study"]["options"]["ecg-folder"]["skip_broken"] is True
    assert sum(row["samples"] for row in document["cohort"]) == 497
    report = (out / "report.html").read_text()
    assert all(name in report for name in left)
    with pytest.raises(DataError, match="3 of 500"):
        pellucid("run", study, "--data", folder, "--out", out)
    # The run skips broken ones, and so does its evaluation.
    pellucid("evaluate", out, "--data", others(tmp_path / "other"), "--out", tmp_path / "e.json")
    evaluation = json.loads((tmp_path / "e.json").read_text())
    assert evaluation["n_samples"] == 19
    assert [f["sample"] for f in evaluation["findings"] if f["done"] == "left out"] == ["a003"]


def test_an_evaluation_may_skip_where_the_run_did_not_and_says_whom(tmp_path, capsys):
    folder, study, out = write_folder(tmp_path / "data", 40), tmp_path / "study.toml", tmp_path / "run"
    study.write_text(STUDY)
    pellucid("run", study, "--data", folder, "--out", out)
    other = others(tmp_path / "other")
    with pytest.raises(DataError, match="1 of 20 recordings cannot be used"):
        pellucid("evaluate", out, "--data", other)
    capsys.readouterr()
    pellucid("evaluate", out, "--data", other, "--skip-broken")
    said = " ".join(capsys.readouterr().out.split())
    assert "1 sample could not be used and was left out." in said
    assert "Cannot be used: a003 (" in said
    assert 'All of it: under "findings" in the file that --out FILE.json writes' in said, "19 others are of noise"
    pellucid("evaluate", out, "--data", other, "--skip-broken", "--out", tmp_path / "e.json")
    said = " ".join(capsys.readouterr().out.split())
    assert f'All of it: under "findings" in {tmp_path / "e.json"}' in said
    evaluation = json.loads((tmp_path / "e.json").read_text())
    assert evaluation["n_samples"] == 19
    assert [f["sample"] for f in evaluation["findings"] if f["done"] == "left out"] == ["a003"]


def test_a_model_reads_recordings_that_are_open_already(tmp_path):
    import wfdb

    import pellucid as pl

    folder, out = write_folder(tmp_path / "data", 40), tmp_path / "run"
    settings = {
        "title": "t", "dataset": "ecg-folder", "target": "label", "protocols": ["subject-holdout"], "training": {"epochs": 1},
        "options": {"ecg-folder": {"seconds": 2.0}}, "encoder": [{"name": "cnn", "input": "ecg"}], "head": [{"name": "linear"}],
    }  # fmt: skip
    run = pl.study(settings).run(out, folder)
    model = pl.load(run.path)
    expected = model.predict(opened(folder))["label"].to_numpy()[:2]
    given = [wfdb.rdrecord(str(folder / "a000")), signals(1, length=200) / 1000]
    predicted = model.predict(given)
    assert predicted.index.tolist() == ["given-1", "given-2"]
    np.testing.assert_allclose(predicted["label"], expected, atol=1e-5)
    with pytest.raises(DataError, match="1 s long, and 2 s are asked for"):
        model.predict(signals(1, length=100) / 1000)
    normalised = recording_of(signals(1, length=200) / 1000, rate_hz=100, leads=LEADS, units="NU")
    with pytest.raises(DataError, match=r"is in normalised unit, but the models of .* have learnt from values in mV"):
        model.predict(normalised)


def test_options_that_contradict_each_other_are_refused(tmp_path):
    from pellucid.errors import StudyError

    for options, said in (
        ({"labels": []}, "at least one column"),
        ({"labels": ["labels", "x"]}, "cannot be called 'labels'"),
        ({"trivial": ["age"]}, "none of the covariates"),
        ({"leads": ["I", "I"]}, "each once"),
        ({"lables": ["x"]}, "did you mean 'labels'"),
    ):
        with pytest.raises(StudyError, match=said):
            dataset("ecg-folder", tmp_path, **options)


def test_a_folder_without_the_table_or_the_column_says_which_option_names_it(tmp_path):
    folder = write_folder(tmp_path / "data", 4)
    with pytest.raises(DataError, match=r"labels\.csv is no folder: --data names the one that holds labels\.csv"):
        opened(folder / "labels.csv")
    with pytest.raises(
        DataError,
        match=r"no column 'lable'; did you mean 'label'\?; the option labels of \[options\.ecg-folder\] names it",
    ):
        opened(folder, labels=("lable",))
    with pytest.raises(DataError, match=r"no column 'name'.*; the option sample of \[options\.ecg-folder\] names it"):
        opened(folder, sample="name")
    (folder / "labels.csv").rename(folder / "table.csv")
    said = r"there is no table 'labels\.csv'; did you mean 'table\.csv'\?; tables here: table\.csv; name it with the option table"
    with pytest.raises(DataError, match=said):
        opened(folder)
    for number in range(8):
        (folder / f"x{number}.csv").write_text("a\n")
    with pytest.raises(DataError, match=r"x3\.csv and 4 more; name it"):
        opened(folder)


def test_a_place_that_can_be_no_run_folder_is_said_before_a_record_is_read(tmp_path, monkeypatch):
    from pellucid.errors import RunError

    folder, study = write_folder(tmp_path / "data", 40), tmp_path / "study.toml"
    study.write_text(STUDY)
    before = sorted(tmp_path.rglob("*"))
    with monkeypatch.context() as patched:
        patched.setattr(EcgFolder, "__init__", lambda *_: pytest.fail("the data were opened"))
        for out, said in (
            (study, "study.toml is a file; --out names the folder of the run"),
            (study / "run", r"cannot write .*study\.toml is no folder"),
            (folder, r"holds other files and no run\.json, so it is no run folder: --out names a new folder"),
        ):
            with pytest.raises(RunError, match=said):
                pellucid("run", study, "--data", folder, "--out", out)
    assert sorted(tmp_path.rglob("*")) == before
    run = tmp_path / "run"
    pellucid("run", study, "--data", folder, "--out", run)
    other = write_folder(tmp_path / "other", 20)
    (other / "labels.csv").write_text((other / "labels.csv").read_text().replace(",p", ",q"))
    monkeypatch.setattr(EcgFolder, "__init__", lambda *_: pytest.fail("the data were opened"))
    with pytest.raises(RunError, match=r"cannot write .*study\.toml is no folder"):
        pellucid("evaluate", run, "--data", other, "--out", study / "e.json")


def test_a_key_of_the_entry_is_told_where_an_option_is_misspelt(tmp_path):
    from pellucid.errors import StudyError

    folder, study = write_folder(tmp_path / "data", 8), tmp_path / "study.toml"
    study.write_text(STUDY.replace("[[head]]", '[[head]]\nread = ["covariates"]'))
    with pytest.raises(StudyError, match=r"head 'linear' has no option 'read'; did you mean 'reads'\?"):
        pellucid("run", study, "--data", folder, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()
