"""PTB-XL: labels against the table worked out by hand, people kept apart, and bad input named."""

from __future__ import annotations

import ast

import numpy as np
import pandas as pd
import pytest
from made_databases import ROWS, STATEMENTS, signals, write_labels, write_ptbxl, write_record

from pellucid.data import pseudonym
from pellucid.errors import DataError, LeakageError
from pellucid.testing.real_data import real_data
from pellucid_ecg.databases.ptbxl import PtbXl, PtbXlConfig
from pellucid_ecg.databases.statements import read_codes, read_statements


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))


def opened(folder, **options):
    return PtbXl(PtbXlConfig(**options), folder)


def labels(data, target):
    """The names of each record's labels; None for those that are not part of the target."""
    names = data.spec.targets[target].names
    values = data.target_values(target)
    return [None if np.isnan(row).any() else {n for n, on in zip(names, row, strict=True) if on} for row in values]


# --- what the native layout says --------------------------------------------------------------------------------------


def test_every_set_of_labels_is_what_the_statements_say(tmp_path):
    data = opened(write_ptbxl(tmp_path / "data"))
    assert labels(data, "superclass") == [{"NORM"}, {"MI", "HYP"}, {"STTC"}, None, {"MI", "CD"}]
    assert labels(data, "subclass") == [{"NORM"}, {"IMI", "LVH"}, {"STTC"}, None, {"IMI", "CLBBB"}]
    assert labels(data, "diagnostic") == [{"NORM"}, {"IMI", "LVH"}, {"NDT"}, None, {"ILMI", "CLBBB"}]
    assert labels(data, "form") == [None, None, {"NDT"}, {"PVC"}, None]
    assert labels(data, "rhythm") == [{"SR"}, {"SR"}, {"SR"}, {"AFIB"}, None]
    assert labels(data, "statements")[1] == {"IMI", "LVH", "SR"}
    assert list(data.spec.targets["superclass"].names) == ["NORM", "MI", "STTC", "CD", "HYP"]


def test_a_least_likelihood_leaves_out_what_is_less_likely_or_of_unknown_likelihood(tmp_path):
    folder = write_ptbxl(tmp_path / "data")
    assert labels(opened(folder, minimum_likelihood=50), "superclass") == [{"NORM"}, None, {"STTC"}, None, {"MI", "CD"}]
    assert labels(opened(folder, minimum_likelihood=0), "superclass")[1] == {"MI", "HYP"}


def test_a_record_without_labels_can_be_kept_as_one_that_has_none(tmp_path):
    data = opened(write_ptbxl(tmp_path / "data"), without_labels="no labels")
    assert labels(data, "superclass")[3] == set()
    assert "none of a target" not in data.spec.about


def test_the_split_is_that_of_the_folds(tmp_path):
    assert opened(write_ptbxl(tmp_path / "data")).frame["split"].tolist() == ["train"] * 3 + ["validation", "test"]


def test_people_are_known_by_digests_and_nothing_else_of_them_is_kept(tmp_path):
    data = opened(write_ptbxl(tmp_path / "data"))
    assert data.frame["subject"].tolist()[1] == data.frame["subject"].tolist()[2] == pseudonym("13243", "ptb-xl")
    assert data.frame["subject"].nunique() == 4
    told = data.frame.to_csv() + data.spec.model_dump_json()
    for secret in ("13243", "15709", "secret", "1984", "09:17"):
        assert secret not in told


def test_ages_above_89_count_as_90_and_what_no_body_has_is_not_known(tmp_path):
    frame = opened(write_ptbxl(tmp_path / "data")).frame
    assert frame["age_years"].tolist()[:3] == [56, 90, 19]
    assert np.isnan(frame["age_years"].iloc[3])
    assert frame["female"].tolist() == [1, 0, 0, 1, 0]
    assert frame["height_cm"].iloc[0] == 180
    assert frame["weight_kg"].iloc[0] == 9


def test_signals_are_those_of_the_files_in_the_order_asked_for(tmp_path):
    folder = write_ptbxl(tmp_path / "data", rates=(100, 500))
    data = opened(folder)
    read = data.read(np.array([2, 0])).inputs["ecg"]
    assert read.dtype == np.float32
    np.testing.assert_allclose(read[0], signals(3) / 1000, atol=1e-6)
    np.testing.assert_allclose(read[1], signals(1) / 1000, atol=1e-6)
    assert data.spec.inputs["ecg"].channels[3] == "aVR"
    assert data.spec.inputs["ecg"].units == "mV"
    fast = opened(folder, rate_hz=500)
    assert fast.spec.inputs["ecg"].shape == (12, 5000)
    np.testing.assert_allclose(fast.read(np.array([4])).inputs["ecg"][0], signals(5, length=5000) / 1000, atol=1e-6)


def test_leads_in_another_order_are_put_in_order(tmp_path):
    folder = write_ptbxl(tmp_path / "data")
    turned = tuple(reversed(("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")))
    write_record(folder / "records100/00000/00002_lr", signals(2)[::-1], leads=turned)
    np.testing.assert_allclose(opened(folder).read(np.array([1])).inputs["ecg"][0], signals(2) / 1000, atol=1e-6)


def test_slow_drift_is_filtered_out_when_asked_and_beats_are_not_moved(tmp_path):
    folder = write_ptbxl(tmp_path / "data")
    time = np.arange(1000) / 100
    drift = 1000 * np.sin(2 * np.pi * 0.05 * time)
    wave = 300 * np.sin(2 * np.pi * 8 * time)
    write_record(folder / "records100/00000/00001_lr", np.tile(drift + wave, (12, 1)).astype("<i2"))
    raw = opened(folder).read(np.array([0])).inputs["ecg"][0]
    filtered = opened(folder, high_pass_hz=0.5).read(np.array([0])).inputs["ecg"][0]
    middle = slice(200, 800)
    assert np.abs(raw[0, middle] - wave[middle] / 1000).max() > 0.9
    assert np.abs(filtered[0, middle] - wave[middle] / 1000).max() < 0.05
    with pytest.raises(DataError, match="high_pass_hz is 60"):
        opened(folder, high_pass_hz=60)


def test_versions_are_told_apart(tmp_path):
    from pellucid_ecg.databases.ptbxl_native import _version

    assert [_version(21799, True), _version(21837, True), _version(21837, False), _version(5, False)] == [
        "1.0.3", "1.0.2", "1.0.1", ""
    ]  # fmt: skip
    data = opened(write_ptbxl(tmp_path / "data"))
    assert data.version == ""
    assert "a part of PTB-XL: 5 rows" in data.spec.about


def test_what_is_wrong_with_a_recording_is_told_whether_it_was_just_read_or_kept(tmp_path):
    folder = write_ptbxl(tmp_path / "data")
    flat = signals(2)
    flat[7] = 0
    write_record(folder / "records100/00000/00002_lr", flat)
    write_record(folder / "records100/00000/00005_lr", signals(1))
    for _ in range(2):
        found = {(f.sample, f.what): f.where for f in opened(folder).findings}
        assert found["00002", "flat lead"] == "V2"
        assert found["00005", "nearly the same as another recording"] == "00001"


def test_open_recordings_are_read_as_the_files_are(tmp_path):
    import wfdb

    from pellucid_ecg.wfdb_files.reading import read_record

    folder = write_ptbxl(tmp_path / "data")
    record, config = str(folder / "records100/00000/00003_lr"), PtbXlConfig(high_pass_hz=0.5)
    expected = opened(folder, high_pass_hz=0.5).read(np.array([2])).inputs["ecg"][0]
    for given in (wfdb.rdrecord(record), read_record(record), record, signals(3) / 1000):
        data = PtbXl.of_objects(given, config)
        assert len(data) == 1
        np.testing.assert_allclose(data.read(np.array([0])).inputs["ecg"][0], expected, atol=1e-5)
    assert len(PtbXl.of_objects([signals(3) / 1000, read_record(record)], config)) == 2
    with pytest.raises(DataError, match=r"5 s long"):
        PtbXl.of_objects(signals(3)[:, :500] / 1000, config)
    with pytest.raises(DataError, match=r"int|dict"):
        PtbXl.of_objects({"not": "a recording"}, config)


def test_published_scores_stand_beside_the_whole_of_it_alone(tmp_path):
    data = opened(write_ptbxl(tmp_path / "data"))
    assert data.published("superclass") == ()
    data.version = "1.0.3"
    assert {one.split for one in data.published("superclass")} == {"split"}
    for options in ({"minimum_likelihood": 50}, {"without_labels": "no labels"}):
        other = opened(tmp_path / "data", **options)
        other.version = "1.0.3"
        assert other.published("superclass") == ()


def test_what_was_read_is_kept_and_found_again_until_a_file_changes(tmp_path, monkeypatch):
    folder = write_ptbxl(tmp_path / "data")
    first = opened(folder)
    monkeypatch.setattr(PtbXl, "read_file", lambda self, path: pytest.fail("read again"))
    assert opened(folder).digest() == first.digest()
    monkeypatch.undo()
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    write_record(folder / "records100/00000/00001_lr", signals(99, length=1001))
    assert opened(folder).digest() != first.digest()
    assert opened(folder, cache=False).digest() == opened(folder).digest()


# --- bad input --------------------------------------------------------------------------------------------------------


def changed(row, **cells):
    names = ("ecg", "patient", "age", "sex", "codes", "fold")
    return tuple(cells.get(name, old) for name, old in zip(names, row, strict=True))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"codes": "{'NROM': 100.0}"}, r"record 00001 has the SCP code 'NROM'.*did you mean 'NORM'"),
        ({"codes": "{'NORM': 200}"}, r"line 2.*record 00001.*likelihoods of 0 to 100"),
        ({"codes": "['NORM']"}, "likelihoods of 0 to 100"),
        ({"codes": "__import__('os').system('touch hacked')"}, "cannot be understood"),
        ({"codes": "(" * 1500 + ")" * 400}, "cannot be understood"),
        ({"codes": "{" + "'NORM': 1.0, " * 500 + "}"}, "characters"),
        ({"codes": ""}, "cannot be understood"),
        ({"patient": ""}, r"line 2, column 'patient_id': is empty"),
        ({"age": "old"}, r"line 2, column 'age': is no number"),
        ({"sex": 2}, r"line 2, column 'sex': is 2; write 0 or 1"),
        ({"fold": 11}, r"line 2, column 'strat_fold'"),
        ({"ecg": 2}, r"is the record of line 2"),
    ],
)
def test_a_wrong_cell_is_named_by_line_and_column(tmp_path, cells, said, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_ptbxl(tmp_path / "data", (changed(ROWS[0], **cells), *ROWS[1:]))
    with pytest.raises(DataError, match=said):
        opened(folder)
    assert not (tmp_path / "hacked").exists()


def test_unknown_codes_can_be_left_out_and_are_then_listed(tmp_path):
    folder = write_ptbxl(tmp_path / "data", (changed(ROWS[0], codes="{'NROM': 100.0, 'SR': 0.0}"), *ROWS[1:]))
    data = opened(folder, unknown_codes="left out")
    assert labels(data, "superclass")[0] is None
    (finding,) = [one for one in data.findings if one.what == "unknown SCP code"]
    assert (finding.sample, finding.where, finding.done) == ("00001", "'NROM'", "left out")


def test_a_patient_in_two_folds_is_refused_with_how_many_and_where(tmp_path):
    folder = write_ptbxl(tmp_path / "data", (*ROWS[:2], changed(ROWS[2], fold=10), *ROWS[3:]))
    with pytest.raises(
        LeakageError, match=r"1 patient has records in more than one fold, the first in lines 3 and 4"
    ) as caught:
        opened(folder)
    assert "13243" not in str(caught.value)


@pytest.mark.parametrize("column", ["ecg_id", "patient_id", "age", "sex", "scp_codes", "strat_fold", "filename_lr"])
def test_a_table_without_a_column_is_answered_with_the_nearest(tmp_path, column):
    folder = write_ptbxl(tmp_path / "data")
    table = folder / "ptbxl_database.csv"
    table.write_text(table.read_text().replace(column, f"{column}x", 1))
    with pytest.raises(DataError, match=rf"no column '{column}'; did you mean '{column}x'"):
        opened(folder)


def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path):
    folder = write_ptbxl(tmp_path / "data")
    write_record(tmp_path / "outside_lr", signals(0))
    table = folder / "ptbxl_database.csv"
    table.write_text(table.read_text().replace("records100/00000/00001_lr", "../outside_lr"))
    with pytest.raises(DataError, match=r"'\.\.'"):
        opened(folder)


def test_missing_tables_are_named(tmp_path):
    with pytest.raises(DataError, match=r"neither ptbxl_database\.csv nor ptbxl_subset_labels\.csv"):
        opened(tmp_path)
    folder = write_ptbxl(tmp_path / "data")
    (folder / "scp_statements.csv").unlink()
    with pytest.raises(DataError, match=r"scp_statements\.csv is not there"):
        opened(folder)
    elsewhere = tmp_path / "said.csv"
    elsewhere.write_text(STATEMENTS)
    assert len(opened(folder, statements=str(elsewhere))) == 5
    with pytest.raises(DataError, match="data fetch ptb-xl"):
        PtbXl()
    with pytest.raises(DataError, match="is no folder"):
        opened(folder / "ptbxl_database.csv")


def test_a_table_of_statements_that_is_damaged_is_refused(tmp_path):
    for text, said in (
        (STATEMENTS.replace("PVC,", "SR,"), "'SR' stands twice"),
        (STATEMENTS.replace("MI,IMI", ",IMI"), "diagnostic_class"),
        (STATEMENTS.replace("1.0", "0"), "no statement is"),
        ("\n", "is empty"),
    ):
        folder = write_ptbxl(tmp_path / "data", statements=text)
        with pytest.raises(DataError, match=said):
            opened(folder)


def test_broken_records_refuse_the_whole_and_are_counted(tmp_path):
    folder = write_ptbxl(tmp_path / "data")
    (folder / "records100/00000/00002_lr.dat").unlink()
    write_record(folder / "records100/00000/00004_lr", signals(4, length=500))
    with pytest.raises(
        DataError, match=r"2 of 5 recordings cannot be used. The first is 00002 \(ptbxl_database.csv, line 3\)"
    ) as caught:
        opened(folder)
    assert "--skip-broken" in str(caught.value)
    data = opened(folder, skip_broken=True)
    assert data.frame.index.tolist() == ["00001", "00003", "00005"]
    left = [f for f in data.findings if f.done == "left out"]
    assert [(f.sample, f.what, f.done) for f in left] == [
        ("00002", "cannot be used", "left out"),
        ("00004", "cannot be used", "left out"),
    ]
    assert "5 s long, and 10 s are asked for" in left[1].where
    np.testing.assert_allclose(data.read(np.array([1])).inputs["ecg"][0], signals(3) / 1000, atol=1e-6)
    assert len(opened(folder, seconds=5, skip_broken=True)) == 4
    masked = opened(folder, shorter="masked", skip_broken=True)
    mask = masked.read(np.array([2])).masks["ecg"][0]
    assert mask[:, :500].all()
    assert not mask[:, 500:].any()
    assert masked.read(np.array([0])).masks["ecg"].all()


def test_a_folder_without_signals_is_refused_also_when_broken_ones_are_skipped(tmp_path):
    folder = write_ptbxl(tmp_path / "data", records=False)
    with pytest.raises(DataError, match="none of 5 recordings can be used"):
        opened(folder, skip_broken=True)
    assert not list((tmp_path / "cache").glob("*")), "something was kept of a dataset that cannot be opened"


def test_records_that_disagree_on_units_or_rate_are_not_mixed(tmp_path):
    folder = write_ptbxl(tmp_path / "data")
    write_record(folder / "records100/00000/00002_lr", signals(2), units="NU")
    write_record(folder / "records100/00000/00003_lr", signals(3), rate_hz=250)
    found = [f for f in opened(folder, skip_broken=True).findings if f.done == "left out"]
    assert ["in normalised unit, those of the others in mV" in f.where for f in found] == [True, False]
    assert "its rate is 250 Hz, expected 100 Hz" in found[1].where
    write_record(folder / "records100/00000/00002_lr", signals(2), units="uV", gain=1)
    kept = opened(folder, skip_broken=True)
    np.testing.assert_allclose(kept.read(np.array([1])).inputs["ecg"][0], signals(2) / 1000, atol=1e-6)


# --- a selection with labels alone ------------------------------------------------------------------------------------


def test_a_selection_without_patients_says_so(tmp_path):
    data = opened(write_labels(tmp_path / "data"))
    assert labels(data, "superclass")[:2] == [{"NORM"}, {"MI", "STTC"}]
    assert data.frame["subject"].nunique() == 6
    assert "each counts as a person of its own" in data.spec.about
    assert "MI and STTC occur only together" not in data.spec.about, "they keep each other company only"
    assert data.spec.inputs["ecg"].units == "normalised unit"
    assert data.frame["split"].tolist() == ["validation", "test", "train"] * 2
    assert data.spec.covariates is None


def test_a_table_of_patients_says_who_is_who(tmp_path):
    native = write_ptbxl(tmp_path / "native", (*ROWS, (6, "15709.0", "56.0", 1, "{'NORM': 100.0}", 3)), records=False)
    folder = write_labels(tmp_path / "data", folds=("1-8",))
    data = opened(folder, patients=str(native / "ptbxl_database.csv"))
    assert data.frame["subject"].nunique() == 4
    assert data.frame["subject"].iloc[0] == data.frame["subject"].iloc[5] == pseudonym("15709", "ptb-xl")
    assert "person of its own" not in data.spec.about
    (folder / "ptbxl_database.csv").write_text((native / "ptbxl_database.csv").read_text())
    assert opened(folder).digest() == data.digest(), "a table beside the records is found by itself"
    mixed = write_labels(tmp_path / "mixed", folds=("9", "10"))
    with pytest.raises(LeakageError, match="2 patients have records in more than one fold"):
        opened(mixed, patients=str(native / "ptbxl_database.csv"))
    short = write_ptbxl(tmp_path / "short", ROWS[:2], records=False)
    with pytest.raises(DataError, match="4 of 6 records"):
        opened(folder, patients=str(short / "ptbxl_database.csv"))


def test_a_record_is_known_again_whether_or_not_its_patient_is(tmp_path):
    alone = opened(write_labels(tmp_path / "labels"))
    native = opened(write_ptbxl(tmp_path / "native"))
    shared = alone.learned_from.shared_with(native.learned_from)
    assert shared == {"record": 5}


# --- codes ------------------------------------------------------------------------------------------------------------


def test_codes_are_read_as_a_literal_of_python_would_be():
    for text in ("{'NORM': 100.0, 'SR': 0.0}", "{}", "{'PRC(S)': 0, 'LAO/LAE': 50}"):
        assert read_codes(text) == ast.literal_eval(text)


def test_nothing_in_a_cell_of_codes_ends_otherwise_than_in_a_value_error():
    hostile = [
        "1" * 5000,
        "9**9**9",
        "{'a': 1e999}",
        "{'a': -1}",
        "{1: 2}",
        "{'a': None}",
        "{[]: 1}",
        "\x00",
        "[" * 1999,
        "-" * 1999,
        "lambda: 0",
    ]
    for text in hostile:
        with pytest.raises(ValueError, match="codes of a record look like"):
            read_codes(text)


# --- real data --------------------------------------------------------------------------------------------------------


def test_the_table_of_ptb_xl_gives_the_published_numbers_of_labels():
    said = read_statements(real_data("ecg", "ptbxl-subset") / "scp_statements.csv")
    counts = {of: len(names) for of, names in said.names.items()}
    assert counts == {"statements": 71, "diagnostic": 44, "subclass": 23, "superclass": 5, "form": 19, "rhythm": 12}


def test_the_shared_selection_has_the_counts_of_its_description():
    data = opened(real_data("ecg", "ptbxl-subset"))
    assert len(data) == 1442
    assert data.target_values("superclass").sum(0).tolist() == [776, 206, 411, 367, 160]
    assert int((data.target_values("superclass").sum(1) == 1).sum()) == 1067
    assert "Here MI and HYP occur only together with NORM, STTC or CD." in data.spec.about
    assert set(data.frame["split"]) == {"train"}
    values = data.read(np.arange(50)).inputs["ecg"]
    # Every lead was brought to mean 0 and deviation 1 over its 10 s.
    assert np.abs(values.mean(-1)).max() < 0.01
    assert np.abs(values.std(-1) - 1).max() < 0.02


def test_the_native_record_is_what_wfdb_reads_and_the_rest_is_said_to_be_missing():
    import wfdb

    folder = real_data("ecg", "ptbxl-native-sample")
    statements = str(real_data("ecg", "ptbxl-subset") / "scp_statements.csv")
    with pytest.raises(DataError, match="508 of 509 recordings cannot be used"):
        opened(folder, statements=statements)
    data = opened(folder, statements=statements, skip_broken=True)
    assert data.frame.index.tolist() == ["00001"]
    np.testing.assert_array_equal(
        data.read(np.array([0])).inputs["ecg"][0], wfdb.rdrecord(str(folder / "00001_lr")).p_signal.T.astype(np.float32)
    )
    assert labels(data, "statements")[0] == {"NORM", "LVOLT", "SR"}
    assert sum(f.done == "left out" for f in data.findings) == 508


def test_superclasses_of_the_native_table_are_those_of_the_selection():
    folder = real_data("ecg", "ptbxl-native-sample")
    subset = real_data("ecg", "ptbxl-subset")
    from pellucid_ecg.databases.ptbxl_native import read_native
    from pellucid_ecg.databases.ptbxl_selection import read_labels

    native = read_native(
        folder / "ptbxl_database_excerpt.csv", read_statements(subset / "scp_statements.csv"), 100,
        minimum=None, unknown="refused", without="left out",
    )  # fmt: skip
    selection = read_labels(subset / "ptbxl_subset_labels.csv", 100, None)
    one, other = (pd.DataFrame(t.labels["superclass"], index=t.samples) for t in (native, selection))
    common = one.index.intersection(other.index)
    assert len(common) == 27
    pd.testing.assert_frame_equal(one.loc[common], other.loc[common])
