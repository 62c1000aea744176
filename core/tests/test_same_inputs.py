"""What is here beside what a model has learnt from: every field counts, words do not, and unknown is not different."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.data.inputs import Graph, Image, Nodes, Signal, Trajectory, Vector, Volume
from pellucid.data.same_inputs import differing, differs_from
from pellucid.errors import DataError
from pellucid.run import _refuse_other

SPECS = (
    Signal(channels=("Cz", "Pz"), length=100, rate_hz=250, units="uV", preparation={"reference": "average"}),
    Image(channels=("hu",), size=(8, 8), spacing_mm=(1, 1), units="HU"),
    Volume(channels=("hu",), size=(8, 8, 8), spacing_mm=(1, 1, 1), units="HU"),
    Vector(names=("age", "size"), units=("years", "mm")),
    Trajectory(names=("angle", "torque"), length=10, dt_s=0.1, units=("rad", "Nm")),
    Graph(node_features=("charge",), edge_features=("length_angstrom",)),
    Nodes(roles=("drug",), types=("drug",), names={"drug": ("a", "b")}),
)
OTHER = (
    *((SPECS[0], name, value) for name, value in {"channels": ("Pz", "Cz"), "rate_hz": 500.0, "length": 99}.items()),
    (SPECS[0], "preparation", {"reference": "Cz"}),
    (SPECS[1], "spacing_mm", (1.0, 2.0)),
    (SPECS[1], "size", (8, 9)),
    (SPECS[2], "spacing_mm", (1.0, 1.0, 5.0)),
    (SPECS[3], "names", ("size", "age")),
    (SPECS[3], "units", ("years", "cm")),
    (SPECS[4], "names", ("torque", "angle")),
    (SPECS[4], "dt_s", 0.2),
    (SPECS[5], "node_features", ("mass",)),
    (SPECS[5], "edge_features", ()),
    (SPECS[6], "names", {"drug": ("b", "a")}),
)


@pytest.mark.parametrize(("learnt", "field", "value"), OTHER, ids=[f"{s.kind}-{f}" for s, f, _ in OTHER])
def test_objects_that_differ_in_any_fact_are_refused(learnt, field, value):
    here = learnt.model_copy(update={field: value})
    assert differing(here, learnt) == (field,)
    with pytest.raises(DataError, match=field if field != "units" else "units|is in"):
        _refuse_other("x", here, learnt, Path("run"))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_the_same_does_not_differ(spec):
    assert differs_from(spec, spec.model_copy()) == ""


def test_what_is_unknown_is_not_different():
    assert not differs_from(SPECS[1].model_copy(update={"spacing_mm": None, "units": ""}), SPECS[1])
    assert not differs_from(SPECS[0], SPECS[0].model_copy(update={"preparation": {}, "units": ""}))
    assert not differs_from(SPECS[3].model_copy(update={"units": ("years", "")}), SPECS[3])


def test_words_for_people_do_not_count():
    assert not differs_from(SPECS[5].model_copy(update={"node_word": ("atom", "atoms")}), SPECS[5])


def test_one_unit_for_all_is_that_unit_for_each():
    each = Vector(names=("a", "b"), units=("mm", "mm"))
    assert not differs_from(Vector(names=("a", "b"), units="mm"), each)
    assert differing(Vector(names=("a", "b"), units="cm"), each) == ("units",)


def test_another_kind_is_said_with_both():
    assert differs_from(SPECS[1], SPECS[3]) == "kind image here and vector there"


def test_a_difference_says_both_values_where_they_are_short():
    assert differs_from(SPECS[4].model_copy(update={"dt_s": 0.2}), SPECS[4]) == "other dt_s (0.2 here and 0.1 there)"
