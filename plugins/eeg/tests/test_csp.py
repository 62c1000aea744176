"""Common spatial patterns and the discriminant that reads them, beside mne and scikit-learn."""

from __future__ import annotations

import mne
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.signal import butter, sosfiltfilt
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from pellucid.batch import Batch, collate
from pellucid.data.spec import Binary, MultiClass, Signal
from pellucid.errors import DataError, StudyError
from pellucid.heads.functions.lda import Lda
from pellucid.representation import Representation
from pellucid.training.fit import Sides, fit_model, prepare_encoder
from pellucid.training.settings import TrainingSettings
from pellucid_datasets.electroencephalograms.imagery import PLACES
from pellucid_datasets.electroencephalograms.scalp import IMAGERY, neighbours
from pellucid_eeg.encoders.csp import CommonSpatialPatterns, components
from pellucid_eeg.synthetic import EegSynthetic, EegSyntheticConfig


@pytest.fixture(scope="module")
def trials() -> tuple[Batch, EegSynthetic]:
    data = EegSynthetic(EegSyntheticConfig(subjects=2, train_trials=120, test_trials=80, subject=1))
    return collate(data, range(len(data)), "imagery"), data


def csp(spec: Signal, **options) -> CommonSpatialPatterns:
    return CommonSpatialPatterns(CommonSpatialPatterns.config_type(inputs={"eeg": spec}, **options))


def some(batch: Batch, chosen: np.ndarray, classes: np.ndarray) -> Batch:
    return Batch({"eeg": batch.inputs["eeg"][chosen]}, targets=torch.from_numpy(classes[chosen]).float()[:, None])


def test_the_filter_is_that_of_scipy_forwards_and_backwards(trials):
    batch, data = trials
    encoder = csp(data.spec.input("eeg"), relative=False, band_hz=(8.0, 30.0))
    x = batch.inputs["eeg"][:5]
    found = encoder.band_passed(Batch({"eeg": x})).numpy()
    sos = butter(4, (8.0, 30.0), "bandpass", fs=128.0, output="sos")
    expected = sosfiltfilt(sos, x.numpy(), padtype="odd", padlen=128)
    # The one has infinitely long responses that wrap around, the other initial states: both touch the ends alone.
    assert np.abs(found - expected)[..., 40:-40].max() < 1e-3 * expected.std()
    assert np.abs(found - expected).max() < 0.3 * expected.std()


@pytest.mark.parametrize("relative", [False, True])
def test_two_classes_give_the_components_of_mne(trials, relative):
    batch, data = trials
    y = batch.targets[:, 0].numpy()
    chosen, learning = y < 2, np.arange(len(y)) < 120
    encoder = csp(data.spec.input("eeg"), components=6, relative=relative)
    encoder.prepare([some(batch, chosen & learning, y)])
    x = encoder.band_passed(batch).double().numpy()
    peer = mne.decoding.CSP(n_components=6, cov_est="epoch", component_order="mutual_info", log=True)
    with mne.utils.use_log_level("ERROR"):
        peer.fit(x[chosen & learning], y[chosen & learning])
        expected = peer.transform(x[chosen & ~learning])
    found = encoder(some(batch, chosen & ~learning, y)).values.numpy()
    # A filter's length is free: it shifts a log power by the same for all trials.
    shift = found - expected
    assert np.abs(shift - shift.mean(0)).max() < 1e-2
    cosine = np.abs((encoder.filters.numpy() * peer.filters_[:6]).sum(1))
    cosine /= np.linalg.norm(encoder.filters.numpy(), axis=1) * np.linalg.norm(peer.filters_[:6], axis=1)
    assert cosine.min() > 0.999
    mine, theirs = encoder.patterns.numpy(), peer.patterns_[:6]
    cosine = np.abs((mine * theirs).sum(1)) / np.linalg.norm(mine, axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosine.min() > 0.99


def test_with_the_discriminant_it_says_what_mne_and_scikit_learn_say(trials):
    batch, data = trials
    y = batch.targets[:, 0].numpy()
    chosen, learning = y < 2, np.arange(len(y)) < 120
    encoder = csp(data.spec.input("eeg"), components=6)
    encoder.prepare([some(batch, chosen & learning, y)])
    head = Lda(Lda.config_type(units=encoder.names, target=Binary(names=("right hand", "left hand"))))
    known = some(batch, chosen & learning, y)
    head.finish([(encoder(known), known)])
    peer = mne.decoding.CSP(n_components=6, cov_est="epoch", component_order="mutual_info", log=True)
    x = encoder.band_passed(batch).double().numpy()
    with mne.utils.use_log_level("ERROR"):
        features = peer.fit_transform(x[chosen & learning], y[chosen & learning])
        unseen = peer.transform(x[chosen & ~learning])
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(features, y[chosen & learning])
    found = head(encoder(some(batch, chosen & ~learning, y)))[:, 0].detach().numpy()
    assert np.allclose(found, lda.decision_function(unseen), atol=0.05)
    assert ((found > 0) == y[chosen & ~learning]).mean() > 0.8


def test_each_class_is_set_against_all_others_in_turn(trials):
    batch, data = trials
    y = batch.targets[:, 0].numpy()
    encoder = csp(data.spec.input("eeg"), components=8)
    encoder.prepare([some(batch, slice(0, 60), y), some(batch, slice(60, None), y)])
    assert encoder.contrast.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    for number in range(4):
        x = encoder.band_passed(batch).double()
        means = torch.stack([(x[y == k] @ x[y == k].transpose(1, 2)).mean(0) / x.shape[2] for k in range(4)])
        rest = means[[k for k in range(4) if k != number]].mean(0)
        (filters, _, _, share) = components(torch.stack([means[number], rest]), 1)
        assert torch.allclose(filters[0].abs(), encoder.filters[number].double().abs(), rtol=1e-3, atol=1e-4)
        mine, others = (float(filters[0] @ one @ filters[0]) for one in (means[number], rest))
        assert float(share[0]) == pytest.approx(mine / (mine + others), abs=1e-6)
        assert mine + others == pytest.approx(1, abs=1e-5)


def test_patterns_peak_where_a_rhythm_became_weaker_and_movements_of_a_later_session_are_told(trials):
    _, data = trials
    first = np.flatnonzero(data.frame["session"] == "train")
    later = np.flatnonzero(data.frame["session"] == "test")
    learning = Sides(data.subset(first), data.subset(first), "imagery")
    encoder = csp(data.spec.input("eeg"), components=8)
    prepare_encoder(encoder, learning)
    head = Lda(
        Lda.config_type(units=tuple(f"eeg:{name}" for name in encoder.names), target=data.spec.target("imagery"))
    )
    model, _ = fit_model({"eeg": encoder}, head, learning, TrainingSettings())
    for at, places in enumerate(PLACES.values()):
        for place in places:
            # The first component of the class, of little power in it.
            assert encoder.share[at] < 0.5
            assert IMAGERY[int(encoder.patterns[at].abs().argmax())] in neighbours(place, IMAGERY)
    test = data.subset(later)
    right = model.logits(test).argmax(1).numpy() == test.target_values("imagery")[:, 0]
    assert right.mean() > 0.6
    explanation = model.explain(test, "right hand")
    assert explanation.names == tuple(f"eeg:csp{number}" for number in range(8))
    assert explanation.gap.abs().max() < 1e-4


def test_a_trial_that_is_louder_as_a_whole_says_the_same_unless_asked_otherwise(trials):
    batch, data = trials
    y = batch.targets[:, 0].numpy()
    louder = Batch({"eeg": 3 * batch.inputs["eeg"]})
    for relative, shift in ((True, 0.0), (False, 2 * np.log(3))):
        encoder = csp(data.spec.input("eeg"), relative=relative)
        encoder.prepare([some(batch, slice(None), y)])
        assert torch.allclose(encoder(louder).values - encoder(batch).values, torch.tensor(shift).float(), atol=1e-3)


def test_a_common_reference_takes_a_direction_and_not_the_method(trials):
    batch, data = trials
    y = batch.targets[:, 0].numpy()
    x = batch.inputs["eeg"] - batch.inputs["eeg"].mean(1, keepdim=True)
    encoder = csp(data.spec.input("eeg"))
    encoder.prepare([some(Batch({"eeg": x}), slice(None), y)])
    assert torch.isfinite(encoder.filters).all()
    assert encoder.filters.abs().max() < 1e3
    full = csp(data.spec.input("eeg"), components=22)
    with pytest.raises(DataError, match="22 components, but its channels have 21 directions alone"):
        full.prepare([some(Batch({"eeg": x}), y < 2, y)])


def test_training_samples_that_lack_an_electrode_do_not_make_it_quieter(trials):
    batch, data = trials
    y, rng = batch.targets[:, 0].numpy(), np.random.default_rng(0)
    two, x = y < 2, batch.inputs["eeg"].numpy()
    known = np.ones(x.shape, bool)
    for channel in (3, 9):
        known[rng.random(len(x)) < 0.6, channel] = False
    encoder = csp(data.spec.input("eeg"), components=2, relative=False)
    signals = torch.from_numpy(np.where(known, x, 1e3))[two]
    labels = torch.from_numpy(y[two]).float()[:, None]
    encoder.prepare([Batch({"eeg": signals}, {"eeg": torch.from_numpy(known[two])}, labels)])
    passed = encoder.band_passed(Batch({"eeg": torch.from_numpy(x)})).double().numpy()
    means = np.zeros((2, 22, 22))
    for label in range(2):
        for one in range(22):
            for other in range(22):
                both = known[:, one, 0] & known[:, other, 0] & (y == label)
                means[label, one, other] = (passed[both, one] * passed[both, other]).mean()
    expected = components(torch.from_numpy(means), 2)[0].numpy()
    turned = np.sign((encoder.filters.numpy() * expected).sum(1))[:, None]
    np.testing.assert_allclose(
        encoder.filters.numpy() * turned, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max()
    )


def test_what_it_cannot_learn_from_is_refused(trials):
    batch, data = trials
    spec = data.spec.input("eeg")
    with pytest.raises(StudyError, match="learns from classes"):
        csp(spec).prepare([Batch(batch.inputs)])
    with pytest.raises(StudyError, match="learns from classes"):
        csp(spec).prepare([Batch(batch.inputs, targets=batch.targets + 0.5)])
    with pytest.raises(DataError, match="have 1"):
        csp(spec).prepare([Batch(batch.inputs, targets=0 * batch.targets)])
    with pytest.raises(StudyError, match="23 components, but there are 22 channels"):
        csp(spec, components=23)
    with pytest.raises(StudyError, match="end at 64 Hz"):
        csp(spec, band_hz=(8.0, 64.0))
    with pytest.raises(ValidationError, match="a band is from"):
        csp(spec, band_hz=(30.0, 8.0))


# --- the discriminant -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
@pytest.mark.parametrize("classes", [2, 4])
def test_the_discriminant_is_that_of_scikit_learn(classes, shrinkage):
    rng = np.random.default_rng(0)
    y = rng.choice(classes, 200, p=np.arange(1, classes + 1) / sum(range(1, classes + 1)))
    x = 100 + rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5)) + rng.normal(size=(classes, 5))[y]
    peer = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage or None).fit(x, y)
    names = tuple("abcde")
    target = Binary(names=("no", "yes")) if classes == 2 else MultiClass(names=tuple("wxyz"))
    head = Lda(Lda.config_type(units=names, target=target, shrinkage=shrinkage))
    parts = [
        (Representation(torch.tensor(x[rows]), names), Batch({}, targets=torch.tensor(y[rows])[:, None]))
        for rows in (slice(0, 70), slice(70, None))
    ]
    head.finish(parts)
    found = head(Representation(torch.tensor(x).float(), names)).detach()
    # What units add is counted from the mean of the training samples.
    explanation = head.explain(Representation(torch.tensor(x).float(), names), head.outputs[-1])
    added = explanation.contributions.detach()
    assert (added.mean(0).abs() < 0.01 * added.std(0)).all()
    if classes == 2:
        assert np.allclose(found[:, 0], peer.decision_function(x), atol=1e-2)
    else:
        assert np.allclose(found.softmax(1), peer.predict_proba(x), atol=1e-3)


def test_a_class_without_a_sample_is_named():
    head = Lda(Lda.config_type(units=("a",), target=MultiClass(names=("x", "y", "z"))))
    parts = [(Representation(torch.randn(4, 1), ("a",)), Batch({}, targets=torch.tensor([[0.0], [0], [2], [2]])))]
    with pytest.raises(DataError, match="there are none of y"):
        head.finish(parts)
