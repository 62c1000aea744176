"""Made-up readings: what is planted can be read back, by readers who see it alike or not, and the frame says what was read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid_datasets.electroencephalograms.readings import PLACE, WORDS
from pellucid_eeg.zuco.synthetic import ZucoSynthetic, ZucoSyntheticConfig


def made(**options) -> ZucoSynthetic:
    given = {"sentences": 40, "recordings": 3, "subjects": 2, "channels": 200, "length": 400, "noise": 0.0, **options}
    return ZucoSynthetic(ZucoSyntheticConfig(**given))


def read_back(data: ZucoSynthetic, subject: str) -> tuple[np.ndarray, float]:
    """What a reader's channels see of each number, shape (8, channel), by least squares; and the root mean square of the rest.

    In the middle of a word its own number is at its height, and those of its neighbours a word further on a bell curve.
    """
    mine = np.flatnonzero(data.frame["subject"] == subject)
    arrays = data.read(mine)
    steps = arrays.masks["eeg"][:, 0].sum(1)
    sentence = data.frame["sentence"].iloc[mine].str[-4:].astype(int).to_numpy()
    latent = data.planted_sentences.latent[sentence]
    seen, design = [], []
    for word in range(8):
        seen.append(arrays.inputs["eeg"][np.arange(len(mine)), :, ((word + 0.5) / 8 * steps).astype(int)])
        design.append(latent * np.exp(-0.5 * (np.arange(8) - word) ** 2))
    found, *_ = np.linalg.lstsq(np.concatenate(design), np.concatenate(seen), rcond=None)
    return found, float(np.sqrt(np.mean((np.concatenate(seen) - np.concatenate(design) @ found) ** 2)))


def test_what_is_planted_is_read_back_and_noise_is_as_loud_as_is_set():
    for noise in (0.0, 0.5):
        data = made(noise=noise)
        for subject in data.frame["subject"].unique():
            mixing, rest = read_back(data, subject)
            assert np.sqrt(np.mean(mixing**2)) == pytest.approx(5, rel=0.06)
            # A word's middle falls between two samples, so a little is left without noise.
            assert rest == pytest.approx(np.hypot(5 * noise, 0.1), abs=0.1)


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_readers_heads_are_as_alike_as_is_set_and_of_equal_strength(alike):
    data = made(alike=alike, subjects=3, sentences=60)
    found = [read_back(data, subject)[0].ravel() for subject in data.frame["subject"].unique()]
    together = np.corrcoef(found)[np.triu_indices(3, 1)]
    np.testing.assert_allclose(together, alike, atol=0.08)
    np.testing.assert_allclose([one.std() for one in found], 5, rtol=0.08)


@pytest.mark.parametrize(("recordings", "subjects"), [(3, 2), (4, 2), (10, 4), (1, 5)])
def test_readings_are_dealt_in_turn_and_the_prompt_says_who_read(recordings, subjects):
    data = made(recordings=recordings, subjects=subjects, channels=1, length=8)
    frame, prompt = data.frame, data.read(np.arange(len(data))).inputs["prompt"]
    assert len(frame) == 40 * recordings
    assert set(frame["sentence"].value_counts()) == {recordings}
    assert np.ptp(frame["subject"].value_counts()) <= 1
    # As many readers read a sentence as can.
    assert set(frame.groupby("sentence")["subject"].nunique()) == {min(recordings, subjects)}
    assert (prompt[:, :2] == 1).all()
    assert sorted(set(prompt[:, 2])) == list(range(1, subjects + 1))
    assert frame.assign(number=prompt[:, 2]).groupby("subject")["number"].nunique().max() == 1


def test_the_frame_says_what_was_read_where_it_happens_and_for_how_long():
    data = made(channels=2)
    arrays = data.read(np.arange(len(data)))
    steps = arrays.masks["eeg"].all(1).sum(1)
    np.testing.assert_allclose(data.frame["length_s"], steps / 128)
    assert steps.min() >= 300
    assert steps.max() <= 400
    assert len(set(steps.tolist())) > 20
    assert not arrays.inputs["eeg"][~arrays.masks["eeg"]].any()
    columns = [name for name in data.frame if str(name).startswith("text:sentence")]
    assert columns == list(data.spec.texts["sentence"].columns("sentence"))
    assert len(columns) == 3
    # Of the published network: thirty readers, and none.
    assert data.spec.input("prompt").vocabulary == 31
    for _, row in data.frame.iterrows():
        words = data.planted_sentences.words[int(row["sentence"][-4:])]
        for name in columns:
            assert all(WORDS[at][word] in row[name] for at, word in enumerate(words))
        assert WORDS[PLACE][int(row["place"])] in row[columns[0]]
    assert not set(data.frame[columns[0]]) & set(data.frame[columns[1]])


def test_a_seed_settles_everything_and_a_folder_is_refused():
    one, again, other = (made(noise=1.0, channels=2, seed=seed).read(np.arange(9)).inputs["eeg"] for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.isclose(one, other).any(1).all(1).any()
    with pytest.raises(DataError, match="is made up and reads no file"):
        ZucoSynthetic(data=Path("somewhere"))
