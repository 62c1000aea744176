"""Words of the report: names that a clinician can read, and sentences made from figures. No figure is made here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pellucid.result import Result

_UNITS = {
    "mm": "mm",
    "mm2": "mm²",
    "mm3": "mm³",
    "hu": "HU",
    "hz": "Hz",
    "s": "s",
    "ms": "ms",
    "years": "years",
    "mv": "mV",
}

METRICS = {
    "auroc": (
        "AUROC",
        "how often a random positive case gets a higher probability than a random negative one; 1 is perfect",
    ),
    "auprc": ("AUPRC", "precision averaged over all thresholds; chance is the share of positive cases"),
    "accuracy": ("Accuracy", "share of cases called rightly at the threshold chosen on validation subjects"),
    "balanced accuracy": ("Balanced accuracy", "accuracy averaged over classes, so that a rare class counts as much"),
    "sensitivity": ("Sensitivity", "share of positive cases that are called positive"),
    "specificity": ("Specificity", "share of negative cases that are called negative"),
    "brier": ("Brier score", "mean squared distance between probability and outcome; lower is better"),
    "ece": (
        "Calibration error",
        "how far stated probabilities are from observed shares, on average (ECE); lower is better",
    ),
    "kappa": ("Weighted kappa", "agreement of ordered classes beyond chance; 1 is perfect, 0 is chance"),
    "spearman": (
        "Rank correlation",
        "how well the order of predictions follows that of the truth; 1 is perfect, 0 is chance",
    ),
    "mae": (
        "Mean absolute error",
        "average distance between prediction and truth, in the unit of the target; lower is better",
    ),
    "rmse": ("Root mean squared error", "like the mean absolute error, but large errors weigh more; lower is better"),
    "r2": ("R²", "share of the variation that is predicted; 0 is no better than the mean"),
}
"""Metric, normalised, to its name on the page and what it means."""

AUDIT = "explanation-audit"
"""The protocol that says whether an explanation can be believed."""

FIRST = ("auroc", "mae", "rmse", "r2", "accuracy", "balanced accuracy")
"""The metric that speaks for a model: the first of these that was measured."""


def normal(metric: str) -> str:
    """A metric's name for looking up, without case, signs or what it was averaged over.

    Examples
    --------
    >>> normal("AUROC per subject"), normal("balanced_accuracy")
    ('auroc', 'balanced accuracy')
    """
    plain = re.sub(r"[-_/(),:]+", " ", metric.lower())
    plain = re.sub(
        r"\b(per|by|over|of) (subject|patient)s?\b|\b(subject|patient)s? level\b|\b(subject|patient)s?\b", " ", plain
    )
    plain = " ".join(plain.split())
    return {"brier score": "brier", "r 2": "r2", "r²": "r2"}.get(plain, plain)


def per_subject(metric: str) -> bool:
    """Whether a metric counts subjects and not samples."""
    return re.search(r"\b(subject|patient)", re.sub(r"[-_]", " ", metric.lower())) is not None


def difference(metric: str) -> bool:
    """Whether a metric is the difference of two models' scores."""
    return "_minus_" in metric


def metric_name(metric: str) -> str:
    """A metric as the page names it.

    Examples
    --------
    >>> metric_name("auroc_per_subject"), metric_name("mae:age"), metric_name("deletion-gap")
    ('AUROC, per subject', 'Mean absolute error of age', 'Deletion gap')
    """
    metric, _, of = metric.partition(":")
    known = METRICS.get(normal(metric))
    name = known[0] if known else sentence_case(metric.replace("_", " ").replace("-", " "))
    return f"{name}{f' of {of}' if of else ''}{', per subject' if known and per_subject(metric) else ''}"


def sentence_case(text: str) -> str:
    """First letter large, the others as they are."""
    return text[:1].upper() + text[1:]


def readable(name: str) -> str:
    """A unit's name for people: what it is, its unit, and the input it comes from.

    Examples
    --------
    >>> readable("covariates:area_mm2"), readable("ratings:internal_structure"), readable("ratings:spiculation:sd")
    ('area (mm²)', 'internal structure · ratings', 'disagreement on spiculation · ratings')
    """
    where, colon, what = name.partition(":")
    if not colon or what == "sd":
        where, what = "", name
    spread = what.endswith(":sd")
    what = f"number_of_{what.removeprefix('n_')}" if what.startswith("n_") else what
    *words, last = what.removesuffix(":sd").split("_")
    unit = _UNITS.get(last) if words else None
    text = f"{' '.join(words)} ({unit})" if unit else what.removesuffix(":sd").replace("_", " ").replace("-", " ")
    text = f"disagreement on {text}" if spread else text
    return text if where in ("", "covariates", "concepts") else f"{text} · {where.replace('_', ' ')}"


def measured(name: str, value: float, written: str = "") -> tuple[str, str]:
    """A named value for people: logarithms undone, units written out.

    Examples
    --------
    >>> measured("log_area", 5.0, "ln mm2"), measured("slice_thickness_mm", 2.5, "mm"), measured("x:spiculation", 3.25, "rating")
    (('area', '148 mm²'), ('slice thickness', '2.5 mm'), ('spiculation · x', '3.25'))
    """
    if written.startswith("ln "):
        where, colon, what = name.rpartition(":")
        name, value = f"{where}{colon}{what.removeprefix('log_')}", math.exp(value)
    shown, measure = readable(name), unit(written)
    if measure:
        shown = shown.replace(f" ({measure})", "")
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return shown, f"{text} {measure}" if measure and measure not in shown else text


def unit(written: str) -> str:
    """A unit as the page writes it; nothing for plain numbers and ratings, and that of the number itself for a logarithm.

    Examples
    --------
    >>> unit("ln mm2"), unit("rating"), unit("HU")
    ('mm²', '', 'HU')
    """
    one = written.removeprefix("ln ")
    return "" if one in ("", "1", "rating", "score") else _UNITS.get(one, one)


def distinct(names: Iterable[str]) -> list[str]:
    """Readable names without where they come from, unless two would be alike.

    Examples
    --------
    >>> distinct(["margin · ratings", "area · size", "mean · ecg", "mean · eeg"])
    ['margin', 'area', 'mean · ecg', 'mean · eeg']
    """
    names = list(names)
    short = [name.partition(" · ")[0] for name in names]
    return [one if short.count(one) == 1 else name for one, name in zip(short, names, strict=True)]


def number(value: float | None, digits: int = 3) -> str:
    """A figure with as many digits as mean something.

    Examples
    --------
    >>> number(0.94712), number(1.2e-7), number(1234.6), number(None), number(0.0)
    ('0.947', '1.2e-07', '1,235', 'n/a', '0.000')
    """
    if value is None or not math.isfinite(value):
        return "n/a"
    if value != 0 and abs(value) < 10**-digits:
        return f"{value:.1e}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{digits}f}" if abs(value) < 100 else f"{value:.1f}"


def interval(result: Result) -> str:
    """``0.931 to 0.960``, or nothing where there is no interval."""
    return (
        f"{number(result.low)} to {number(result.high)}"
        if math.isfinite(result.low) and math.isfinite(result.high)
        else ""
    )


def plural(count: int, word: str) -> str:
    """``1 case``, ``2 cases``, ``1,018 cases``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def listed(items: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *most, last = list(items) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def headline(results: Iterable[Result]) -> str | None:
    """The metric that speaks for the models of a study, as its results name it; None if nothing was predicted."""
    found = [
        r.metric
        for r in results
        if r.protocol == "prediction" and not per_subject(r.metric) and not difference(r.metric)
    ]
    for wanted in FIRST:
        for metric in found:
            if normal(metric) == wanted:
                return metric
    return found[0] if found else None


def answer(
    result: Result, black_box: Result | None, target: Mapping[str, Any], results: Iterable[Result] = ()
) -> list[str]:
    """What the interpretable model reaches, beside chance, trivial baseline and black box: a few sentences.

    Parameters
    ----------
    result : Result
        The headline score of the interpretable model.
    black_box : Result, optional
        The same score of the black box.
    target : mapping
        JSON of the target.
    results : iterable of Result
        All of them: paired differences decide what is better, where they were measured.
    """
    apart = {
        r.metric.partition("_minus_")[2]: r
        for r in results
        if r.part == result.part and r.metric.startswith(f"{result.metric}_minus_")
    }
    low_high = f" (95 % interval {interval(result)})" if interval(result) else ""
    if normal(result.metric) == "auroc" and target.get("kind") == "binary":
        no, yes = target["names"]
        first = (
            f"Shown one {yes} and one {no} case at random, the interpretable model “{result.part}” gives the {yes} one the higher "
            f"probability in {100 * result.value:.1f} % of pairs: AUROC {number(result.value)}{low_high}."
        )
    else:
        first = f"The interpretable model “{result.part}” reaches {metric_name(result.metric)} {number(result.value)}{low_high}."
    beside = (
        f"Chance is {number(result.chance)}. The trivial baseline, {readable_baseline(result.baseline_name)}, reaches "
    )
    told = [first, f"{beside}{number(result.baseline)}: {_compared(result, result.baseline, apart.get('baseline'))}."]
    if black_box is not None:
        how = _compared(result, black_box.value, apart.get(black_box.part))
        told.append(f"The black box “{black_box.part}” reaches {number(black_box.value)}: {how}.")
    return told


def _compared(result: Result, other: float, apart: Result | None) -> str:
    """How the interpretable model stands to another score; by the interval of the paired difference if there is one."""
    size = abs(result.value - other)
    better = (result.value > other) == result.higher_is_better
    how = f"the interpretable model is {number(size)} {'better' if better else 'worse'}"
    if apart is not None:
        ends, unsure, said = (apart.low, apart.high), apart.low <= 0 <= apart.high, interval(apart)
    else:
        ends, unsure, said = (result.low, result.high), result.low <= other <= result.high, ""
    if not all(math.isfinite(end) for end in ends):
        return how
    interval_told = f" (interval of the difference {said})" if said else ""
    return f"{how}{interval_told}, {'no clear difference' if unsure else 'a clear difference'}"


def readable_baseline(name: str) -> str:
    """``area alone`` for ``log_area alone``: a logarithm changes no order.

    Examples
    --------
    >>> readable_baseline("log_area + n_readers alone"), readable_baseline("training mean")
    ('area + number of readers alone', 'training mean')
    """
    return " ".join(readable(word.removeprefix("log_")) if "_" in word else word for word in name.split(" "))


def plain(sentence: str) -> str:
    """A result's sentence with names as the page writes them.

    Examples
    --------
    >>> plain("AUROC of “additive” is 0.030 better than that of “log_area alone”.")
    'AUROC of “additive” is 0.030 better than that of “area alone”.'
    """
    return re.sub(r"“([^”]*) alone”", lambda found: f"“{readable_baseline(found[1])} alone”", sentence)


def verdict(results: Iterable[Result], part: str) -> str:
    """Whether a model's explanation passed its audit, in a sentence."""
    checks = [r for r in results if r.part == part and r.passed is not None and r.protocol == AUDIT]
    if not checks:
        return "Its explanation was not audited."
    failed = [metric_name(r.metric).lower() for r in checks if not r.passed]
    if not failed:
        return f"Its explanation passed its audit ({plural(len(checks), 'check')})."
    if len(failed) == len(checks):
        return f"Its explanation did not pass its audit: it failed all of {plural(len(checks), 'check')}."
    return f"Its explanation passed {len(checks) - len(failed)} of {plural(len(checks), 'check')} and failed: {listed(failed)}."


GLOSSARY = {
    "Interpretable model": "A model whose explanation is how it computes its answer, not a story found afterwards.",
    "Black box": "A model of the same data whose way to the answer cannot be read; it is here to compare with.",
    "95 % interval": "The range in which the score would fall in 95 of 100 repetitions with other subjects drawn from these "
    "(bootstrap over subjects). Subjects are drawn whole, as cases of one subject are alike.",
    "Chance": "What an answer without any knowledge reaches.",
    "Trivial baseline": "What the simplest measure at hand reaches. A model that does not beat it has added nothing.",
    "Contribution": "How much a finding raises or lowers the output. The starting point, all contributions and the gap add up "
    "to the output.",
    "Log-odds": "The scale on which contributions add up: 0 is a probability of 50 %, +1 is 73 %, +2 is 88 %, +3 is 95 %; "
    "negative values mirror them.",
    "Gap": "The part of the output that starting point and contributions do not account for. Zero means that nothing is hidden.",
    "Fold": "Subjects are dealt into groups; each group is tested once by models that have learnt from the others alone.",
    "Validation": "Subjects set aside from learning to choose when to stop and where a probability becomes a yes.",
    "Occlusion": "A patch of the picture is blanked out, and the change of the answer is noted for that place.",
}
