"""Beats of the MIT-BIH database: classes, windows, times between beats, and who is whom."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from made_databases import write_record

from pellucid.errors import DataError, LeakageError
from pellucid.protocols.splitting.subject_holdout import SubjectHoldout, SubjectHoldoutConfig
from pellucid.testing.real_data import real_data
from pellucid_ecg.databases.beats import AAMI, AROUND, intervals, read_annotations, read_beats_table
from pellucid_ecg.databases.mitbih import DS1, DS2, PACED, MitBih, MitBihConfig

AT = np.array([50, 400, 700, 1100, 1400, 1950])


def opened(folder, **options):
    return MitBih(MitBihConfig(**options), folder)


def recorded(folder, name, *, symbols="NNVNSN", at=AT, length=2000, lead="MLII", seed=None):
    """A recording whose value at each sample is the sample's number, in microvolts."""
    import wfdb

    stored = (
        np.arange(length)[None].astype("<i2")
        if seed is None
        else np.random.default_rng(seed).integers(-99, 99, (1, length))
    )
    write_record(folder / name, stored, rate_hz=360, leads=(lead,))
    if symbols:
        wfdb.wrann(name, "atr", np.asarray(at), list(symbols), write_dir=str(folder))
    return folder


def tabled(folder, name, rows, header="sample,pvc"):
    (folder / f"{name}_beats.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder


def test_classes_are_those_of_aami(tmp_path):
    folder = recorded(tmp_path, "100", symbols="NL+RejAaJSVEFfQ/"[:16], at=np.arange(1, 17) * 100)
    beats = read_annotations(folder / "100.atr")
    assert [AAMI[int(c)] for c in beats.aami] == [*"NNNNN", *"SSSS", *"VV", "F", *"QQQ"]
    assert beats.pvc.tolist() == [0] * 9 + [1, 0] + [0] * 4, (
        "an escape beat is ventricular and no premature contraction"
    )
    assert 300 not in beats.at, "a change of rhythm is no beat"


def test_a_window_begins_and_ends_where_it_was_asked_to(tmp_path):
    data = opened(recorded(tmp_path, "100"), before_s=0.25, after_s=0.45)
    assert data.frame.index.tolist() == ["100-400", "100-700", "100-1100", "100-1400"]
    read = data.read(np.array([2, 0])).inputs["ecg"]
    assert read.shape == (2, 1, 252)
    np.testing.assert_allclose(read[0, 0] * 1000, np.arange(1100 - 90, 1100 + 162), atol=1e-3)
    np.testing.assert_allclose(read[1, 0] * 1000, np.arange(400 - 90, 400 + 162), atol=1e-3)
    (finding,) = [f for f in data.findings if "ends" in f.what]
    assert (finding.sample, finding.where, finding.done) == ("100", "2", "left out")


def test_times_between_beats_are_those_of_neighbours_and_of_the_ten_around():
    random = np.random.default_rng(0)
    at = np.cumsum(random.integers(200, 400, 60))
    found = intervals(at, 360.0)
    gaps = np.diff(at) / 360
    np.testing.assert_allclose(found["rr_before_s"][1:], gaps)
    np.testing.assert_allclose(found["rr_after_s"][:-1], gaps)
    assert np.isnan(found["rr_before_s"][0])
    assert np.isnan(found["rr_after_s"][-1])
    # In the middle five intervals end at the beat or before it, and five begin there or after.
    half = AROUND // 2
    for beat in range(half, 60 - half):
        around = gaps[beat - half : beat + half]
        assert len(around) == AROUND
        assert found["rr_ratio"][beat] == pytest.approx(gaps[beat - 1] / around.mean())
    assert found["rr_ratio"][1] == pytest.approx(gaps[0] / gaps[: 1 + half].mean())
    assert found["rr_ratio"][59] == pytest.approx(gaps[58] / gaps[59 - half :].mean())


def test_beats_at_the_ends_keep_their_times_of_the_whole_recording(tmp_path):
    data = opened(recorded(tmp_path, "100"))
    assert data.frame["rr_before_s"].iloc[0] == pytest.approx(350 / 360)
    assert data.frame["rr_after_s"].iloc[-1] == pytest.approx(550 / 360)


def test_a_table_of_beats_says_which_are_premature_and_no_more(tmp_path):
    recorded(tmp_path, "106", symbols="", seed=1)
    data = opened(tabled(tmp_path, "106", ["400,0", "700,1", "1100,0"]))
    assert data.frame["pvc"].tolist() == [0, 1, 0]
    assert data.frame["aami"].isna().all()


def test_the_two_sides_of_the_published_division_are_the_records_of_the_paper():
    assert (len(DS1), len(DS2)) == (22, 22)
    assert not DS1 & DS2
    assert not (DS1 | DS2) & PACED
    everything = {*map(str, range(100, 110)), *map(str, range(111, 120)), *map(str, range(121, 125)), *map(str, range(200, 224)), "228",
                  *map(str, range(230, 235))} - {"110", "120", "204", "206", "211", "216", "218"}  # fmt: skip
    assert everything == DS1 | DS2 | PACED


def people(folder):
    for seed, name in enumerate(("101", "106", "201", "202", "100", "103")):
        recorded(folder, name, seed=seed)
    return folder


def test_recordings_of_one_person_stay_together(tmp_path):
    data = opened(people(tmp_path))
    by = data.frame.groupby("recording")[["subject", "split"]].first()
    assert by.loc["201", "subject"] == by.loc["202", "subject"]
    assert by["subject"].nunique() == 5
    assert by["split"].to_dict() == {
        "100": "test",
        "101": "train",
        "103": "test",
        "106": "train",
        "201": "train",
        "202": "train",
    }
    (split,) = SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(data, "pvc", 0)
    assert len(split.test) == int((data.frame["split"] == "test").sum())
    assert "202 stands with 201" in data.spec.about


def test_the_published_division_is_refused_as_it_has_one_person_on_both_sides(tmp_path):
    data = opened(people(tmp_path), division="published")
    assert data.frame.loc[data.frame["recording"] == "202", "split"].unique() == ["test"]
    with pytest.raises(LeakageError, match="1 patient, or chains of them"):
        list(SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(data, "pvc", 0))


def test_paced_recordings_are_left_out_unless_they_are_asked_for(tmp_path):
    recorded(tmp_path, "102", seed=1)
    recorded(tmp_path, "103", seed=2)
    assert set(opened(tmp_path).frame["recording"]) == {"103"}
    kept = opened(tmp_path, paced="kept")
    assert set(kept.frame["recording"]) == {"102", "103"}
    assert "split" not in kept.frame.columns, "the division says nothing of them"
    (tmp_path / "103.hea").unlink()
    with pytest.raises(DataError, match=r"no \.hea file of a recording"):
        opened(tmp_path)


def test_another_lead_is_told_or_left_out(tmp_path):
    for name, lead in (("100", "MLII"), ("101", "MLII"), ("114", "V5")):
        recorded(tmp_path, name, lead=lead, seed=int(name))
    data = opened(tmp_path)
    assert [(f.sample, f.where) for f in data.findings if f.what == "another lead than most"] == [("114", "V5")]
    assert data.spec.inputs["ecg"].channels == ("first lead",)
    asked = opened(tmp_path, lead="mlii")
    assert set(asked.frame["recording"]) == {"100", "101"}
    assert [f.sample for f in asked.findings if f.what == "without the lead asked for"] == ["114"]
    with pytest.raises(DataError, match="no recording has a lead 'V9'"):
        opened(tmp_path, lead="V9")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / "101.atr").unlink(), r"neither 101\.atr nor 101_beats\.csv"),
        (lambda f: (f / "101.atr").write_bytes(b"\xff" * 7), r"101\.atr"),
        (lambda f: (f / "101.atr").write_bytes(b""), r"101\.atr"),
        (
            lambda f: recorded(f, "101", at=[100, 500, 2500], symbols="NNN"),
            "last beat lies at sample 2,500, but it has 2,000",
        ),
        (
            lambda f: write_record(f / "101", np.zeros((1, 2000), int), rate_hz=250, leads=("MLII",)),
            "250 Hz, expected 360 Hz",
        ),
        (lambda f: (f / "101.dat").unlink(), r"101\.dat"),
        (lambda f: recorded(f, "101", at=[10, 20], symbols="NN"), "room for the window"),
    ],
)
def test_a_broken_recording_is_named_and_can_be_skipped(tmp_path, damage, said):
    recorded(tmp_path, "100", seed=1)
    recorded(tmp_path, "101", seed=2)
    damage(tmp_path)
    with pytest.raises(DataError, match=rf"1 of 2 recordings cannot be used. The first is 101 .*{said}"):
        opened(tmp_path)
    data = opened(tmp_path, skip_broken=True)
    assert set(data.frame["recording"]) == {"100"}
    assert [(f.sample, f.done) for f in data.findings if f.what == "cannot be used"] == [("101", "left out")]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["400,2"], "column 'pvc': is 2; write 0 or 1"),
        (["400,"], "column 'pvc': is empty"),
        (["4.5,0"], "no position of a sample"),
        (["-4,0"], "no position of a sample"),
        (["1e300,0"], "no position of a sample"),
        ([",0"], "no position of a sample"),
        (["3,0", "400,0", "400,0"], "beats 2 and 3 are not one after the other"),
    ],
)
def test_a_wrong_table_of_beats_is_named(tmp_path, rows, said):
    with pytest.raises(DataError, match=said):
        read_beats_table(tabled(tmp_path, "1", rows) / "1_beats.csv")
    with pytest.raises(DataError, match="no column 'pvc'; did you mean 'pcv'"):
        read_beats_table(tabled(tmp_path, "1", ["1,0"], header="sample,pcv") / "1_beats.csv")


def test_a_beat_may_lie_at_the_first_sample(tmp_path):
    beats = read_beats_table(tabled(tmp_path, "1", ["0,1", "400,0"]) / "1_beats.csv")
    assert (beats.at.tolist(), beats.pvc.tolist()) == ([0, 400], [1, 0])


def test_any_bytes_as_annotations_end_in_beats_or_in_one_error(tmp_path):
    random = np.random.default_rng(0)
    whole = (recorded(tmp_path, "100") / "100.atr").read_bytes()
    read = 0
    for trial in range(150):
        content = bytearray(whole)
        for _ in range(random.integers(1, 4)):
            content[random.integers(len(content))] = random.integers(256)
        if trial % 3 == 0:
            content = content[: random.integers(len(content))]
        (tmp_path / "101.atr").write_bytes(content)
        try:
            read += len(read_annotations(tmp_path / "101.atr").at) > 0
        except DataError as error:
            assert "101.atr" in str(error)  # noqa: PT017
    assert read > 5


def test_the_real_recordings_have_the_beats_of_their_description():
    import wfdb

    folder = real_data("ecg", "mitbih-subset")
    data = opened(folder)
    counts = data.frame.groupby("recording")["pvc"].agg(["count", "sum"])
    # Beats whose window leaves the recording are not there: 4 in all.
    described = {"100": (2273, 1), "106": (2027, 520), "114": (1879, 43), "116": (2412, 109), "200": (2601, 826)}
    left = {f.sample: int(f.where) for f in data.findings if "ends" in f.what}
    for name, (beats, pvcs) in described.items():
        assert counts.loc[name, "count"] + left.get(name, 0) == beats
        assert counts.loc[name, "sum"] == pvcs
    classes = (
        data.frame.loc[data.frame["recording"] == "100", "aami"].map(dict(enumerate(AAMI))).value_counts().to_dict()
    )
    assert classes == {"N": 2237, "S": 33, "V": 1}
    record, at = wfdb.rdrecord(str(folder / "100")), int(data.frame.index[5].split("-")[1])
    expected = record.p_signal[at - 90 : at + 162, 0].astype(np.float32)
    np.testing.assert_array_equal(data.read(np.array([5])).inputs["ecg"][0, 0], expected)


def test_beats_that_come_early_are_premature_in_real_recordings():
    from sklearn.metrics import roc_auc_score

    frame = opened(real_data("ecg", "mitbih-subset")).frame.dropna(subset="rr_ratio")
    assert roc_auc_score(frame["pvc"], -frame["rr_ratio"]) > 0.95


def test_a_copy_of_a_folder_is_the_same_data(tmp_path):
    folder = recorded(tmp_path / "one", "100")
    shutil.copytree(folder, tmp_path / "two")
    assert opened(folder).digest() == opened(tmp_path / "two").digest()
