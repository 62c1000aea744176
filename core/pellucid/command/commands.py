"""The commands of ``pellucid``. Each imports what it needs when it runs: asking for help must stay free of torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pellucid.command.overrides import overrides
from pellucid.errors import StudyError
from pellucid.kinds import KINDS

app = typer.Typer(
    name="pellucid",
    help="Interpretable models of medical, molecular and robotic data, with a measure of whether each explanation is true.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(
    help="Datasets: who may use them, whom to cite, what is here.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(data_app, name="data")

Kind = Annotated[str | None, typer.Option("--kind", help="the same as an option")]
Everything = Annotated[bool, typer.Option("--all", help="print every result")]
Data = Annotated[Path | None, typer.Option("--data", help="folder with the data, where it is not inside a package")]
SkipBroken = Annotated[
    bool,
    typer.Option("--skip-broken", help="leave out samples whose files cannot be used, and list them in the report"),
]


@app.command("list")
def list_installed(
    only: Annotated[
        str | None,
        typer.Argument(metavar="KIND", help=f"{', '.join(KINDS)}, or what a plugin adds; also in the plural"),
    ] = None,
    kind: Kind = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="field=value, of kinds that are files: access=open; may be given several times"),
    ] = None,
) -> None:
    """What is installed, by plugin, with what each is for; broken plugins with the reason."""
    from pellucid.command.component_tables import show_installed

    show_installed(only or kind, where or ())


@app.command()
def info(
    name: Annotated[str, typer.Argument(help="bare (additive) or qualified (core/additive) name, of any kind")],
) -> None:
    """The card of a component or dataset: shapes, units, licence, citation, paper, options."""
    from pellucid import plugins
    from pellucid.command import component_tables, listing, tables

    out = tables.console()
    for component in plugins.named(name):
        component_tables.print_description(out, listing.describe(component))


@app.command()
def run(
    study: Annotated[
        str, typer.Argument(help="an installed study's name, the path of a study.toml, or a run folder to repeat")
    ],
    out: Annotated[Path | None, typer.Option("--out", help="run folder; default runs/<study>")] = None,
    data: Data = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="training.epochs=5; may be given several times")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", help="folds fitted at a time, each by a process of its own")] = 1,
    skip_broken: SkipBroken = False,
    everything: Everything = False,
) -> None:
    """Train, judge and explain what a study asks for. A run folder that was cut off is continued."""
    from pellucid.command import tables
    from pellucid.studies import study as find_study

    asked = find_study(study).with_settings(overrides(settings or []))
    if skip_broken:
        asked = asked.skipping_broken()
    folder = out or Path("runs") / asked.name
    try:
        done = asked.run(folder, data, jobs=jobs)
    except KeyboardInterrupt:
        sys.stderr.write(f"\nStopped. The same command goes on where it was: {folder}\n")
        raise typer.Exit(130) from None
    # Of several processes that trained together (torchrun sets RANK) one speaks.
    if os.environ.get("RANK", "0") == "0":
        tables.print_run(tables.console(), done, everything=everything)


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a finished run")],
    data: Annotated[Path | None, typer.Option("--data", help="folder of the same layout, with other subjects")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            help="option of the dataset that differs from the run's: seed=1000 of made-up data; several times",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="write the results to this JSON file")] = None,
    skip_known: Annotated[
        bool, typer.Option("--skip-known", help="leave out those that the run has learnt from, and score the rest")
    ] = False,
    skip_broken: SkipBroken = False,
    everything: Everything = False,
) -> None:
    """Score a finished run on other data. Subjects that it has learnt from are refused."""
    from pellucid.command import tables
    from pellucid.evaluation import assess
    from pellucid.run import Run

    if data is None and not option:
        raise StudyError(
            "evaluate: name other data with --data DIR, or of made-up data another seed with --option seed=1000"
        )
    options = overrides(option or [], "--option", "seed=1000")
    found = assess(folder, data, out, skip_known=skip_known, skip_broken=skip_broken, options=options)
    run, shown_on = Run(folder), tables.console()
    if skip_known:
        tables.print_skipped(shown_on, run, found.skipped, found.scored)
    tables.print_findings(shown_on, found.findings, out)
    tables.print_evaluation(shown_on, run, found.results, everything=everything)
    if out is not None:
        typer.echo(f"Results: {out}")


@app.command()
def activations(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a finished run")],
    layer: Annotated[
        str | None, typer.Option("--layer", help="path of a module, or the end of it; without one all are listed")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="folder to make")] = None,
    head: Annotated[str | None, typer.Option("--head", help="which of the run's models, where it has several")] = None,
    fold: Annotated[
        int | None,
        typer.Option("--fold", help="the model of this fold (0), which can be judged on its test side"),
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--everybody", help="the model fitted on all subjects instead, for other data")
    ] = False,
    data: Data = None,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="beside them the same layer with weights that have learnt nothing")
    ] = False,
    channels: Annotated[
        str | None, typer.Option("--channels", help="first or last: where units stand, if the layer does not tell")
    ] = None,
    dtype: Annotated[str, typer.Option("--dtype", help="float32 or float16")] = "float32",
    buffer_mb: Annotated[int, typer.Option("--buffer-mb", help="memory for the shuffle")] = 512,
) -> None:
    """Collect what a layer of a finished run says of its data: rows for dictionaries, shuffled, with their samples."""
    from pellucid.activations import of_run
    from pellucid.command import component_tables, tables

    if everybody and fold is not None:
        raise StudyError("--everybody and --fold name two models: leave one of them out")
    if fold is not None and fold < 0:
        raise StudyError(f"--fold {fold}: folds are counted from 0")
    if buffer_mb < 1:
        raise StudyError(f"--buffer-mb {buffer_mb}: give at least 1 MB of memory for the shuffle")
    which = None if everybody else fold or 0
    if layer is None:
        component_tables.print_layers(tables.console(), of_run.layers_of(folder, head, which, data))
        return
    for given, known, option in ((channels, ("first", "last"), "channels"), (dtype, ("float32", "float16"), "dtype")):
        if given is not None and given not in known:
            raise StudyError(f"--{option} is {' or '.join(known)}, not {given!r}")
    if out is None:
        raise StudyError("--out names the folder to make: pellucid activations RUN --layer LAYER --out DIR")
    found = of_run.collect_run(
        folder, layer, out, head=head, fold=which, data=data, untrained=untrained,
        channels=channels, precision=dtype, buffer_mb=buffer_mb,  # type: ignore[arg-type]
    )  # fmt: skip
    typer.echo(
        f"{found.rows:,} rows of {found.units} units from {found.samples:,} samples in {found.seconds:.0f} s "
        f"({found.rows / max(found.seconds, 1e-9):,.0f} a second): {found.folder}, layer {found.layer}"
    )
    if data is not None:
        tables.print_findings(tables.console(), found.findings, None)


@app.command()
def report(folder: Annotated[Path, typer.Argument(metavar="DIR", help="a run folder")]) -> None:
    """Rebuild report.html from a run folder, without training anything."""
    from pellucid.report import build

    typer.echo(f"Report: {build(folder)}")


@app.command()
def check(name: Annotated[str, typer.Argument(help="a component, or a plugin for all of its components")]) -> None:
    """The contract checks, for authors of components and plugins. Exit code 1 where one is not kept."""
    from pellucid.testing.contract import run_checks

    kept = True
    for line, passed in run_checks(name):
        typer.echo(line)
        kept &= passed
    if not kept:
        raise typer.Exit(1)


@data_app.command("list")
def list_data(
    data: Data = None,
    verify: Annotated[bool, typer.Option("--verify", help="read every file and compare its SHA-256")] = False,
) -> None:
    """Dataset cards: licence, citation, access, what is here and what is missing."""
    from pellucid import cards
    from pellucid.cards import printing
    from pellucid.command import tables

    printing.print_cards(tables.console(), cards.rows(data, verify=verify))


CardName = Annotated[str, typer.Argument(metavar="NAME", help="a dataset that has a card, or the path of a card.toml")]


@data_app.command("fetch")
def fetch_data(
    name: CardName,
    to: Annotated[Path, typer.Option("--to", help="folder to put the files in; nothing is written outside it")],
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", help="of a dataset in several folders these alone, and the files beside them: records100"
        ),
    ] = None,
) -> None:
    """Download a dataset's files and verify them. Goes on where it was cut off."""
    from pellucid import cards
    from pellucid.cards import printing
    from pellucid.command import tables
    from pellucid.fetching import fetch, why_not
    from pellucid.fetching.progress import watching

    card, out = cards.card(name), tables.console()
    printing.print_terms(out, card)
    reason = why_not(card)
    if reason:
        printing.print_why_not(out, card, reason)
        here = all(state.presence == "here" for state in cards.states(card))
        raise typer.Exit(0 if card.access in ("generated", "embedded") and here else 1)
    try:
        fetched = fetch(card, to, watcher=watching(), only=tuple(only or ()))
    except KeyboardInterrupt:
        sys.stderr.write(f"\nStopped. The same command goes on where it was: {to}\n")
        raise typer.Exit(130) from None
    printing.print_fetched(out, fetched, to)


@data_app.command("verify")
def verify_data(name: CardName, data: Data = None) -> None:
    """Compare a folder with a dataset's card. Names each missing, wrong or extra file; exit code 1 where there is one."""
    from pellucid import cards
    from pellucid.cards import printing
    from pellucid.cards.verification import verify
    from pellucid.command import tables

    card = cards.card(name)
    found = verify(card, data)
    printing.print_verification(tables.console(), card, found)
    if not found.as_described:
        raise typer.Exit(1)


@data_app.command("export")
def export_card(
    name: CardName,
    out: Annotated[Path | None, typer.Option("--out", help="write to this file instead of the terminal")] = None,
) -> None:
    """Write a dataset's card as Croissant. That is JSON-LD which catalogues and search engines read."""
    import json

    from pellucid import cards
    from pellucid.cards.croissant import croissant
    from pellucid.files import write_json

    document = croissant(cards.card(name))
    if out is None:
        typer.echo(json.dumps(document, indent=1))
    else:
        write_json(out, document)
        typer.echo(f"Croissant: {out}")
