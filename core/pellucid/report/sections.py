"""Sections of the report that are words and tables: summary, models, cohort, scores, audits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pellucid.report import words
from pellucid.report.folder import RunFolder
from pellucid.result import Result
from pellucid.wording import interval, listed, number, plural, sentence_case


@dataclass(frozen=True)
class Row:
    """One score as the page shows it."""

    part: str
    role: str
    value: str
    interval: str
    chance: str
    baseline: str
    counted: str


@dataclass(frozen=True)
class Scores:
    """One metric of all models."""

    metric: str
    name: str
    meaning: str
    rows: tuple[Row, ...]
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """One audit of one model."""

    part: str
    name: str
    passed: bool
    sentence: str
    figures: str


@dataclass(frozen=True)
class Cohort:
    """Who was studied."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def role(run: RunFolder, part: str) -> str:
    """What a part is, for the reader of a table."""
    if part == run.document["baseline_name"]:
        return "trivial baseline"
    if part == run.black_box:
        return "black box"
    if part in run.tags and run.tags[part].learns == "texts":
        return "aligned with text" if run.tags[part].contrasts else "answers in words"
    if part in run.tags and run.tags[part].learns == "rows":
        return "gives codes, learnt without labels"
    if part in run.tags and run.tags[part].learns == "inputs":
        return "learnt from the inputs themselves, without labels"
    if part in run.interpretable:
        if run.tags[part].family == "prototype":
            return "interpretable: compares with training samples"
        if run.tags[part].counts:
            return "interpretable: counts learnt codes"
        if run.tags[part].varying_tokens:
            return "interpretable: a sum over places"
        learnt = run.learnt_codes.get(part, 0.0)
        if learnt == 1:
            return "a sum of learnt codes"
        return "interpretable" if learnt == 0 else "interpretable, learnt codes among its terms"
    return "explained afterwards" if part in run.tags else ""


def scores(run: RunFolder, results: Iterable[Result]) -> tuple[Scores, ...]:
    """Results by metric, in the order in which they come."""
    grouped: dict[str, list[Result]] = {}
    for result in results:
        grouped.setdefault(result.metric, []).append(result)
    return tuple(_scores_of(run, metric, some) for metric, some in grouped.items())


def _scores_of(run: RunFolder, metric: str, results: list[Result]) -> Scores:
    protocol = results[0].protocol
    known = words.metric_words(metric, protocol)
    direction = "higher is better" if results[0].higher_is_better else "lower is better"
    told = tuple(dict.fromkeys(r.sentence for r in results if r.sentence))
    return Scores(
        metric,
        words.metric_name(metric, protocol, run.spec.group_word[0]),
        known.meaning if known else direction,
        tuple(_row(run, r) for r in results),
        told,
    )


def _row(run: RunFolder, result: Result) -> Row:
    counted = f"{result.n_samples:,} / {result.n_subjects:,}"
    figures = [number(one) for one in (result.value, result.chance, result.baseline)]
    return Row(result.part, role(run, result.part), figures[0], interval(result), figures[1], figures[2], counted)


@dataclass(frozen=True)
class Predictions:
    """Scores of the prediction: over samples with the headline metric first, over subjects, and differences in words."""

    samples: tuple[Scores, ...]
    subjects: tuple[Scores, ...]
    differences: tuple[str, ...]


def predictions(run: RunFolder) -> Predictions:
    """Scores of the assessment ``prediction``."""
    found = [r for r in run.results if r.protocol == "prediction"]
    first = words.headline(found)
    scored = sorted((r for r in found if not words.difference(r.metric)), key=lambda r: r.metric != first)
    apart = [r for r in found if words.difference(r.metric) and not words.per_subject(r.metric)]
    return Predictions(
        scores(run, (r for r in scored if not words.per_subject(r.metric))),
        scores(
            run, sorted((r for r in scored if words.per_subject(r.metric)), key=lambda r: not _same(r.metric, first))
        ),
        tuple(dict.fromkeys(r.sentence for r in apart if r.sentence)),
    )


def _same(metric: str, first: str | None) -> bool:
    return first is not None and words.normal(metric) == words.normal(first)


def summary(run: RunFolder) -> dict[str, Any]:
    """What was asked, of whom, and the answer in sentences."""
    if not any(tags.predicts for tags in run.tags.values()):
        aligned = any(tags.learns == "texts" for tags in run.tags.values())
        asked = "Which text belongs to a sample?" if aligned else "What does a learnt representation hold?"
        return {
            "question": asked, "whom": "", "answer": [], "verdict": "",
            "chosen": False, "main": None,
        }  # fmt: skip
    metric = words.headline(run.results)
    main = run.interpretable[0] if run.interpretable else None
    found = {r.part: r for r in run.results if r.protocol == "prediction" and r.metric == metric}
    result = found.get(main) if main else None
    known = result or next(iter(found.values()), None)
    whom = f"{plural(known.n_samples, 'sample')} of {plural(known.n_subjects, *run.spec.group_word)}" if known else ""
    if result is None:
        answer = ["This run has no score of an interpretable model."]
    else:
        answer = words.answer(
            result, found.get(run.black_box or ""), run.document["target"], run.results, run.spec.group_word[1]
        )
    return {
        "question": _question(run.target),
        "whom": whom,
        "answer": answer,
        "verdict": words.verdict(run.results, main) if main else "",
        "chosen": main is not None and len(run.interpretable) > 1,
        "main": main,
    }


def _question(target: Any) -> str:
    asked = str(target.question())
    about = sentence_case(target.about)
    return f"{asked} {about}{'' if about.endswith('.') else '.'}" if about else asked


def cohort(run: RunFolder) -> Cohort:
    """Subjects, samples and labels by fold and side; shares of labels beside their counts."""
    rows = run.document.get("cohort") or []
    fixed = ("fold", "side", "subjects", "samples")
    classes = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in fixed]
    lines = []
    for row in rows:
        shares = [_share(row.get(name), row["samples"]) for name in classes]
        lines.append((f"{row['fold'] + 1 if isinstance(row['fold'], int) else row['fold']}", _SIDES.get(row["side"], row["side"]),
                      f"{row['subjects']:,}", f"{row['samples']:,}", *shares))  # fmt: skip
    return Cohort(("Fold", "Used for", sentence_case(run.spec.group_word[1]), "Samples", *classes), tuple(lines))


_SIDES = {"train": "learning", "validation": "validation", "test": "test"}


def _share(count: Any, total: int) -> str:
    if isinstance(count, int) and total:
        return f"{count:,} ({100 * count / total:.0f} %)"
    return number(count) if isinstance(count, float) else "n/a" if count is None else str(count)


def checks(run: RunFolder, protocol: str) -> dict[str, tuple[Check, ...]]:
    """What a protocol found passed or not passed, by model in the study's order."""
    found: dict[str, list[Check]] = {part: [] for part in run.tags}
    for r in run.results:
        if r.passed is None or r.protocol != protocol:
            continue
        span = f" (95 % interval {interval(r)})" if interval(r) else ""
        beside = "trivial baseline" if r.baseline_name == run.document["baseline_name"] else r.baseline_name
        told = f"Found {number(r.value)}{span}; by chance {number(r.chance)}, {beside} {number(r.baseline)}."
        found.setdefault(r.part, []).append(
            Check(r.part, words.metric_name(r.metric, r.protocol), r.passed, r.sentence, told)
        )
    return {part: tuple(some) for part, some in found.items() if some}


def remarks(run: RunFolder, protocol: str) -> dict[str, tuple[str, ...]]:
    """What a protocol says of each model where there is nothing to pass."""
    found: dict[str, list[str]] = {}
    for r in run.results:
        if r.protocol == protocol and r.passed is None and r.sentence:
            found.setdefault(r.part, []).append(r.sentence)
    return {part: tuple(some) for part, some in found.items()}


def other_protocols(run: RunFolder) -> dict[str, tuple[Scores, ...]]:
    """What was measured beside prediction and audits, by protocol."""
    others: dict[str, list[Result]] = {}
    for r in run.results:
        if r.protocol != "prediction" and r.passed is None:
            others.setdefault(r.protocol, []).append(r)
    return {protocol: scores(run, some) for protocol, some in others.items()}


def models(run: RunFolder) -> list[tuple[str, str, str, str]]:
    """Each model: name, role, what it is made of, how large it is."""
    told = []
    for part, facts in run.document["parts"].items():
        encoders = listed(_encoder(run, prefix) for prefix in facts.get("encoders") or ())
        made = f"head {facts.get('head', part)}" + (f" reading {encoders}" if encoders else "")
        size = f"{facts['parameters']:,} parameters" if facts.get("parameters") is not None else ""
        told.append((part, role(run, part), made, size))
    return told


def _encoder(run: RunFolder, prefix: str) -> str:
    for entry in run.document["study"].get("encoder") or ():
        reads = entry.get("inputs") or [entry.get("input", "")]
        if (entry.get("label") or "+".join(reads)) == prefix:
            return f"{listed(reads)} ({entry['name']})"
    return prefix
