"""The Challenges: codes, ages and sexes of headers; recordings of CPSC2018 in their own files."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from made_databases import LEADS, signals, write_record

from pellucid.errors import DataError
from pellucid.testing.real_data import real_data
from pellucid_ecg.databases.cinc import Cinc, CincConfig
from pellucid_ecg.databases.cpsc import CLASSES, Cpsc2018, Cpsc2018Config
from pellucid_ecg.databases.snomed import OTHERS, SCORED, in_words


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))


def cinc(folder, **options):
    return Cinc(CincConfig(**options), folder)


def written(folder, name, *comments, **options):
    write_record(folder / name, signals(len(name), length=5000), rate_hz=500, end=".mat", comments=comments, **options)


# --- the Challenges of 2020 and 2021 ----------------------------------------------------------------------------------


def test_comments_are_read_for_age_sex_and_codes_alone(tmp_path):
    written(
        tmp_path / "g1",
        "E00001",
        "Age: 78",
        "Sex: Male",
        "Dx: 426783006,284470004",
        "Rx: secret drug",
        "Hx: secret history",
    )
    written(tmp_path / "g1", "E00002", "Age: NaN", "Sex: Female", "Dx: 426783006")
    written(tmp_path / "g2", "JS1", "Age: 93", "Sex: Unknown", "Dx: Unknown")
    written(tmp_path / "g2", "JS2")
    data = cinc(tmp_path, minimum=1)
    assert data.frame.index.tolist() == ["E00001", "E00002", "JS1", "JS2"]
    np.testing.assert_equal(data.frame["age_years"].tolist(), [78, np.nan, 90, np.nan])
    np.testing.assert_equal(data.frame["female"].tolist(), [0, 1, np.nan, np.nan])
    assert data.spec.targets["diagnoses"].names == ("sinus rhythm", "premature atrial contraction")
    np.testing.assert_equal(data.target_values("diagnoses"), [[1, 1], [1, 0], [np.nan] * 2, [np.nan] * 2])
    assert "secret" not in data.frame.to_csv() + data.spec.model_dump_json()
    assert cinc(tmp_path, minimum=2).spec.targets["diagnoses"].names == ("sinus rhythm",)
    assert cinc(tmp_path, codes=("17338001", "426783006")).target_values("diagnoses")[0].tolist() == [0, 1]


def test_a_record_that_was_recorded_more_slowly_is_said(tmp_path):
    written(tmp_path, "A1", "Dx: 426783006")
    write_record(tmp_path / "A2", signals(2, length=2570), rate_hz=257, end=".mat", comments=("Dx: 426783006",))
    slow = "recorded more slowly than asked for"
    said = [one for one in cinc(tmp_path, minimum=1).findings if one.what == slow]
    assert [(one.sample, one.where, one.done) for one in said] == [
        ("A2", "257 Hz: nothing faster than 128.5 Hz is in it", "resampled to 500 Hz")
    ]
    assert slow not in {one.what for one in cinc(tmp_path, minimum=1, rate_hz=250).findings}


def test_codes_that_nobody_named_keep_their_number(tmp_path):
    written(tmp_path, "A1", "Dx: 123456789")
    written(tmp_path, "A2", "Dx: 426783006")
    assert cinc(tmp_path, minimum=1).spec.targets["diagnoses"].names == ("SNOMED CT 123456789", "sinus rhythm")
    assert cinc(tmp_path, minimum=1, scored=True).spec.targets["diagnoses"].names == ("sinus rhythm",)
    names = [*SCORED.values(), *OTHERS.values()]
    assert len(SCORED) == 30
    assert not set(SCORED) & set(OTHERS)
    assert max(Counter(names).values()) == 1, "two codes with one name could not be told apart"


def test_what_cannot_be_used_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no \.hea file"):
        cinc(tmp_path)
    written(tmp_path / "a", "A1", "Dx: 426783006")
    with pytest.raises(
        DataError, match=r"no code stands in at least 10 of 1 recordings \(most frequent: sinus rhythm 1\)"
    ):
        cinc(tmp_path)
    written(tmp_path / "a", "A2", "Dx: somebody's name")
    with pytest.raises(
        DataError, match=r"1 of 2 recordings cannot be used. The first is A2 .*Dx holds something else"
    ) as caught:
        cinc(tmp_path, minimum=1)
    assert "somebody" not in str(caught.value)
    assert len(cinc(tmp_path, minimum=1, skip_broken=True)) == 1
    written(tmp_path / "b", "A1", "Dx: 426783006")
    with pytest.raises(DataError, match="have one name"):
        cinc(tmp_path, minimum=1, skip_broken=True)


def test_real_recordings_have_the_codes_and_values_of_their_files():
    import wfdb

    folder = real_data("ecg", "cinc2021-sample")
    data = cinc(folder, minimum=3)
    assert len(data) == 39
    expected = Counter(
        code
        for path in folder.glob("*.hea")
        for code in re.search(r"Dx: *(.*)", path.read_text())[1].strip().split(",")
    )
    names = data.spec.targets["diagnoses"].names
    assert dict(zip(names, data.target_values("diagnoses").sum(0), strict=True)) == {
        in_words(code): n for code, n in expected.items() if n >= 3
    }
    at = data.frame.index.get_loc("E07500")
    assert data.frame.loc["E07500", ["age_years", "female"]].tolist() == [78, 0]
    np.testing.assert_array_equal(
        data.read(np.array([at])).inputs["ecg"][0], wfdb.rdrecord(str(folder / "E07500")).p_signal.T.astype(np.float32)
    )
    flat = {f.sample: f.where for f in data.findings if f.what == "flat lead"}
    assert flat["JS20004"] == flat["JS20008"] == "V2, V4, V6"


# --- CPSC2018 ---------------------------------------------------------------------------------------------------------


def structure(folder, name, *, age=61, sex="Male", length=5000, rows=12, seed=0, **more):
    from scipy.io import savemat

    folder.mkdir(parents=True, exist_ok=True)
    data = signals(seed, rows, length) / 1000
    savemat(folder / f"{name}.mat", {"ECG": {"sex": sex, "age": np.array([[age]]), "data": data, **more}})
    return data


def reference(folder, *rows):
    text = "Recording,First_label,Second_label,Third_label\n" + "".join(f"{row}\n" for row in rows)
    (folder / "REFERENCE.csv").write_text(text)


def cpsc(folder, **options):
    return Cpsc2018(Cpsc2018Config(**options), folder)


def test_recordings_of_cpsc_are_read_with_their_classes(tmp_path):
    first = structure(tmp_path / "TrainingSet1", "A0001", seed=1, length=7500)
    structure(tmp_path / "TrainingSet1", "A0002", seed=2, sex="Female", age=94, length=3000)
    structure(tmp_path, "A0003", seed=3, sex="?", age=np.nan)
    reference(tmp_path, "A0001,5,,", "A0002,1,,", "A0003,2,5,8")
    data = cpsc(tmp_path)
    assert data.frame.index.tolist() == ["A0001", "A0002", "A0003"]
    said = [{CLASSES[at] for at in np.flatnonzero(row)} for row in data.target_values("classes")]
    assert said == [
        {"right bundle branch block"},
        {"normal"},
        {"atrial fibrillation", "right bundle branch block", "ST depression"},
    ]
    np.testing.assert_equal(data.frame["age_years"].tolist(), [61, 90, np.nan])
    np.testing.assert_equal(data.frame["female"].tolist(), [0, 1, np.nan])
    read = data.read(np.array([0, 1]))
    np.testing.assert_allclose(read.inputs["ecg"][0], first[:, :5000], atol=1e-6)
    assert read.masks["ecg"].sum(-1).tolist() == [[5000] * 12, [3000] * 12]
    assert (read.inputs["ecg"][1, :, 3000:] == 0).all()
    with pytest.raises(DataError, match=r"A0002.*6 s long, and 10 s"):
        cpsc(tmp_path, shorter="refused")
    assert cpsc(tmp_path, rate_hz=100).spec.inputs["ecg"].shape == (12, 1000)


def test_damaged_structures_are_refused_by_name(tmp_path):
    from scipy.io import savemat

    structure(tmp_path, "A0001")
    whole = (tmp_path / "A0001.mat").read_bytes()
    reference(tmp_path, "A0001,1,,", "A0002,1,,")
    cases = {
        "cut short": whole[: len(whole) // 2],
        "no mat file": b"hello",
        "empty": b"",
        "other bytes": whole[:128] + bytes(reversed(whole[128:])),
    }
    for content in cases.values():
        (tmp_path / "A0002.mat").write_bytes(content)
        with pytest.raises(
            DataError,
            match=r"1 of 2 recordings cannot be used. The first is A0002 \(REFERENCE\.csv, line 3\): A0002\.mat",
        ):
            cpsc(tmp_path)
    structure(tmp_path, "A0002", rows=11)
    with pytest.raises(DataError, match=r"shape \(11, 5000\), expected 12 leads"):
        cpsc(tmp_path)
    savemat(tmp_path / "A0002.mat", {"other": 1})
    with pytest.raises(DataError, match="no structure ECG"):
        cpsc(tmp_path)
    (tmp_path / "A0002.mat").unlink()
    with pytest.raises(DataError, match=r"A0002\.mat: cannot be read"):
        cpsc(tmp_path)
    assert len(cpsc(tmp_path, skip_broken=True)) == 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("A0001,10,,",), "is 10; write 1 or 2"),
        (("A0001,,,",), "First_label': is empty"),
        (("../A0001,1,,",), "no name of a recording"),
        (("A0001,1,,", "A0001,2,,"), "line 3, column 'Recording': stands twice"),
    ],
)
def test_a_wrong_reference_is_named_by_line(tmp_path, rows, said):
    structure(tmp_path, "A0001")
    reference(tmp_path, *rows)
    with pytest.raises(DataError, match=re.escape(said)):
        cpsc(tmp_path)


def test_missing_samples_are_masked(tmp_path):
    from scipy.io import savemat

    data = signals(1, 12, 5000) / 1000
    data[3, 100:200] = np.nan
    savemat(tmp_path / "A0001.mat", {"ECG": {"sex": "Male", "age": 50, "data": data}})
    reference(tmp_path, "A0001,1,,")
    read = cpsc(tmp_path).read(np.array([0]))
    assert (~read.masks["ecg"][0]).sum() == 100
    assert not read.masks["ecg"][0, 3, 100:200].any()
    assert np.isfinite(read.inputs["ecg"]).all()
    assert len(LEADS) == 12


def test_a_folder_without_the_reference_table_is_said(tmp_path):
    (tmp_path / "a.csv").write_text("x\n")
    with pytest.raises(DataError, match=r"there is no table 'REFERENCE\.csv'.*is this a folder of the CPSC 2018 data"):
        Cpsc2018(data=tmp_path)
    with pytest.raises(DataError, match=r"a\.csv is no folder: --data names the one that holds REFERENCE\.csv"):
        Cpsc2018(data=tmp_path / "a.csv")
