"""A small folder in the layout of ZuCo, written in a moment: for the contract checks and for trying a study."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.data.dataset import Dataset


def write_results(path: Path, readings: Sequence[tuple[str, npt.NDArray[np.float64] | None]]) -> None:
    """Write a file of Matlab 7.3: a struct array whose fields are references to what each sentence has.

    Parameters
    ----------
    path : Path
    readings : sequence of (str, ndarray or None)
        Words and signals, shape (105, time); None where nothing was recorded.
    """
    import h5py

    with h5py.File(path, "w") as file:
        struct, kept = file.create_group("sentenceData"), file.create_group("#refs#")
        struct.attrs["MATLAB_class"] = np.bytes_("struct")
        fields: dict[str, list[h5py.Reference]] = {"content": [], "rawData": []}
        for at, (words, signals) in enumerate(readings):
            characters = np.frombuffer(words.encode("utf-16-le"), "<u2")[:, None]
            text = kept.create_dataset(f"c{at}", data=characters)
            text.attrs["MATLAB_class"] = np.bytes_("char")
            values = np.full((1, 1), np.nan) if signals is None else signals.T
            recorded = kept.create_dataset(f"r{at}", data=values)
            recorded.attrs["MATLAB_class"] = np.bytes_("double")
            fields["content"].append(text.ref)
            fields["rawData"].append(recorded.ref)
        for name, references in fields.items():
            stored = struct.create_dataset(name, (len(references), 1), dtype=h5py.ref_dtype)
            for at, reference in enumerate(references):
                stored[at, 0] = reference


def example() -> Dataset:
    """Two made-up readers, twelve sentences, one of which nobody recorded."""
    from pellucid_eeg.zuco.dataset import Zuco, ZucoConfig

    chance = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        for person in ("ZXA", "YXB"):
            for task in ("SR", "NR") if person == "ZXA" else ("NR",):
                readings = []
                for at in range(6):
                    signals = np.zeros((105, int(chance.integers(300, 900))))
                    signals[:-1] = chance.normal(0, 10, (104, signals.shape[1]))
                    readings.append((f"Sentence {at} of {task} says something.", None if at == 5 else signals))
                write_results(Path(folder) / f"results{person}_{task}.mat", readings)
        return Zuco(ZucoConfig(cache=False), Path(folder))
