"""Electrodes that are not there, from those that are: spherical splines."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_eeg.recordings.electrodes import template_montage

FEWEST = 4
"""Electrodes that a surface over a sphere can be laid through."""


@lru_cache(maxsize=64)
def spline_weights(there: tuple[str, ...], absent: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Weights of electrodes that stand for absent ones, shape (absent, there).

    Spherical splines (Perrin et al. 1989, doi:10.1016/0013-4694(89)90180-6) are linear in the values: mne's own are asked once
    what they make of a 1 at each electrode. Places are those of the standard 10-05 system.

    Parameters
    ----------
    there : tuple of str
        Standard names of the good electrodes.
    absent : tuple of str
        Those that they stand for.

    Returns
    -------
    ndarray of float64, shape (absent, there)
        ``weights @ signals`` are the absent ones, in the unit of the signals.

    Raises
    ------
    DataError
        If fewer than :data:`FEWEST` electrodes are there.
    """
    if len(there) < FEWEST:
        raise DataError(
            f'{len(there)} good electrodes are too few to interpolate from; {FEWEST} are the least: absent = "masked"'
        )
    import mne

    names = [*there, *absent]
    values = np.vstack([np.eye(len(there)), np.zeros((len(absent), len(there)))])
    with mne.utils.use_log_level("ERROR"):
        info = mne.create_info(names, 100.0, "eeg")
        raw = mne.io.RawArray(values, info)
        raw.set_montage(template_montage())
        raw.info["bads"] = list(absent)
        raw.interpolate_bads(reset_bads=False)
    return np.asarray(raw.get_data()[len(there) :], np.float64)
