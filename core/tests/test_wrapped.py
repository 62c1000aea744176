"""Datasets that show another's samples changed, in part or in whole: what they hand on, and what lies behind them."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.data.relabelled import Relabelled
from pellucid.data.samples import Place
from pellucid.data.wrapped import Wrapped
from pellucid.protocols.links.hidden import Flipped
from pellucid.protocols.missingness.imposed import WithMissing
from pellucid.protocols.noise.copy import Marginals, NoiseCopy
from pellucid.regions import TimeSpan
from pellucid.testing.folds import TARGET
from pellucid.testing.planted import planted


class Equations:
    """What a plugin's dataset may be beside a dataset."""

    rates = (0.5, 2.0)


class Known(Equations, Wrapped):
    """Planted data that know where labels lie, where numbers were counted, and the equations behind them."""

    def planted(self, output):
        return [(TimeSpan((), float(at), at + 1.0),) for at in range(len(self))] if output == "yes" else None

    def places(self, input, index):
        return {"n": (Place("vector", TimeSpan((), float(index), index + 1.0)),)} if input == "vector" else {}


@pytest.fixture(scope="module")
def source():
    known = Known(planted(("vector",), samples=12, subjects=6))
    known.origin = "the layer of a model"
    return known


def shown(source):
    """Each way to show all samples of a dataset."""
    marginals = Marginals.of(source)
    return {
        "relabelled": Relabelled(source, TARGET, np.arange(12)[::-1]),
        "missing": WithMissing(source, "vector", np.arange(12) < 3),
        "noise": NoiseCopy(source, marginals, "x"),
        "flipped": Flipped(source, TARGET, np.arange(3)),
    }


def test_a_protocol_reaches_what_a_dataset_is_from_every_part_and_change_of_it(source):
    for name, data in shown(source).items():
        deep = data.labelled(TARGET).subset([3, 1])
        assert deep.ability(Equations) is source, name
        assert data.subset([5]).subset([0]).ability(Equations).rates == (0.5, 2.0)
        assert deep.ability(np.ndarray) is None
        # What shows it is asked first.
        assert deep.ability(type(data)) is data
    assert planted(("vector",), samples=12, subjects=6).subset([0]).ability(Equations) is None


def test_what_a_change_leaves_as_it_is_comes_from_the_source(source):
    for name, data in shown(source).items():
        assert (data.origin, data.made_by, data.spec, data.findings) == (
            source.origin, source.made_by, source.spec, source.findings
        ), name  # fmt: skip
        assert list(data.frame["subject"]) == list(source.frame["subject"])
        same = np.array_equal(data.read(np.arange(4)).inputs["vector"], source.read(np.arange(4)).inputs["vector"])
        assert same == (name != "noise")


def test_places_are_of_the_source_unless_its_values_are_gone(source):
    made = shown(source)
    for name in ("relabelled", "missing", "flipped"):
        assert made[name].subset([7]).places("vector", 0) == source.places("vector", 7), name
    assert made["noise"].places("vector", 7) == {}


def test_what_is_planted_is_known_of_unchanged_labels_and_values_alone(source):
    made = shown(source)
    assert made["missing"].subset([4]).planted("yes") == [source.planted("yes")[4]]
    assert all(made[name].planted("yes") is None for name in ("relabelled", "noise", "flipped"))
    assert source.subset([1]).planted("no") is None
