"""Words of the report: sentences made from figures. No figure is made here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pellucid.report.names import interval, listed, number, plural, sentence_case
from pellucid.result import Result

METRICS = {
    "auroc": (
        "AUROC",
        "how often a random positive case gets a higher probability than a random negative one; 1 is perfect",
    ),
    "auprc": ("AUPRC", "precision averaged over all thresholds; chance is the share of positive cases"),
    "accuracy": ("Accuracy", "share of cases called rightly at the threshold, which was chosen on validation data"),
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
    "concept rank correlation": (
        "Rank correlation with people's rating",
        "how well the order by a predicted concept follows that by people's mean rating; without a name, the mean over concepts",
    ),
    "concept rmse": (
        "Distance from people's rating",
        "root mean square, in the rating's unit; without a name, the mean over concepts; lower is better",
    ),
    "intervention gain": (
        "Gain from correcting all concepts",
        "how AUROC (for numbers R²) changes when people's ratings replace the predicted ones; higher is better",
    ),
    "intervention area": ("Gain from correcting some concepts", "the same, averaged over 1, 2 ... all in random order"),
    "intervention area learnt order": (
        "Gain from correcting some concepts, most useful first",
        "the same in the order that helped most among training samples",
    ),
    "ratings alone": ("People's ratings alone", "AUROC (for numbers R²) of a model that reads nothing else"),
    "leakage bits": (
        "Leakage in bits",
        "what predicted concepts tell of the answer beyond people's ratings and beyond chance; 0 is none",
    ),
    "leakage bits whole steps": (
        "Leakage of whole steps in bits",
        "the same of predicted concepts without their decimals",
    ),
    "leakage auroc": ("Leakage in AUROC", "the same, as a gain in AUROC over ratings alone"),
    "leakage auroc whole steps": ("Leakage of whole steps in AUROC", "the same without decimals"),
    "source cosine": (
        "Prototypes are the samples they are shown as",
        "cosine of the worst prototype with its training sample, read and encoded anew; 1 is the same",
    ),
    "source in training": ("Prototypes come from training subjects", "share of them; 1 is all"),
    "source of class": ("Prototypes come from samples of their class", "share of them; 1 is all"),
    "projected": ("Prototypes that are a training sample", "share of them; the others weigh nothing"),
    "unique sources": ("Prototypes that differ from each other", "share that are different places of training samples"),
    "purity": ("Purity", "share of what lies closest together that is of one class"),
    "prototypes per decision": (
        "Prototypes that a decision rests on",
        "effective number: how many prototypes of equal weight would do the same; fewer are read more easily",
    ),
    "stability": ("Stays in place under noise", "share of cases in which what is pointed at stays where it is"),
    "consistency": (
        "Prototypes that always point at the same thing",
        "share of prototypes that point at what was planted in nearly all samples that have it",
    ),
    "localisation": ("Points at the planted place", "share of samples where the model is right; higher is better"),
    "channel": ("Points at the planted channel", "share of samples where the model is right; higher is better"),
    "localisation and channel": (
        "Points at the planted place and channel",
        "share of samples where the model is right; higher is better",
    ),
    "auroc nothing missing": ("AUROC with nothing made missing", "after learning where an input was missing by a rule"),
    "auroc same missing": ("AUROC, missing by the same rule", "as in training"),
    "auroc flipped missing": ("AUROC, missing by the rule turned round", "those who lacked the input now have it"),
    "mnar gap": (
        "Fall of AUROC when the rule turns round",
        "a model that goes by who lacks an input falls; 0 is best",
    ),
    "auroc on noise": ("AUROC on a noise copy of the data", "a control: only chance is right here"),
    "spearman on noise": ("Rank correlation on a noise copy of the data", "a control: only chance is right here"),
    "importance": ("Importance", "how the score grows when this input is read after others, averaged over orders"),
    "importance sd": ("Spread of importance", "over orders of reading; lower is better"),
}
"""Metric, normalised, to its name on the page and what it means."""

AUDIT = "explanation-audit"
"""The protocol that says whether an explanation can be believed."""

CONCEPTS = "concept-audit"
"""The protocol that says whether predicted concepts are what they are called."""

PROTOTYPES = "prototype-audit"
"""The protocol that says whether prototypes are what they are shown as."""

CONTROL = "noise-control"
"""The protocol that says whether models find something where there is nothing."""

CODES = ("latent-clusters", "traversal-monotonicity")
"""The protocols that examine a learnt code."""

FEW_SUBJECTS = 6
"""Of fewer no verdict is given: resampling so few says little of others."""

FIRST = ("auroc", "mae", "rmse", "r2", "accuracy", "balanced accuracy")
"""The metric that speaks for a model: the first of these that was measured."""


def normal(metric: str) -> str:
    """A metric's name for looking up, without case, signs or what it was averaged over.

    Examples
    --------
    >>> normal("AUROC per subject"), normal("balanced_accuracy")
    ('auroc', 'balanced accuracy')
    """
    plain = " ".join(re.sub(r"[-_/(),:]+", " ", metric.lower()).split()).removesuffix(" per subject")
    return {"brier score": "brier", "r 2": "r2", "r²": "r2"}.get(plain, plain)


def per_subject(metric: str) -> bool:
    """Whether a metric counts subjects and not samples."""
    return metric.partition("_minus_")[0].replace("_", " ").endswith(" per subject")


def difference(metric: str) -> bool:
    """Whether a metric is the difference of two models' scores."""
    return "_minus_" in metric


def metric_name(metric: str, group: str = "subject") -> str:
    """A metric as the page names it; ``group`` is what one subject is called.

    Examples
    --------
    >>> metric_name("auroc_per_subject", "patient"), metric_name("mae:age"), metric_name("deletion-gap")
    ('AUROC, per patient', 'Mean absolute error of age', 'Deletion gap')
    >>> metric_name("auroc_minus_baseline"), metric_name("auroc_minus_mlp")
    ('AUROC above the baseline', 'AUROC above “mlp”')
    """
    measure, _, other = metric.partition("_minus_")
    measure, _, of = measure.partition(":")
    known = METRICS.get(normal(measure))
    name = known[0] if known else sentence_case(measure.replace("_", " ").replace("-", " "))
    of = of.replace("_", " ").replace("-", " ")
    above = f" above {'the baseline' if other == 'baseline' else f'“{other}”'}" if other else ""
    return f"{name}{f' of {of}' if of else ''}{above}{f', per {group}' if known and per_subject(metric) else ''}"


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
    beside = f"Chance is {number(result.chance)}. The trivial baseline, {result.baseline_name}, reaches "
    told = [first, f"{beside}{number(result.baseline)}: {_compared(result, result.baseline, apart.get('baseline'))}."]
    if black_box is not None:
        how = _compared(result, black_box.value, apart.get(black_box.part))
        told.append(f"The black box “{black_box.part}” reaches {number(black_box.value)}: {how}.")
    return told


def _compared(result: Result, other: float, apart: Result | None) -> str:
    """How the interpretable model stands to another score; by the interval of the paired difference if there is one."""
    if apart is not None:
        ends, unsure, said = (apart.low, apart.high), apart.low <= 0 <= apart.high, interval(apart)
    else:
        ends, unsure, said = (result.low, result.high), result.low <= other <= result.high, ""
    interval_told = f" (interval of the difference {said})" if said else ""
    if number(result.value) == number(other):
        return f"the two are equal{interval_told}"
    better = (result.value > other) == result.higher_is_better
    how = f"the interpretable model is {number(abs(result.value - other))} {'better' if better else 'worse'}"
    if not all(math.isfinite(end) for end in ends):
        return how
    if result.n_subjects < FEW_SUBJECTS:
        return f"{how}{interval_told}; {result.n_subjects} subjects are too few for a verdict"
    return f"{how}{interval_told}, {'no clear difference' if unsure else 'a clear difference'}"


def outcome(results: Iterable[Result], part: str) -> str:
    """How a model's explanation fared in its audit: what follows "its explanation"."""
    checks = [r for r in results if r.part == part and r.passed is not None and r.protocol == AUDIT]
    if not checks:
        return "was not audited"
    failed = [metric_name(r.metric).lower() for r in checks if not r.passed]
    count = plural(len(checks), "check")
    if not failed:
        return f"passed its audit ({len(checks)} of {count})"
    if len(failed) == len(checks):
        return f"did not pass its audit: it failed all of {count}"
    return f"did not pass its audit: it passed {len(checks) - len(failed)} of {count} and failed: {listed(failed)}"


def verdict(results: Iterable[Result], part: str) -> str:
    """The same as a sentence."""
    return f"Its explanation {outcome(results, part)}."


def glossary(group: tuple[str, str]) -> dict[str, str]:
    """What the page's words mean, with one and several subjects called as the dataset calls them."""
    return {word: meaning.format(one=group[0], several=group[1]) for word, meaning in _GLOSSARY.items()}


_GLOSSARY = {
    "Interpretable model": "A model whose explanation is how it computes its answer, not a story found afterwards.",
    "Black box": "A model of the same data whose way to the answer cannot be read; it is here to compare with.",
    "95 % interval": "The range in which the score would fall in 95 of 100 repetitions with other {several} drawn from these "
    "(bootstrap over {several}). They are drawn whole, as cases of one {one} are alike.",
    "Chance": "What an answer without any knowledge reaches.",
    "Trivial baseline": "What the simplest measure at hand reaches. A model that does not beat it has added nothing.",
    "Contribution": "How much a finding raises or lowers the output. The starting point, all contributions and the gap add up "
    "to the output.",
    "Log-odds": "The scale on which contributions add up: 0 is a probability of 50 %, +1 is 73 %, +2 is 88 %, +3 is 95 %; "
    "negative values mirror them.",
    "Gap": "The part of the output that starting point and contributions do not account for. Zero means that nothing is hidden.",
    "Prototype": "A part of a training sample that others are compared with. Each case's likeness to it, times a weight, is a "
    "contribution.",
    "Code": "A number that an encoder has learnt to write for a part of a sample, the same for parts that are alike. Codes 12-5 are two "
    "that stand side by side, an n-gram. The numbers have no order, and another fold has others.",
    "Fold": "All {several} are dealt into groups; each group is tested once by models that have learnt from the others alone.",
    "Validation": "Some {several} are set aside from learning to choose when to stop and where a probability becomes a yes.",
    "Occlusion": "A place of the input is filled with what is usual there among the samples learnt from, and the change of the "
    "output is noted for that place.",
}
