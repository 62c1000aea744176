"""What every dataset keeps."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from pellucid import plugins
from pellucid.data.dataset import Dataset
from pellucid.data.graphs import Graphs
from pellucid.data.spec import DataSpec, Graph
from pellucid.plugins import Component
from pellucid.regions import Region
from pellucid.testing.instances import need, opened, opened_anew

IDENTITY = (
    "name",
    "birth",
    "mrn",
    "ssn",
    "address",
    "phone",
    "email",
    "accession",
    "insurance",
    "patient_id",
    "patientid",
)
"""Parts of column names under which people can be found."""

_PSEUDONYM = re.compile(r"[0-9a-f]{16}")


def dataset_frame_matches_spec(component: Component) -> None:
    """Every declared column is there and holds what its kind allows."""
    data = opened(component)
    need(len(data) > 0, component, "has no samples")
    data.check()
    need(data.spec.name == component.name, component, f"calls itself {data.spec.name!r}")
    for name in data.spec.targets:
        need(not np.isnan(data.target_values(name)).all(), component, f"no sample has a label in {name!r}")
    if data.spec.covariates is not None:
        data.covariate_values()
    if data.spec.concepts is not None:
        ratings, concepts = data.concept_values(), data.spec.concepts
        outside = (ratings < np.array(concepts.low)) | (ratings > np.array(concepts.high))
        need(not outside.any(), component, f"concept {concepts.names[int(outside.any(0).argmax())]!r} leaves its range")
    for kind, names in (
        ("view", data.spec.views.values()),
        ("measure", [m for ms in data.spec.measures.values() for m in ms]),
    ):
        for name in names:
            plugins.find(kind, name)


def _some(data: Dataset) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.permutation(len(data))[: min(len(data), 7)]


def dataset_reads_shapes_and_types_of_its_spec(component: Component) -> None:
    """Arrays of the declared shape, float32 or integers, finite wherever the mask says that a value is real."""
    data = opened(component)
    at = _some(data)
    arrays = data.read(at)
    need(
        set(arrays.inputs) == set(data.spec.inputs),
        component,
        f"reads {sorted(arrays.inputs)}, declares {sorted(data.spec.inputs)}",
    )
    for name, spec in data.spec.inputs.items():
        values = arrays.inputs[name]
        if isinstance(spec, Graph):
            need(isinstance(values, Graphs), component, f"input {name!r} is a {type(values).__name__}, expected Graphs")
            values.check(spec, f"{component}: input {name!r}")
            need(len(values) == len(at), component, f"input {name!r} has {len(values)} graphs of {len(at)} samples")
            continue
        need(
            values.shape == (len(at), *spec.shape),
            component,
            f"input {name!r} has shape {values.shape}, expected (n, *{spec.shape})",
        )
        whole = spec.kind in ("text", "nodes")
        wanted = "integers" if whole else "float32"
        fits = np.issubdtype(values.dtype, np.integer) if whole else values.dtype == np.float32
        need(bool(fits), component, f"input {name!r} is {values.dtype}, expected {wanted}")
        mask = arrays.masks.get(name, np.ones(len(at), bool))
        need(
            mask.dtype == bool and mask.shape in ((len(at),), values.shape),
            component,
            f"mask of {name!r} is {mask.dtype} {mask.shape}",
        )
        real = np.broadcast_to(mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim)), values.shape)
        need(
            bool(np.isfinite(values[real]).all()),
            component,
            f"input {name!r} holds NaN or infinity where nothing is masked",
        )


def dataset_reads_in_the_order_asked(component: Component) -> None:
    """Sample i of a read is sample i that was asked for, alone or among others, by any way of asking."""
    data = opened(component)
    at = _some(data)
    arrays = data.read(at)
    for name in data.spec.inputs:
        for row, index in enumerate(at):
            alone, one = data.read(np.array([index])).inputs[name][0], data[int(index)]
            same = same_values(arrays.inputs[name][row], alone) and one.id == data.frame.index[index]
            need(
                same,
                component,
                f"input {name!r} of sample {data.frame.index[index]!r} depends on which others are read with it",
            )


def same_values(a: Any, b: Any) -> bool:
    """Whether two inputs hold the same, NaN where NaN is; graphs in all that they are made of."""
    if not isinstance(a, Graphs):
        return np.array_equal(a, b, equal_nan=True)
    first, second = a.arrays(), b.arrays()
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


def dataset_sample_ids_are_unique_names(component: Component) -> None:
    """Ids are strings that stand once, and there is more than one subject to split by."""
    data = opened(component)
    index = data.frame.index
    need(
        bool(index.is_unique) and all(isinstance(i, str) for i in index), component, "sample ids must be unique strings"
    )
    for group in data.spec.groups:
        need(
            data.frame[group].nunique() > 1, component, f"column {group!r} holds one value: nothing can be split by it"
        )


def dataset_shows_no_identity(component: Component) -> None:
    """No column that finds a person, and subjects as keyed digests (generated data has nobody to protect)."""
    data = opened(component)
    for column in data.frame.columns:
        words = str(column).lower().replace(" ", "_")
        if ":" not in words:
            found = [word for word in IDENTITY if re.search(rf"(^|_){word}(_|$)", words)]
            need(not found, component, f"column {column!r} looks like identity: drop it, or digest it with pseudonym()")
    if "subject" in data.spec.groups and not _generated(component):
        raw = next((str(s) for s in data.frame["subject"] if not _PSEUDONYM.fullmatch(str(s))), None)
        need(raw is None, component, f"subject {raw!r} is no digest: replace names with pseudonym() when they are read")


def _generated(component: Component) -> bool:
    from pellucid.cards import read_card

    cards = [c for c in plugins.components("card").values() if c.name == component.name]
    return any(read_card(plugins.resource(card.target)).access == "generated" for card in cards)


def dataset_spec_survives_json(component: Component) -> None:
    """The spec that a run folder keeps is the spec."""
    spec = opened(component).spec
    need(
        DataSpec.model_validate_json(spec.model_dump_json()) == spec,
        component,
        "its spec changes on the way through JSON",
    )


def dataset_says_where_its_labels_lie_or_that_it_does_not_know(component: Component) -> None:
    """Of every output it says one tuple of regions a sample, or None; of one that it does not have, None."""
    data = opened(component)
    outputs = {
        name for target in data.spec.targets.values() for name in (*getattr(target, "names", ()), *target.outputs)
    }
    for output in sorted(outputs):
        try:
            found = data.planted(output)
        except Exception as error:  # noqa: BLE001 - whatever it is, protocols ask every dataset for every output
            need(
                False, component, f"planted({output!r}) raises {type(error).__name__} where None says that nobody knows"
            )
        if found is None:
            continue
        need(len(found) == len(data), component, f"planted({output!r}) speaks of {len(found)} samples of {len(data)}")
        strange = next((place for where in found for place in where if not isinstance(place, Region)), None)
        need(strange is None, component, f"planted({output!r}) names a place that is a {type(strange).__name__}")
    try:
        found = data.planted("an output that no dataset has")
    except Exception as error:  # noqa: BLE001 - as above
        need(False, component, f"raises {type(error).__name__} for an output that it does not have: planted says None")
    need(found is None, component, "says where an output lies that it does not have: planted says None")


def dataset_same_data_has_same_digest(component: Component) -> None:
    """Opened twice it is the same data."""
    data, again = opened(component), opened_anew(component)
    need(data.digest() == again.digest(), component, "opened again, its digest differs")
