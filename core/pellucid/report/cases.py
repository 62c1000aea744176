"""Cases of the report: what a model was given, what it said and why, and what the label is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data.spec import COVARIATES
from pellucid.gathering import places
from pellucid.gathering.lots import group_of
from pellucid.report import figures
from pellucid.report.figures import Picture
from pellucid.report.folder import RunFolder
from pellucid.report.looks import Look, looks, marks, reasons
from pellucid.report.pictures import units_of, view_of
from pellucid.unit_names import distinct, measured, readable, with_unit
from pellucid.views import Marked, Shown
from pellucid.views.contributions import ContributionBars, draw_bars
from pellucid.views.network import Neighbourhood
from pellucid.views.paths import paths_in_words
from pellucid.wording import listed, number, plural, sentence_case

if TYPE_CHECKING:
    import pandas as pd

TOP_BARS = 8

MOST_NUMBERS = 48
"""Numbers of an input up to which they are listed."""

HOW = {"rightly": 0, "wrongly": 1}


@dataclass(frozen=True)
class Case:
    """One test case: what the model was given, what it said and why, and what the label is."""

    kind: str
    sample: str
    model_says: str
    label: str
    facts: tuple[tuple[str, str], ...]
    inputs: tuple[Picture, ...]
    bars: Picture
    looks: tuple[Look, ...] = ()


def cases(run: RunFolder) -> dict[str, list[Case]]:
    """Cases of each model that is shown: right ones first, then wrong ones."""
    found: dict[str, list[Case]] = {}
    groups: set[tuple[str, str]] = set()
    for case in sorted(run.gallery.cases, key=lambda c: (HOW.get(c["kind"].split()[0], 2), -c["predicted"], c["lot"])):
        if case["part"] in run.shown:
            shown = found.setdefault(case["part"], [])
            # The model that speaks for the study shows all that were drawn, any other one of each kind.
            if case["part"] == run.shown[0] or (case["part"], group_of(case)) not in groups:
                groups.add((case["part"], group_of(case)))
                shown.append(_case(run, case))
    return {part: found[part] for part in run.shown if part in found}


def _case(run: RunFolder, case: Mapping[str, Any]) -> Case:
    rows = run.explanations
    rows = rows[(rows["part"] == case["part"]) & (rows["sample"] == case["sample"]) & (rows["fold"] == case["fold"])]
    tags = run.tags[case["part"]]
    several = len(run.target.outputs) > 1
    caption = f"Explained: {_explained(run.target, case)}." if several else ""
    bars = replace(
        bars_of(rows, units_of(run), singly=tags.singly, counts=tags.counts).strongest(TOP_BARS),
        in_words=_share(run.target, case),
    )
    told = reasons(run, case)
    kept = {name: run.gallery.arrays.get(f"case/{case['sample']}/{name}") for name in run.spec.inputs}
    here = {name: values for name, values in kept.items() if values is not None}
    # A list of a few among thousands of numbers says nothing; those that matter stand at their bars.
    drawn = [name for name in here if not _is_long_list(run.spec.inputs[name])]
    inputs = tuple(_input(run, case, name, here, marks(run, name, told)) for name in drawn or here)
    return Case(
        sentence_case(case["kind"]),
        case["sample"],
        _said(run.target, case),
        _label(run.target, case),
        (*([("Explained", _explained(run.target, case))] if several else []), *_facts(run, case)),
        inputs,
        figures.picture(
            lambda figure: draw_bars(figure.add_subplot(), bars),
            (3.9, 0.29 * (len(bars.labels) + 3) + 0.5),
            f"{caption} {bars.words()}".strip(),
            caption,
        ),
        looks(run, case, told),
    )


def _is_long_list(spec: Any) -> bool:
    return spec.kind == "vector" and len(spec.names) > MOST_NUMBERS


def bars_of(
    rows: pd.DataFrame, units: Mapping[str, str], *, singly: bool = False, counts: bool = False
) -> ContributionBars:
    """One sample of ``explanations.parquet``; learnt units of one input, which nobody can read singly, as one bar.

    Parameters
    ----------
    rows : DataFrame
    units : mapping of str to str
        Physical units of the representation's units, by their names, where they have any.
    singly : bool
        Whether each learnt unit can be read by itself after all: a prototype is a training sample.
    counts : bool
        Whether values are how often something is there; what is not there adds nothing and is left out.
    """
    first = rows.iloc[0]
    if counts:
        rows = rows[(rows["value"] != 0) | (rows["contribution"] != 0)]
    learnt = ~rows["comparable"].to_numpy(bool) & (not singly)
    shown = rows[~learnt]
    told = [
        measured(unit, value, units.get(unit, "")) for unit, value in zip(shown["unit"], shown["value"], strict=True)
    ]
    names = distinct(name for name, _ in told)
    known = np.isfinite(shown["value"].to_numpy(float))
    said = (
        [f"{name}, {_times(value)}" for name, value in zip(names, shown["value"], strict=True)]
        if counts
        else [f"{name} = {text}" for name, (_, text) in zip(names, told, strict=True)]
    )
    labels = [full if k else name for name, full, k in zip(names, said, known, strict=True)]
    parts = list(shown["contribution"])
    for source, some in rows[learnt].groupby(rows["unit"].str.split(":").str[0], sort=False):
        labels.append(_of_source(str(source), list(some["unit"])))
        parts.append(some["contribution"].sum())
    baseline, output, gap = (float(first[name]) for name in ("baseline", "output", "gap"))
    return ContributionBars(tuple(labels), np.asarray(parts, float), baseline, output, gap, str(first["target"]))


def _of_source(source: str, units: list[str]) -> str:
    """What learnt units of one encoder are together: its places, where they are called so, or a code that nobody can read."""
    if len(units) == 1:
        return readable(units[0])
    words = {unit.rpartition(":")[2].rstrip("0123456789 ") for unit in units}
    numbered = all(unit[-1:].isdigit() and " " in unit.rpartition(":")[2] for unit in units)
    if numbered and len(words) == 1 and words != {"unit"}:
        return f"{plural(len(units), words.pop())} of {source}"
    return f"learnt code of {source} ({len(units)} units)"


def _times(count: float) -> str:
    return "once" if count == 1 else f"{count:.0f} times"


def _input(
    run: RunFolder, case: Mapping[str, Any], name: str, inputs: Mapping[str, np.ndarray], marked: tuple[Marked, ...]
) -> Picture:
    """One input of a case: with the places that the head itself points at, else with those found by filling them."""
    told, caption, evidence = "", "", None
    if run.spec.inputs[name].kind == "graph" and marked:
        # What a head says of all nodes and what it says of the strongest is one picture.
        evidence = run.gallery.arrays.get(f"evidence/{case['part']}/{case['sample']}/{name}")
    if marked:
        told = ", with the places that the model goes by: " + ", ".join(one.label for one in marked)
    else:
        evidence = run.gallery.arrays.get(f"evidence/{case['part']}/{case['sample']}/{name}")
        if evidence is not None:
            told = ", with the places that raise and lower the output"
        # Folders of earlier versions kept none.
        strongest = next((one for one in case.get("evidence", ()) if one["unit"] == name), None)
        if strongest is not None:
            found = places.from_json(strongest)
            caption = f"Strongest region: {_named_output(found.text, run.target, case)}."
            marked = () if found.region is None else (Marked(found.region, float(strongest.get("adds", 0.0))),)
    others = {other: value for other, value in inputs.items() if other != name}
    key = f"network/{case['part']}/{case['sample']}/{name}/"
    network = {at.removeprefix(key): array for at, array in run.gallery.arrays.items() if at.startswith(key)}
    shown = Shown(evidence, readable(name), others, marked, network=network)
    if "links" in network:
        told = f": {Neighbourhood.of(inputs[name], run.spec.inputs[name], shown).strongest().words()}"
        caption = (
            "Known links of both, and by how much the output falls without each (solid: it falls, broken: it rises)."
        )
    elif "places" in network:
        told = f": {paths_in_words(network, _names(run.spec.inputs[name], inputs[name]))}"
    alt = f"{readable(name)} of this case{told}"
    return figures.view_picture(view_of(run, name), inputs[name], run.spec.inputs[name], shown, alt, caption)


def _names(spec: Any, nodes: np.ndarray) -> list[str]:
    return [spec.names[of][int(at)] for of, at in zip(spec.types, nodes, strict=True)]


def _explained(target: Any, case: Mapping[str, Any]) -> str:
    """Which output is explained, and why that one."""
    why = ""
    # Folders of earlier versions always explained the first.
    if target.several_labels and "said" in case:
        wrong = case["label"] != case["predicted"]
        why = ", the label that the model is most wrong about" if wrong else ", the label that it says most strongly"
    return f"“{case['target']}”{why}"


def _named_output(text: str, target: Any, case: Mapping[str, Any]) -> str:
    several = len(target.outputs) > 1
    return text.replace(", the output ", f", the output “{case['target']}” ") if several else text


def _said(target: Any, case: Mapping[str, Any]) -> str:
    if target.numeric:
        return with_unit(number(case["probability"]), _unit(target, case))
    told = f"{100 * case['probability']:.0f} % {case['target']}"
    if "said" in case:
        # Of the others those that the model calls, strongest first.
        others = [
            name for name, chance in case["said"].items() if chance >= case["threshold"] and name != case["target"]
        ]
        others.sort(key=lambda name: -case["said"][name])
        return ", ".join([told, *(f"{100 * case['said'][name]:.0f} % {name}" for name in others)])
    return f"{told} (called {case['target']} from {100 * case['threshold']:.0f} %)" if target.yes_or_no else told


def _unit(target: Any, case: Mapping[str, Any]) -> str:
    return str(target.units[target.outputs.index(case["target"])])


def _share(target: Any, case: Mapping[str, Any]) -> str:
    """The output as a share, where it is the logarithm of one's odds."""
    return "" if target.numeric or target.exclusive else f"{100 * case['probability']:.0f} %"


def _label(target: Any, case: Mapping[str, Any]) -> str:
    label = case["label"]
    if "labels" in case:
        return "not known" if case["labels"] is None else listed(case["labels"]) or f"none of {listed(target.outputs)}"
    if target.numeric:
        return with_unit(number(label), _unit(target, case))
    return str(target.class_names(case["target"])[int(label)])


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
