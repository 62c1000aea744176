"""The encoder ``dts`` on real heart beats: how much it keeps of a patient it has not seen, and what its units move."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from pellucid.batch import collate
from pellucid.encoders.dts.encoder import Dts
from pellucid.encoders.dts.settings import DtsConfig
from pellucid.encoders.kl_decomposition import active_units, exact_parts
from pellucid.testing.real_data import real_data
from pellucid.training.fit import Sides, fit_encoder
from pellucid.training.settings import TrainingSettings
from pellucid_ecg.databases.mitbih import MitBih, MitBihConfig

LATENT = 8
BEATS = 600
"""Of each patient, evenly over the half hour."""

STEPS_SD = np.linspace(-2, 2, 9)


def features(beats: np.ndarray, rate_hz: float, before_s: float) -> dict[str, np.ndarray]:
    """What a person would read off, one number a beat: R height over the beat's median, its whole range, when it is highest."""
    signal = beats[:, 0]
    at = int(before_s * rate_hz)
    near = slice(at - int(0.06 * rate_hz), at + int(0.06 * rate_hz))
    middle = np.median(signal, axis=1)
    return {
        "R height (mV)": signal[:, near].max(1) - middle,
        "range (mV)": signal.max(1) - signal.min(1),
        "after the R wave (mV)": signal[:, at + int(0.2 * rate_hz) :].mean(1) - middle,
    }


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_units_keep_beats_of_an_unseen_patient_and_move_what_can_be_read_off(seed):
    data = MitBih(MitBihConfig(), real_data("ecg", "mitbih-subset"))
    patient = data.frame["subject"].to_numpy()
    patients = np.unique(patient)
    chosen = [np.flatnonzero(patient == one) for one in patients]
    chosen = [rows[np.linspace(0, len(rows) - 1, BEATS).astype(int)] for rows in chosen]
    new = data.subset(chosen[seed])
    rest = [rows for at, rows in enumerate(chosen) if at != seed]
    # The last beats of the patients learnt from say when to stop.
    train = data.subset(np.concatenate([rows[: 5 * BEATS // 6] for rows in rest]))
    watched = data.subset(np.concatenate([rows[5 * BEATS // 6 :] for rows in rest]))
    torch.manual_seed(seed)
    spec = data.spec.input("ecg")
    options = {"latent": LATENT, "hidden": 64, "frame": 9, "alpha": 1.0, "beta": 1.0, "warm_up": 5.0}
    encoder = Dts(DtsConfig(inputs={"ecg": spec}, **options))
    settings = TrainingSettings(epochs=40, batch_size=64, learning_rate=3e-3, patience=None, seed=seed)
    fit_encoder(encoder, Sides(train, watched, "pvc"), settings)

    learnt, later, unseen = (collate(part, np.arange(len(part))) for part in (train, watched, new))
    seen, kept = learnt.inputs["ecg"].numpy(), {}
    for whose, some in (("known patients", later), ("unseen patient", unseen)):
        x = some.inputs["ecg"].numpy()
        with torch.no_grad():
            again = encoder.decode(encoder(some).values).numpy()
        kept[whose] = share(x, again, seen)
        kept[f"{whose}, {LATENT} components"] = share(x, by_components(seen, x), seen)
    with torch.no_grad():
        mean, log_variance = encoder.posterior(learnt)
    parts = exact_parts(mean, log_variance, generator=torch.Generator().manual_seed(0)).mean()
    active = active_units(mean)
    print(f"without patient {seed}: variance kept {kept}; {int(active.sum())} of {LATENT} units active; {parts}")

    moved = {}
    for unit in np.flatnonzero(active.numpy()):
        at = mean.mean(0).repeat(len(STEPS_SD), 1)
        at[:, unit] += torch.from_numpy(STEPS_SD).float() * mean[:, unit].std()
        with torch.no_grad():
            shown = features(encoder.decode(at).numpy(), spec.rate_hz, data.config.before_s)
        for name, values in shown.items():
            moved[encoder.names[unit], name] = (spearmanr(STEPS_SD, values).statistic, values[-1] - values[0])
    for (unit, name), (steadiness, change) in moved.items():
        print(f"  {unit}: {name} by {change:+.2f} from -2 to +2 SD, rank correlation {steadiness:+.2f}")
    assert kept["known patients"] > 0.5
    assert int(active.sum()) >= 3
    heights = [one for (_, name), one in moved.items() if name == "R height (mV)"]
    assert any(abs(steadiness) >= 0.9 and abs(change) >= 0.2 for steadiness, change in heights)


def share(x: np.ndarray, again: np.ndarray, seen: np.ndarray) -> float:
    """Share of the squares around the mean beat learnt that is explained."""
    return round(float(1 - np.square(x - again).sum() / np.square(x - seen.mean(0)).sum()), 3)


def by_components(seen: np.ndarray, x: np.ndarray) -> np.ndarray:
    middle = seen.mean(0).reshape(-1)
    _, _, axes = np.linalg.svd(seen.reshape(len(seen), -1) - middle, full_matrices=False)
    flat = x.reshape(len(x), -1) - middle
    return (flat @ axes[:LATENT].T @ axes[:LATENT] + middle).reshape(x.shape)
