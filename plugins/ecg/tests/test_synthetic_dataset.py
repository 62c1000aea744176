"""The made-up recordings as a dataset: subjects, labels, what is planted, and that nothing depends on what was not asked."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

import pellucid
from pellucid.errors import DataError, StudyError
from pellucid.regions import TimeSpan
from pellucid_datasets.electrocardiograms.leads import LEADS
from pellucid_datasets.electrocardiograms.signs import LABELS
from pellucid_ecg.synthetic import EcgSynthetic, EcgSyntheticConfig


def opened(**options) -> EcgSynthetic:
    return EcgSynthetic(EcgSyntheticConfig(**options))


def signals(data) -> np.ndarray:
    return data.read(np.arange(len(data))).inputs["ecg"]


@pytest.fixture(scope="module")
def data() -> EcgSynthetic:
    return opened(records=300, subjects=100)


@pytest.fixture(scope="module")
def diagnoses() -> EcgSynthetic:
    return opened(records=300, subjects=100, labels="diagnoses")


def test_recordings_are_dealt_to_subjects_in_turn(data):
    assert data.frame["subject"].nunique() == 100
    assert (data.frame.groupby("subject").size() == 3).all()
    assert data.frame.index[[0, 99, 100]].tolist() == ["ecg-0000-0", "ecg-0099-0", "ecg-0000-1"]
    assert signals(data).shape == (300, 12, 1000)
    assert data.spec.input("ecg").units == "mV"


def test_a_seed_gives_the_same_data_and_more_of_it_leaves_the_first_alone(data):
    assert opened(records=300, subjects=100).digest() == data.digest()
    assert np.array_equal(signals(opened(records=120, subjects=100)), signals(data)[:120])
    more = opened(records=200, subjects=200)
    assert np.array_equal(signals(more)[:100], signals(data)[:100])
    assert not np.array_equal(signals(opened(records=100, subjects=100, seed=1)), signals(data)[:100])


def test_one_beat_or_all_changes_nothing_else(data):
    one = opened(records=300, subjects=100, st_beats="one")
    shifted = data.frame["signs:st-shift-v1-v3"].to_numpy() == 1
    assert np.array_equal(signals(one)[~shifted], signals(data)[~shifted])
    # Heart rates and labels are the same; what a monitor counts from the signal may differ.
    same = [c for c in data.frame.columns if c not in ("mean_rr_s", "rms_mv")]
    assert one.frame[same].equals(data.frame[same])
    others = [LEADS.index(lead) for lead in LEADS if lead not in ("V1", "V2", "V3")]
    assert np.array_equal(signals(one)[:, others], signals(data)[:, others])
    for few, many in zip(one.planted("st-shift-v1-v3"), data.planted("st-shift-v1-v3"), strict=True):
        assert len(few) == bool(many)
        assert set(few) <= set(many)


def test_what_is_planted_belongs_to_the_label(data, diagnoses):
    for one, kind in ((data, "signs"), (diagnoses, "diagnoses")):
        for at, name in enumerate(LABELS[kind]):
            true = one.target_values(kind)[:, at] == 1
            places = one.planted(name)
            assert [bool(p) for p in places] == true.tolist()
            assert all(isinstance(p, TimeSpan) and set(p.channels) <= set(LEADS) for some in places for p in some)
    picked = data.subset([7, 3])
    assert picked.planted("wide-qrs") == [data.planted("wide-qrs")[7], data.planted("wide-qrs")[3]]


def test_of_a_label_that_it_does_not_have_it_knows_no_place(data):
    assert data.planted("wide-qr") is None


def test_normal_is_what_has_no_other_diagnosis(diagnoses):
    values = diagnoses.target_values("diagnoses")
    assert np.array_equal(values[:, 0], (values[:, 1:].sum(1) == 0).astype(float))
    assert (values[:, 1:].sum(1) >= 2).mean() > 0.2
    assert 0.1 < values[:, 0].mean() < 0.4


def test_labels_are_as_common_as_planned():
    values = opened(records=1500, subjects=1500).target_values("signs")
    # 0.3 of people show it in 0.9 of recordings, the others in 0.05.
    assert values.mean(0) == pytest.approx(np.full(5, 0.3 * 0.9 + 0.7 * 0.05), abs=0.05)
    assert np.abs(np.corrcoef(values.T) - np.eye(5)).max() < 0.1


def test_labels_are_what_is_measured(data):
    labels = data.target_values("signs")
    rr = [np.diff(one[(one > 0) & (one < 10)]) for one in (made.beats.r_s for made in _again(data))]
    rate = np.array([60 / one.mean() for one in rr])
    spread = np.array([one.std() / one.mean() for one in rr])
    st = []
    for made in _again(data):
        r = made.beats.r_s[(made.beats.r_s > 0.3) & (made.beats.r_s < 9.4)]
        at = np.round((r + 0.115 * np.sqrt(made.beats.rr_s.mean())) * 100).astype(int)
        rest = np.round((r - 0.09) * 100).astype(int)
        chest = made.signals[6:9].astype(np.float64)
        st.append((chest[:, at] - chest[:, rest]).mean())
    assert roc_auc_score(labels[:, 0], rate) > 0.99
    assert roc_auc_score(labels[:, 1], spread) > 0.99
    assert roc_auc_score(labels[:, 3], st) > 0.75


def _again(data: EcgSynthetic):
    from pellucid_ecg.synthetic import _person, _recording

    people = [_person(data.config, subject) for subject in range(data.config.subjects)]
    return [_recording(data.config, people, record) for record in range(data.config.records)]


def test_recordings_of_a_subject_are_alike_and_share_labels(data):
    x, labels = signals(data), data.target_values("signs")
    shape = x.std(2) / x.std(2).mean(1, keepdims=True)
    same = np.mean([np.abs(shape[a] - shape[a + 100]).mean() for a in range(100)])
    other = np.mean([np.abs(shape[a] - shape[(a + 1) % 100 + 100]).mean() for a in range(100)])
    assert same < 0.6 * other
    agreement = np.mean([(labels[a] == labels[a + 100]).mean() for a in range(100)])
    chance = np.mean([(labels[a] == labels[(a + 1) % 100 + 100]).mean() for a in range(100)])
    assert agreement > chance + 0.15


def test_recordings_dealt_without_regard_to_subjects_score_higher_than_they_should():
    data = opened(records=900, subjects=300)
    x, labels, of = signals(data), data.target_values("signs"), np.arange(900) % 300
    # Sizes of leads beside each other tell people apart, but hardly their rhythm.
    shape = np.log(x.std(2)) - np.log(x.std(2)).mean(1, keepdims=True)
    lot = np.random.default_rng(0).permutation(900) < 225
    scores = {}
    for name, test in (("recording", lot), ("subject", of < 75)):
        found = []
        for at in (1, 3, 4):
            near = KNeighborsClassifier(5, weights="distance").fit(shape[~test], labels[~test, at])
            found.append(roc_auc_score(labels[test, at], near.predict_proba(shape[test])[:, 1]))
        scores[name] = np.mean(found)
    assert scores["recording"] > scores["subject"] + 0.04


def test_a_linear_model_of_samples_says_little_as_beats_begin_anywhere(data):
    x, labels = signals(data).reshape(300, -1), data.target_values("signs")
    train = np.arange(300) % 100 < 75
    found = []
    for at in range(5):
        model = LogisticRegression(C=1e-3, max_iter=500).fit(x[train], labels[train, at])
        found.append(roc_auc_score(labels[~train, at], model.decision_function(x[~train])))
    assert np.mean(found) < 0.7


def test_the_trivial_baseline_knows_what_a_monitor_counts_and_no_more(data):
    values, labels = data.covariate_values(), data.target_values("signs")
    assert roc_auc_score(labels[:, 0], -values[:, 0]) > 0.95
    for at in (1, 3, 4):
        assert abs(roc_auc_score(labels[:, at], values[:, 1]) - 0.5) < 0.15


def test_rate_and_length_are_as_asked():
    long = opened(records=4, subjects=2, rate_hz=500, length_s=12)
    assert signals(long).shape == (4, 12, 6000)
    assert long.spec.input("ecg").rate_hz == 500
    short = opened(records=4, subjects=2, rate_hz=100, length_s=12)
    # The same heart, beat by beat, whatever the rate: noise alone is drawn anew.
    assert long.frame["rate_bpm"].tolist() == short.frame["rate_bpm"].tolist()
    clean = [opened(records=4, subjects=2, rate_hz=rate, length_s=12, noise=0) for rate in (500, 100)]
    np.testing.assert_allclose(signals(clean[0])[:, :, ::5], signals(clean[1]), atol=1e-5)


def test_settings_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(StudyError, match="10 subjects need at least as many records, got 5"):
        pellucid.dataset("ecg-synthetic", records=5, subjects=10)
    with pytest.raises(DataError, match=rf"{tmp_path}: 'ecg-synthetic' is made up and reads no file"):
        pellucid.dataset("ecg-synthetic", tmp_path)
