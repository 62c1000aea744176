"""From a dipole to twelve leads, by way of the nine electrodes that see it.

Whatever reaches an electrode, noise included, passes through the differences that define the leads. So the relations of
Einthoven (III = II - I) and Goldberger (aVR = -(I + II) / 2 ...) hold in every recording, as they do in a real one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
ELECTRODES = ("RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6")

Floats = npt.NDArray[np.float64]

# Dower, Machado and Osborne, Clin. Cardiol. 3:87 (1980): what a lead sees of a dipole along x (to the left), y (to the
# feet) and z (to the back).
_I, _II = np.array([0.632, -0.235, 0.059]), np.array([0.235, 1.066, -0.132])
_CHEST = np.array(
    [
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)

# Wilson's central terminal is the zero of potentials: right arm, left arm and left leg add up to nothing.
_RA = -(_I + _II) / 3

VECTORS: Floats = np.vstack([_RA, _RA + _I, _RA + _II, _CHEST])
"""What each electrode sees of the dipole, shape (electrode, 3)."""


def leads_of(potentials: Floats) -> npt.NDArray[np.float32]:
    """The twelve leads between nine electrodes.

    Parameters
    ----------
    potentials : ndarray, shape (9, time), mV
        In the order of :data:`ELECTRODES`.

    Returns
    -------
    ndarray of float32, shape (12, time), mV
        In the order of :data:`LEADS`.

    Examples
    --------
    >>> lead = dict(zip(LEADS, leads_of(VECTORS @ np.array([[1.0], [0.0], [0.0]]))[:, 0].tolist()))
    >>> round(lead["I"], 3), round(lead["III"], 3), round(lead["V4"], 3)
    (0.632, -0.397, 1.213)
    """
    right, left, foot, chest = potentials[0], potentials[1], potentials[2], potentials[3:]
    one, two = (left - right).astype(np.float32), (foot - right).astype(np.float32)
    limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    return np.vstack([*limbs, (chest - (right + left + foot) / 3).astype(np.float32)])
