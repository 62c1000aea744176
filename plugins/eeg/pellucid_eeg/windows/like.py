"""Windows for models that have learnt from others: what is asked of recordings then, and what is said of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from pellucid.data.samples import Finding
from pellucid.data.spec import Signal
from pellucid.store.prepared import Prepared
from pellucid_eeg.preparing.montage import brought_to, differences
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.windows.settings import WindowsConfig
from pellucid_eeg.windows.storing import MADE_UP

__all__ = ["brought", "told_of"]

Config = TypeVar("Config", bound=WindowsConfig)


def brought(config: Config, learnt: Signal) -> Config:
    """The options that bring recordings to the electrodes and the rate that models have learnt from.

    Both are part of what a store is known by, so that none of a run is taken for one of an evaluation that asks otherwise.

    Parameters
    ----------
    config : WindowsConfig
    learnt : Signal
        What the models have learnt from.
    """
    return config.model_copy(update={"preparation": brought_to(config.preparation, learnt)})


def told_of(
    findings: Sequence[Finding], samples: Sequence[str], stores: Sequence[Prepared], learnt: Signal, preparation: Preparation
) -> tuple[Finding, ...]:  # fmt: skip
    """Findings of recordings, and what each had otherwise than models have learnt from.

    Parameters
    ----------
    findings : sequence of Finding
        As the data have them; what they say of electrodes that were made up is said anew.
    samples : sequence of str
        Names of recordings, one a store.
    stores : sequence of Prepared
    learnt : Signal
    preparation : Preparation
        As the models' study has it.
    """
    made = []
    for sample, notes in ((sample, store.notes) for sample, store in zip(samples, stores, strict=True)):
        there = set(notes["there"])
        known = np.array([name in there for name in learnt.channels])
        told = differences(notes["scalp"], notes["recorded_hz"], known, learnt, preparation)
        made += [Finding(sample, *one) for one in told]
    return (*(one for one in findings if one.what != MADE_UP), *made)
