"""Tables in a terminal: what a run found."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pellucid.command.not_measured import print_not_measured
from pellucid.report import findings, words
from pellucid.wording import interval, listed, number, sentence_case

if TYPE_CHECKING:
    from pathlib import Path

    from pellucid.data.samples import Finding
    from pellucid.result import Result, Results
    from pellucid.run import Run

GROUP_WORD = ("subject", "subjects")
"""What those are called whom nothing else is known of."""

NAMED = 20
"""Samples of each kind that were left out and are named."""

PIPED_WIDTH = 160
"""Columns where the output is no terminal: wide enough that a summary stays on its line for grep."""


def console(*, errors: bool = False) -> Console:
    """Where a command writes."""
    stream = sys.stderr if errors else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def plain(*columns: str, heads: bool = False) -> Table:
    """A table without lines, its columns named or not."""
    table = Table(box=None, show_header=heads, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for at, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=at == 0)
    return table


def print_run(out: Console, run: Run, *, everything: bool = False) -> None:
    """What a run found, and where its report is."""
    document = run.document
    out.print()
    out.print(Text(document["study"]["title"], style="bold"))
    if document["dataset"]["about"]:
        out.print(Text(" ".join(document["dataset"]["about"].split()), style="dim"))
    out.print()
    print_evaluation(out, run, run.results, everything=everything)
    # Not wrapped: the path is there to be copied.
    out.print(f"Report: {run.report}", soft_wrap=True)


def print_skipped(out: Console, run: Run, skipped: Mapping[str, int], scored: Mapping[str, int]) -> None:
    """How many the results are not about, as the run has learnt from them."""
    one, several = run.document["dataset"]["spec"].get("group_word", GROUP_WORD)
    subjects, samples = skipped["subjects"], skipped["samples"]
    told = (
        f"Skipped, as the run has learnt from them: {subjects} {one if subjects == 1 else several} with {samples} "
        f"{'sample' if samples == 1 else 'samples'}. Scored: {scored['subjects']} {several}, {scored['samples']} samples."
    )
    out.print(Text(told, style="yellow" if samples else "dim"))
    out.print()


def print_findings(out: Console, kept: Sequence[Finding], listed_in: Path | None) -> None:
    """How many samples were left out or are odd, those that were left out with the reason, and where all are listed."""
    rows = [asdict(one) for one in kept]
    if not rows:
        return
    out.print(Text(findings.counted(rows), style="yellow"))
    groups = findings.grouped(rows, NAMED)
    for group in groups:
        if group.done == findings.LEFT_OUT:
            out.print(Text(f"  {group.what}: {group.examples}"), soft_wrap=True)
        elif group.done != findings.KEPT:
            out.print(Text(f"  {group.what}: {group.examples}; {group.done}"), soft_wrap=True)
    if listed_in is not None:
        out.print(f'All of it: under "findings" in {listed_in}', soft_wrap=True)
    elif any(group.done != findings.LEFT_OUT or group.samples > NAMED for group in groups):
        out.print('All of it: under "findings" in the file that --out FILE.json writes', soft_wrap=True)
    out.print()


def whose(results: Iterable[Result]) -> str:
    """A line on who was new to the models; empty where that is simply people."""
    judged_on = list(dict.fromkeys(one.judged_on for one in results if one.judged_on))
    if len(judged_on) > 1:
        return f"Scores are of {judged_on[0]}, some of {' or of '.join(judged_on[1:])}: the report says which."
    return f"All scores are of {judged_on[0]}." if judged_on else ""


def print_evaluation(out: Console, run: Run, results: Results, *, everything: bool = False) -> None:
    """Results of a run's models, in the words of its data, and what could not be measured."""
    document = run.document
    if said := whose(results):
        out.print(Text(said, style="yellow"))
        out.print()
    print_results(
        out,
        list(results),
        black_box=document["black_box"],
        target=document["target"],
        # Folders of earlier versions say nothing of it.
        group_word=document["dataset"]["spec"].get("group_word", GROUP_WORD),
        everything=everything,
    )
    print_not_measured(out, results.not_measured)


def print_results(
    out: Console,
    results: Sequence[Result],
    *,
    black_box: str | None = None,
    target: Mapping[str, Any] | None = None,
    group_word: Sequence[str] = GROUP_WORD,
    everything: bool = False,
) -> None:
    """The score beside chance and the trivial baseline, then what was found of parts that predict nothing (dictionaries), in
    sentences, then whether each explanation passed its audit.

    Parameters
    ----------
    out : Console
    results : sequence of Result
    black_box : str, optional
        The part that is there to compare with.
    target : mapping, optional
        The target's spec as plain values, for the sentence about the score.
    group_word : (str, str)
        What one and several of those are called whom intervals are over.
    everything : bool
        Print every result, and every check with what was found, and not only the metric that speaks for a model.
    """
    headline = words.headline(results)
    first = [r for r in results if r.passed is None and r.protocol == "prediction" and r.metric == headline]
    rest = [r for r in results if r.passed is None and r not in first]
    if first:
        _print_headline(out, results, first, black_box, target, group_word)
    predicting = {r.part for r in results if r.protocol == "prediction"}
    told = dict.fromkeys(r.sentence for r in rest if r.sentence and r.part not in predicting)
    for sentence in told:
        out.print(Text(sentence))
    if told:
        out.print()
    if everything:
        for protocol in dict.fromkeys(r.protocol for r in rest):
            out.print(Text(sentence_case(protocol.replace("-", " ")), style="bold"))
            out.print(_scores([r for r in rest if r.protocol == protocol], black_box, group_word))
            out.print()
    checks = [r for r in results if r.passed is not None]
    if checks:
        out.print(Text("Can the explanations be believed?", style="bold"))
        out.print(_checks(checks) if everything else _outcomes(checks))
        out.print()
    if rest and not everything:
        out.print(
            Text(
                f"{len(rest)} further results, each beside chance and baseline, and every check: in the report, or with --all.",
                style="dim",
            )
        )


def _print_headline(
    out: Console,
    results: Sequence[Result],
    rows: list[Result],
    black_box: str | None,
    target: Mapping[str, Any] | None,
    group_word: Sequence[str],
) -> None:
    out.print(_scores(rows, black_box, group_word))
    out.print()
    readable = next((r for r in rows if r.part != black_box and r.part != r.baseline_name), None)
    if readable is not None:
        other = next((r for r in rows if r.part == black_box), None)
        out.print(Text(" ".join(words.answer(readable, other, target or {}, results))))
        out.print()


def _scores(rows: list[Result], black_box: str | None, group_word: Sequence[str]) -> Table:
    one, several = group_word
    table = plain(
        "measure", "model", "score", f"95 % interval over {several}", "chance", "trivial baseline", "", heads=True
    )
    last = ""
    for r in rows:
        new = r.metric != last
        name = f"{r.part} (black box)" if r.part == black_box else r.part
        table.add_row(
            words.metric_name(r.metric, r.protocol, one) if new else "", name, number(r.value), interval(r), number(r.chance),
            f"{number(r.baseline)} ({r.baseline_name})",
            ("higher is better" if r.higher_is_better else "lower is better") if new else "",
        )  # fmt: skip
        last = r.metric
    return table


def _outcomes(checks: list[Result]) -> Table:
    """One line a model; below it what the audit's failed checks found."""
    table = plain("", "")
    for part in dict.fromkeys(r.part for r in checks):
        failed = [r for r in checks if r.part == part and not r.passed]
        audited = [r for r in failed if r.protocol == words.AUDIT]
        beside = [words.metric_name(r.metric, r.protocol).lower() for r in failed if r not in audited]
        told = Text(words.outcome(checks, part), style="bold red" if audited else "green")
        if beside:
            told.append(f"; outside the audit NOT passed: {listed(beside)}", style="yellow")
        for r in audited:
            told.append(f"\n{words.metric_name(r.metric, r.protocol)}: {_found(r)}", style="default")
        table.add_row(f"  {part}", told)
    return table


def _checks(checks: list[Result]) -> Table:
    table = plain("model", "check", "outcome", "what was found", heads=True)
    last = ""
    for r in checks:
        outcome = Text("passed", style="green") if r.passed else Text("NOT passed", style="bold red")
        table.add_row(
            r.part if r.part != last else "", words.metric_name(r.metric, r.protocol), outcome, Text(_found(r))
        )
        last = r.part
    return table


def _found(check: Result) -> str:
    return check.sentence or f"{number(check.value)} {interval(check)}".strip()
