"""From a run folder to one HTML file that needs no network and no script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.data.spec import DataSpec
from pellucid.files import writing
from pellucid.gathering.lots import EACH
from pellucid.protocols.said import AFTER_CASES, LEARNT_CODE, Section
from pellucid.report import (
    cases,
    feature_cards,
    findings,
    pictures,
    provenance,
    published,
    sections,
    unmeasured,
    words,
)
from pellucid.report.folder import RunFolder
from pellucid.result import Result
from pellucid.wording import listed, sentence_case

HERE = Path(__file__).parent
AUDIT = words.AUDIT


def build_report(folder: Path) -> Path:
    """Write ``report.html`` into a run folder, from what the folder holds and nothing else.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    RunError
        If the folder holds no finished ``run.json``.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    run = RunFolder.read(Path(folder))
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    # The one text that is not escaped is this package's own stylesheet.
    style = Markup((HERE / "style.css").read_text("utf-8"))
    page = environment.get_template("report.html").render(style=style, **contents(run))
    written = run.path / "report.html"
    with writing(written) as temporary:
        temporary.write_text(page, "utf-8")
    return written


def _judged_on(spec: DataSpec, results: Iterable[Result]) -> list[str]:
    """Who was new to the models, where that is not simply people."""
    if not spec.judged_on:
        return []
    known = f" Nothing is said about other {listed(list(spec.seen))}." if spec.seen else ""
    if any(one.judged_on not in ("", spec.judged_on) for one in results):
        return [f"Scores are of {spec.judged_on} where they do not say otherwise.{known}"]
    return [f"All scores are of {spec.judged_on}.{known}"]


@dataclass(frozen=True)
class Placed:
    """A section with what its protocols found, and strips of learnt codes where these belong."""

    section: Section
    protocols: Mapping[str, Any]
    traversals: Any = ()


def _placed(shown: Mapping[str, Any], traversals: Any) -> list[Placed]:
    """Sections in their order, each with all of its protocols."""
    places: dict[str, Section] = {LEARNT_CODE.anchor: LEARNT_CODE} if traversals else {}
    found: dict[str, dict[str, Any]] = {anchor: {} for anchor in places}
    for name, one in shown.items():
        if (section := words.section_of(name)) is not None:
            places.setdefault(section.anchor, section)
            found.setdefault(section.anchor, {})[name] = one
    return [
        Placed(section, found[anchor], traversals if anchor == LEARNT_CODE.anchor else ())
        for anchor, section in sorted(places.items(), key=lambda place: place[1].order)
    ]


def contents(run: RunFolder) -> Mapping[str, Any]:
    """All that the template shows, ready to print."""
    drawn, problems = pictures.protocol_figures(run)
    predicted = sections.predictions(run)
    others = sections.other_protocols(run)
    shown = {
        name: (
            sentence_case(name.replace("-", " ")),
            others.get(name, ()),
            sections.checks(run, name),
            drawn.get(name, []),
        )
        for name in dict.fromkeys([*(r.protocol for r in run.results), *drawn])
        if name not in ("prediction", AUDIT)
    }
    placed = _placed(shown, pictures.traversals(run))
    return {
        "title": run.document["study"].get("title") or "Study",
        "started": str(run.document.get("started", ""))[:10],
        "dataset": run.spec.name,
        "unfinished": run.document.get("state") not in (None, "finished", "concluding"),
        "stopped": run.document.get("stopped") or "",
        "summary": sections.summary(run),
        "predicts": any(tags.predicts for tags in run.tags.values()),
        "about": run.spec.about,
        "notes": [
            *_judged_on(run.spec, run.results),
            *(run.document.get("notes") or ()),
            *problems,
            *filter(None, [run.gallery.problem]),
        ],
        "models": sections.models(run),
        "cohort": sections.cohort(run),
        "found": findings.grouped(run.document.get("findings") or ()),
        "found_said": findings.counted(run.document.get("findings") or ()),
        "published": published.beside(run),
        "one": run.spec.group_word[0],
        "several": run.spec.group_word[1],
        "samples": predicted.samples,
        "subjects": predicted.subjects,
        "differences": predicted.differences,
        "prediction_figures": drawn.get("prediction", []),
        "audits": sections.checks(run, AUDIT),
        "remarks": sections.remarks(run, AUDIT),
        "audit_scores": others.get(AUDIT, ()),
        "audit_figures": drawn.get(AUDIT, []),
        "wholes": pictures.whole_models(run),
        "features": feature_cards.cards(run),
        "cases": cases.cases(run),
        "each": EACH,
        "pictured": any(spec.kind not in ("graph", "vector") for spec in run.spec.inputs.values()),
        "graphs": any(spec.kind == "graph" for spec in run.spec.inputs.values()),
        "labels_explained": run.target is not None
        and run.target.several_labels
        and any("said" in case for case in run.gallery.cases),
        "early": [one for one in placed if one.section.order < AFTER_CASES],
        "late": [one for one in placed if one.section.order >= AFTER_CASES],
        "others": {name: found for name, found in shown.items() if words.section_of(name) is None},
        "unmeasured": unmeasured.lines(run.not_measured),
        "baseline": run.document["baseline_name"],
        "glossary": words.glossary(run.spec.group_word),
        "provenance": provenance.facts(run),
        "settings": provenance.settings(run),
    }
