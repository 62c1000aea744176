"""Means over windows: exact, named after channel and time, and blind to what is masked."""

from __future__ import annotations

import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.spec import Signal
from pellucid.encoders.signals.window_means import WindowMeans, WindowMeansConfig
from pellucid.errors import StudyError


def made(window_s: float = 0.02, length: int = 7) -> WindowMeans:
    spec = Signal(channels=("a", "b"), length=length, rate_hz=100, units="uV")
    return WindowMeans(WindowMeansConfig(inputs={"x": spec}, window_s=window_s))


def test_each_unit_is_the_mean_of_its_channel_over_its_window():
    x = torch.arange(14.0).reshape(1, 2, 7)
    found = made()(Batch({"x": x}))
    assert found.names == ("a 0.000 s", "a 0.020 s", "a 0.040 s", "b 0.000 s", "b 0.020 s", "b 0.040 s")
    assert found.values.tolist() == [[0.5, 2.5, 4.5, 7.5, 9.5, 11.5]]


def test_what_is_masked_has_no_part_in_a_mean():
    x = torch.ones(1, 2, 7)
    known = torch.ones(1, 2, 7, dtype=torch.bool)
    x[0, 0, 1], known[0, 0, 1] = 99, False
    known[0, 1, :4] = False
    x[0, 1, :4] = 99
    assert made()(Batch({"x": x}, {"x": known})).values.tolist() == [[1, 1, 1, 0, 0, 1]]


def test_windows_longer_than_the_signal_are_refused():
    with pytest.raises(StudyError, match="longer than the signal of"):
        made(window_s=0.2)
