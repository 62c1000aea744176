"""The run's own score beside published ones, where they were measured on the same samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid.data.published import Published
from pellucid.report import figures, words
from pellucid.report.figures import Picture
from pellucid.report.folder import RunFolder
from pellucid.result import Result
from pellucid.views import INK, LOWERS, NEUTRAL
from pellucid.wording import interval, listed, number, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HOLDOUT = "subject-holdout"
"""The protocol that splits as the makers of a dataset laid down."""


@dataclass(frozen=True)
class Beside:
    """Published scores beside the run's own.

    Parameters
    ----------
    metric : str
        As the page names it.
    rows : tuple of tuple of str
        Name, score, interval or uncertainty, source; best first.
    notes : tuple of str
        What must be known of some of them.
    picture : Picture, optional
    reason : str
        Why nothing is drawn, if scores were published but are not comparable.
    """

    metric: str
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    picture: Picture | None = None
    reason: str = ""


def beside(run: RunFolder) -> Beside | None:
    """Published scores of the run's leading metric; None if its dataset knows of none."""
    known = [Published.model_validate(one) for one in run.document.get("published") or ()]
    metric = words.headline(run.results)
    known = [one for one in known if metric is not None and words.normal(one.metric) == words.normal(metric)]
    if metric is None or not known:
        return None
    name = words.metric_name(metric, "prediction")
    fair = [one for one in known if one.split in ("", _split_by(run))]
    if not fair:
        reason = (
            f"{plural(len(known), 'published score')} of this task {'is' if len(known) == 1 else 'are'} known, but measured on "
            f"the official split ({known[0].split}); this run was split otherwise, so a comparison would not be fair."
        )
        return Beside(name, reason=reason)
    own = [r for r in run.results if r.protocol == "prediction" and r.metric == metric and r.part in run.tags]
    lines = sorted([*map(_of_run, own), *map(_of_paper, fair)], key=lambda one: _key(one, own))
    rows = tuple((one.name, number(one.value), one.spread, one.source) for one in lines)
    told: dict[str, list[str]] = {}
    for one in lines:
        told.setdefault(one.note, []).append(one.name)
    notes = tuple(f"{listed(names)}: {note}." for note, names in told.items() if note)
    alt = f"{name}, best first: " + "; ".join(f"{one.name} {number(one.value)}" for one in lines)
    picture = figures.picture(lambda f: _draw(f.add_subplot(), lines, name), (5.4, 0.24 * len(lines) + 0.7), alt)
    return Beside(name, rows, notes, picture)


@dataclass(frozen=True)
class _Line:
    name: str
    value: float
    low: float
    high: float
    spread: str
    source: str
    note: str
    own: bool


def _of_run(r: Result) -> _Line:
    return _Line(f"{r.part} (this run)", r.value, r.low, r.high, interval(r), "this run", "", own=True)


def _of_paper(one: Published) -> _Line:
    low, high = (one.value + sign * (one.uncertainty or 0.0) for sign in (-1, 1))
    spread = f"± {number(one.uncertainty)}" if one.uncertainty is not None else ""
    recalled = "recalled, not checked at its source" if one.tag == "recalled" else ""
    note = "; ".join(filter(None, (one.note, recalled)))
    return _Line(one.name, one.value, low, high, spread, one.source, note, own=False)


def _key(one: _Line, own: list[Result]) -> float:
    return -one.value if not own or own[0].higher_is_better else one.value


def _split_by(run: RunFolder) -> str:
    """Frame column by which the run was split, if it was split as laid down."""
    study: dict[str, Any] = run.document["study"]
    options = (study.get("options") or {}).get(HOLDOUT) or {}
    return str(options.get("column") or "") if HOLDOUT in study.get("protocols", ()) else ""


def _draw(ax: Axes, lines: Iterable[_Line], metric: str) -> None:
    """A dot a score with its interval; the run's own are filled squares, so that colour is not the only sign."""
    names = []
    for row, one in enumerate(lines):
        names.append(one.name)
        colour = LOWERS if one.own else NEUTRAL
        ax.plot([one.low, one.high], [row, row], color=colour, linewidth=2.2 if one.own else 1.2)
        ax.plot(one.value, row, marker="s" if one.own else "o", markersize=6 if one.own else 5, color=colour,
                markerfacecolor=colour if one.own else "white")  # fmt: skip
        ax.text(1.02, row, number(one.value), va="center", fontsize=8, color=INK, transform=ax.get_yaxis_transform())
    ax.set_yticks(range(len(names)), names)
    for label, one in zip(ax.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if one.own else "normal")
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color="#e3e6ea", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.set_xlabel(metric)
