"""Cases of the report: what a model was given, what it said and why, and what the label is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data.spec import COVARIATES
from pellucid.explanation import Evidence
from pellucid.report import figures, places
from pellucid.report.figures import Bars, Picture
from pellucid.report.folder import RunFolder
from pellucid.report.names import measured, number, readable, sentence_case
from pellucid.report.pictures import units_of, view_of
from pellucid.views import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP_BARS = 8
HOW = {"rightly": 0, "wrongly": 1}


@dataclass(frozen=True)
class Case:
    """One test case: what the model was given, what it said and why, and what the label is."""

    kind: str
    sample: str
    said: str
    label: str
    facts: tuple[tuple[str, str], ...]
    inputs: tuple[Picture, ...]
    bars: Picture


def cases(run: RunFolder) -> dict[str, list[Case]]:
    """Cases of each model that is shown: right ones first, then wrong ones."""
    found: dict[str, list[Case]] = {}
    for case in sorted(run.gallery.cases, key=lambda c: (HOW.get(c["kind"].split()[0], 2), -c["predicted"], c["lot"])):
        if case["part"] in run.shown:
            shown = found.setdefault(case["part"], [])
            kinds = [one.kind for one in shown]
            # The model that speaks for the study shows all that were drawn, any other one of each kind.
            if case["part"] == run.shown[0] or sentence_case(case["kind"]) not in kinds:
                shown.append(_case(run, case))
    return {part: found[part] for part in run.shown if part in found}


def _case(run: RunFolder, case: Mapping[str, Any]) -> Case:
    rows = run.explanations
    rows = rows[(rows["part"] == case["part"]) & (rows["sample"] == case["sample"]) & (rows["fold"] == case["fold"])]
    bars = replace(Bars.of_rows(rows, units_of(run)).strongest(TOP_BARS), said=_share(run.target, case))
    inputs = []
    # Folders of earlier versions kept none.
    evidence = [places.from_json(one) for one in case.get("evidence", ())]
    kept = {name: run.gallery.arrays.get(f"case/{case['sample']}/{name}") for name in run.spec.inputs}
    shown = {name: values for name, values in kept.items() if values is not None}
    for name, spec in run.spec.inputs.items():
        if name in shown:
            drawn = run.gallery.arrays.get(f"evidence/{case['part']}/{case['sample']}/{name}")
            strongest = next((one for one in evidence if one.unit == name), None)
            inputs.append(_input(view_of(run, name), name, spec, shown, drawn, strongest))
    return Case(
        sentence_case(case["kind"]),
        case["sample"],
        _said(run.target, case),
        _label(run.target, case["label"]),
        _facts(run, case),
        tuple(inputs),
        figures.picture(
            lambda figure: figures.draw_bars(figure.add_subplot(), bars),
            (3.9, 0.29 * (len(bars.labels) + 3) + 0.5),
            bars.words(),
        ),
    )


def _input(
    view: View,
    name: str,
    spec: Any,
    inputs: Mapping[str, np.ndarray],
    evidence: np.ndarray | None,
    strongest: Evidence | None,
) -> Picture:
    values = inputs[name]
    others = {other: value for other, value in inputs.items() if other != name}
    told = ", with the places that raise and lower the output" if evidence is not None else ""
    size = {"image": (2.1, 2.3), "volume": (3.9, 1.7), "vector": (2.9, 0.24 * min(values.shape[-1], 12) + 0.5)}.get(
        spec.kind, (3.9, 2.2)
    )

    def draw(figure: Figure) -> None:
        ax = figure.add_subplot()
        view(ax, values, spec, evidence=evidence, caption=readable(name), beside=others)
        if strongest is not None:
            places.frame_place(ax, strongest.region)

    caption = f"Strongest region: {strongest.text}." if strongest is not None else ""
    return figures.picture(draw, size, f"{readable(name)} of this case{told}", caption)


def _said(target: Any, case: Mapping[str, Any]) -> str:
    if target.kind == "regression":
        return f"{number(case['probability'])} {target.units[0]}".strip()
    told = f"{100 * case['probability']:.0f} % {case['target']}"
    return (
        f"{told} (called {case['target']} from {100 * case['threshold']:.0f} %)"
        if target.kind in ("binary", "links")
        else told
    )


def _share(target: Any, case: Mapping[str, Any]) -> str:
    """The output as a share, where it is the logarithm of one's odds."""
    return "" if target.kind in ("regression", "multiclass") else f"{100 * case['probability']:.0f} %"


def _label(target: Any, label: float) -> str:
    if target.kind == "regression":
        return f"{number(label)} {target.units[0]}".strip()
    names = (f"not {target.outputs[0]}", target.outputs[0]) if target.kind in ("multilabel", "links") else target.names
    return str(names[int(label)])


def _facts(run: RunFolder, case: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Covariates, and ratings unless an input shows them already."""
    facts = [
        measured(name, value, units_of(run).get(f"{COVARIATES}:{name}", ""))
        for name, value in case["covariates"].items()
    ]
    concepts = run.spec.concepts
    if concepts is not None:
        drawn = any(
            spec.kind == "vector" and set(concepts.names) <= set(spec.names) for spec in run.spec.inputs.values()
        )
        ends = dict(zip(concepts.names, zip(concepts.low, concepts.high, strict=True), strict=True))
        if not drawn:
            facts += [
                (readable(name), f"{value:.2g} on {ends[name][0]:g} to {ends[name][1]:g}")
                for name, value in case["concepts"].items()
            ]
    # A quantity and its logarithm are the same fact.
    return tuple(dict.fromkeys(facts))
