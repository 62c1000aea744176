"""What a case looks like: parts of its inputs, each beside the part of a training sample that the model compares it with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.data.graphs import Graphs
from pellucid.explanation import Evidence
from pellucid.gathering import places
from pellucid.regions import Region
from pellucid.report import figures
from pellucid.report.figures import Picture
from pellucid.report.folder import RunFolder
from pellucid.report.pictures import view_of
from pellucid.unit_names import readable
from pellucid.views import Marked, Shown
from pellucid.wording import sentence_case

WHOLE = ("graph", "image", "volume", "signal", "trajectory")
"""Kinds of input of which a picture is worth more than a list of numbers."""


@dataclass(frozen=True)
class Look:
    """One contribution that points at a place, and at a training sample if the case is compared with one."""

    letter: str
    sentence: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Reason:
    """A contribution with what it points at."""

    letter: str
    evidence: Evidence
    adds: float
    label: str

    @property
    def mark(self) -> str:
        """What stands beside its mark in a picture."""
        return f"{self.letter} {self.adds:+.2f}"


def reasons(run: RunFolder, case: Mapping[str, Any]) -> tuple[Reason, ...]:
    """What the strongest contributions of a case point at, strongest first; each gets a letter."""
    found = case.get("reasons", ())
    return tuple(
        Reason(chr(ord("A") + at), places.from_json(one), float(one["adds"]), str(one.get("source_label", "")))
        for at, one in enumerate(found)
    )


def marks(run: RunFolder, name: str, pointing: tuple[Reason, ...]) -> tuple[Marked, ...]:
    """The places that reasons point at in one input."""
    return tuple(
        Marked(one.evidence.region, one.adds, one.mark)
        for one in pointing
        if one.evidence.region is not None and _input(run, one.evidence, one.evidence.region) == name
    )


def looks(run: RunFolder, case: Mapping[str, Any], pointing: tuple[Reason, ...]) -> tuple[Look, ...]:
    """Each reason in words and, where it points at a place, with pictures of the place here and in the training sample."""
    return tuple(Look(one.letter, _sentence(run, one, case), _pictures(run, case, one)) for one in pointing)


def _sentence(run: RunFolder, reason: Reason, case: Mapping[str, Any]) -> str:
    evidence, label = reason.evidence, f", labelled {reason.label}" if reason.label else ""
    some = evidence.region is not None and not _whole(run, evidence, evidence.region)
    here = (
        f"This part ({_said(run, evidence, evidence.region)})"
        if some and evidence.region is not None
        else "All of this case"
    )
    told = ""
    if evidence.source is not None:
        there = (
            f", {_said(run, evidence, evidence.source_region)}" if some and evidence.source_region is not None else ""
        )
        # Not "looks like": what is less like its prototype than usual counts too, and the percentage tells.
        told = f"{here} is compared with training sample {evidence.source}{label}{there}. "
    elif evidence.region is not None:
        told = f"{here}. "
    # An equation begins with a name, which is written as it is.
    said = evidence.text if evidence.text.split(" ")[1:2] == ["="] else sentence_case(evidence.text)
    text = f"{said.rstrip('.')}. " if said else ""
    way = "raises" if reason.adds > 0 else "lowers"
    return f"{told}{text}It {way} “{case['target']}”: {reason.adds:+.2f} ({readable(evidence.unit)})."


def _pictures(run: RunFolder, case: Mapping[str, Any], reason: Reason) -> tuple[Picture, ...]:
    evidence = reason.evidence
    found = []
    for region, kept, whose in (
        (evidence.region, f"case/{case['sample']}", "this case"),
        (evidence.source_region, f"source/{evidence.source}", "the training sample"),
    ):
        name = None if region is None else _input(run, evidence, region)
        values = run.gallery.arrays.get(f"{kept}/{name}")
        if region is None or name is None or values is None:
            continue
        if whose == "this case" and (region.covers(run.spec.inputs[name]) or not region.stands_alone):
            # The case itself is drawn above.
            continue
        others = {
            o: v for o in run.spec.inputs if o != name and (v := run.gallery.arrays.get(f"{kept}/{o}")) is not None
        }
        caption = f"{reason.letter}: {whose}"
        # Only in the case it adds something; in the training sample it is where to look.
        weight = reason.adds if whose == "this case" else 0.0
        shown = Shown(caption=caption, beside=others, regions=(Marked(region, weight),), only=region)
        alt = f"{caption}, {readable(name)}, {region.in_words(run.spec.inputs[name])}"
        found.append(figures.view_picture(view_of(run, name), _drawn(values), run.spec.inputs[name], shown, alt))
    if evidence.source is not None and evidence.source_region is None:
        found += _whole_source(run, reason, evidence.source)
    return tuple(found)


def _whole_source(run: RunFolder, reason: Reason, source: str) -> list[Picture]:
    """A training sample that the case is compared with as a whole: each input of it that is a picture of something."""
    found = []
    for name, spec in run.spec.inputs.items():
        values = run.gallery.arrays.get(f"source/{source}/{name}")
        if values is None or spec.kind not in WHOLE:
            continue
        shown = Shown(caption=f"{reason.letter}: the training sample")
        alt = f"{reason.letter}: training sample {source}, {readable(name)}"
        found.append(figures.view_picture(view_of(run, name), _drawn(values), spec, shown, alt))
    return found


def _whole(run: RunFolder, evidence: Evidence, region: Region) -> bool:
    name = _input(run, evidence, region)
    return name is not None and region.covers(run.spec.inputs[name])


def _input(run: RunFolder, evidence: Evidence, region: Region) -> str | None:
    return places.input_of(region, evidence.input, run.spec.inputs)


def _said(run: RunFolder, evidence: Evidence, region: Region) -> str:
    return places.in_words(region, evidence.input, run.spec.inputs)


def _drawn(values: Any) -> Any:
    return values if isinstance(values, Graphs) else np.asarray(values)
