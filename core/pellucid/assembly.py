"""From a study's words to modules: each component looked up, configured, and checked to fit what it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch

from pellucid import plugins
from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec
from pellucid.encoders.base import Encoder, EncoderTags
from pellucid.entries import EncoderEntry, HeadEntry
from pellucid.errors import StudyError, nearest
from pellucid.heads.abilities import ReadsCounts
from pellucid.heads.base import Head, HeadTags
from pellucid.heads.inputs import HeadInputs
from pellucid.part import configured
from pellucid.protocols.base import Assessment, Context, Protocol, Splitting
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.representation import tokens_name
from pellucid.seeds import seed_of
from pellucid.studies import Study
from pellucid.suggestions import encoders_with, heads_with
from pellucid.training.engine import processes
from pellucid.training.fit import check_codes
from pellucid.training.settings import TrainingSettings

ALWAYS = "prediction"
"""The assessment that every study makes whose heads predict: an explanation of a model of unknown score is worth nothing."""


def build_encoders(study: Study, spec: DataSpec, *, seed: str) -> dict[str, Encoder]:
    """Untrained encoders by prefix, in the study's order.

    Parameters
    ----------
    study : Study
    spec : DataSpec
    seed : str
        Names the fold: initial weights depend on it and on the encoder's own prefix, not on what else is in the study.

    Raises
    ------
    StudyError
        If an encoder does not read inputs of this kind; names those that do.
    """
    return {entry.prefix: _encoder(entry, spec, f"{study.training.seed}/{seed}") for entry in study.encoder}


def _encoder(entry: EncoderEntry, spec: DataSpec, seed: str) -> Encoder:
    made = plugins.load("encoder", entry.name)
    inputs = {name: spec.input(name) for name in entry.reads}
    if len(inputs) > 1 and not made.tags.several_inputs:
        raise StudyError(f"encoder {entry.name!r} reads one input, but the study gives it {', '.join(inputs)}")
    for name, one in inputs.items():
        if one.kind not in made.tags.accepts:
            fit = encoders_with(partial(_accepts, one.kind))
            raise StudyError(
                f"encoder {entry.name!r} reads {_listed(made.tags.accepts)}, but input {name!r} of dataset {spec.name!r} is of "
                f"kind {one.kind}. Encoders for it: {_listed(fit) or 'none installed'}"
            )
    config = configured(
        "encoder", entry.name, made.config_type, entry.options, beside=tuple(EncoderEntry.model_fields), inputs=inputs
    )
    torch.manual_seed(seed_of(seed, entry.prefix))
    try:
        encoder: Encoder = made(config)
    except (RuntimeError, MemoryError) as error:
        raise StudyError(f"encoder {entry.name!r} cannot be built with {entry.options}: {error}") from None
    return encoder


def _accepts(kind: str, tags: EncoderTags) -> bool:
    return kind in tags.accepts


def build_head(entry: HeadEntry, encoders: Mapping[str, Encoder], spec: DataSpec, target: str, *, seed: str) -> Head:
    """An untrained head for some encoders.

    Raises
    ------
    StudyError
        If it cannot predict this kind of target, cannot read what it is given (see
        :meth:`~pellucid.heads.base.Head.unfit_for_inputs`), or takes for counts what an encoder standardises.
    """
    made = plugins.load("head", entry.name)
    asked = _asked(entry, made.tags, spec, target) if made.tags.predicts else {}
    read = facts_of(encoders)
    given = HeadInputs({prefix: one.tags for prefix, one in encoders.items()}, read["units"], read["tokens"], spec)
    if reason := made.unfit_for_inputs(given):
        raise StudyError(f"head {entry.name!r} {reason}")
    if made.tags.needs_tokens and not made.tags.varying_tokens:
        read["tokens"] = {name: shape for name, shape in read["tokens"].items() if not shape.varying}
    known = tuple(HeadEntry.model_fields)
    if made.tags.learns == "texts":
        asked |= {"texts": spec.texts}
    config = configured("head", entry.name, made.config_type, entry.options, beside=known, **read, **asked)
    torch.manual_seed(seed_of(seed, entry.part))
    head: Head = made(config)
    for prefix in head.counted if isinstance(head, ReadsCounts) else ():
        if encoders[prefix].centred:
            raise StudyError(
                f"head {entry.part!r} compares counts by min-max, and encoder {prefix!r} hands on deviations from a mean, some of them "
                f"negative: write standardised = false with this encoder, or choose another kernel for {prefix!r}"
            )
    return head


def _asked(entry: HeadEntry, tags: HeadTags, spec: DataSpec, target: str) -> dict[str, Any]:
    """What a predictor's config says of what it predicts."""
    if not target:
        raise StudyError(
            f'head {entry.name!r} predicts, but the study names no target: write target = "..."; dataset {spec.name!r} has '
            f"{_listed(list(spec.targets)) or 'none'}"
        )
    wanted = spec.target(target)
    if wanted.kind not in tags.targets:
        raise StudyError(
            f"head {entry.name!r} predicts {_listed(tags.targets)}, but target {target!r} is {wanted.kind}"
        )
    if wanted.is_partial and not tags.partial_labels:
        fit = heads_with(lambda one: one.partial_labels)
        raise StudyError(
            f"head {entry.name!r} learns from samples whose labels are all known; in target {target!r} single ones may be unknown. "
            f"Heads for it: {_listed(fit)}; or choose one of its labels as the target"
        )
    return {"target": wanted, "concepts": spec.concepts}


def facts_of(encoders: Mapping[str, Encoder]) -> dict[str, Any]:
    """What a head's config says of the encoders that it reads: their units and their tokens, by name."""
    units = tuple(f"{prefix}:{name}" for prefix, encoder in encoders.items() for name in encoder.names)
    tokens = {tokens_name(k, name): one for k, e in encoders.items() for name, one in e.token_shapes.items()}
    return {"units": units, "tokens": tokens}


def encoders_of(entry: HeadEntry, encoders: Mapping[str, Encoder]) -> dict[str, Encoder]:
    """The encoders that a head reads, in the study's order."""
    return {prefix: e for prefix, e in encoders.items() if not entry.reads or prefix in entry.reads}


def build_protocols(study: Study) -> tuple[Splitting, dict[str, Assessment]]:
    """The protocol that splits, and the assessments by name; where a head predicts, ``prediction`` is among them.

    Raises
    ------
    StudyError
        If the study names no splitting protocol, or two, or one that neither splits nor assesses.
    """
    splitting: dict[str, Splitting] = {}
    assessments: dict[str, Assessment] = {}
    predicts = any(plugins.load("head", entry.name).tags.predicts for entry in study.head)
    names = study.protocols if ALWAYS in study.protocols or not predicts else (ALWAYS, *study.protocols)
    for name in names:
        made = plugins.load("protocol", name)
        options = study.options.get(name, {})
        protocol: Protocol = made(configured("protocol", name, made.config_type, options))
        if isinstance(protocol, Splitting):
            splitting[name] = protocol
        elif isinstance(protocol, Assessment):
            assessments[name] = protocol
        else:
            raise StudyError(
                f"protocol {name!r} ({made.__module__}:{made.__name__}) neither splits nor assesses, so nothing can be done with it: "
                "make it a Splitting or an Assessment"
            )
    if len(splitting) != 1:
        found = _listed(list(splitting)) or "none"
        raise StudyError(
            f"a study needs one protocol that splits (nested-subject-cv or subject-holdout); this one names {found}"
        )
    return next(iter(splitting.values())), assessments


def context_of(study: Study, spec: DataSpec) -> Context:
    """What assessments must know of a study beside their rows."""
    parts = {entry.part: plugins.load("head", entry.name).tags for entry in study.head}
    baseline = TrivialBaseline(spec, study.target).name if study.target else ""
    encoders = {entry.prefix: plugins.load("encoder", entry.name).tags for entry in study.encoder}
    reads = tuple(dict.fromkeys(name for entry in study.encoder for name in entry.reads))
    return Context(spec, study.target, parts, baseline, study.training.seed, encoders, reads)


def check_fit(
    study: Study,
    spec: DataSpec,
    assessments: Mapping[str, Assessment],
    context: Context,
    dataset: Dataset | None = None,
) -> None:
    """Build everything once, untrained, so that what does not fit is said before anything is trained.

    Parameters
    ----------
    study : Study
    spec : DataSpec
    assessments : mapping of str to Assessment
    context : Context
    dataset : Dataset, optional
        All labelled samples; without them no assessment is asked whether the data themselves suit it.

    Raises
    ------
    StudyError
    """
    encoders = build_encoders(study, spec, seed="check")
    for entry in study.encoder:
        study.training_of(entry)
    heads: dict[str, Head] = {}
    for head in study.head:
        own, settings = encoders_of(head, encoders), study.training_of(head)
        heads[head.part] = build_head(head, own, spec, study.target, seed="check")
        tags = heads[head.part].tags
        if tags.learns == "rows":
            check_codes(own, settings)
        if dataset is not None and (reason := heads[head.part].unfit_for(dataset)):
            raise StudyError(f"head {head.part!r} does not fit dataset {spec.name!r}: it {reason}")
        if head.part == context.baseline_name:
            raise StudyError(
                f"head {head.name!r} is labelled {head.part!r}, as the trivial baseline is: give it another label"
            )
    for name, assessment in assessments.items():
        if assessment.fits_models and processes() > 1:
            raise StudyError(
                f"protocol {name!r} fits models of its own, which {processes()} processes cannot do together: run the study in one, or "
                "leave it out"
            )
        reason = assessment.no_head(context) or assessment.unfit(context)
        if not reason and dataset is not None:
            reason = assessment.unfit_for(dataset, heads, context)
        if reason:
            raise StudyError(f"protocol {name!r} does not fit this study: {reason}")


def check_columns(study: Study, dataset: Dataset) -> None:
    """Refuse training by a column that cannot make batches, or without one that texts need, before anything is trained.

    Raises
    ------
    StudyError
    """
    columns = list(map(str, dataset.frame.columns))
    for entry in (*study.encoder, *study.head):
        settings = study.training_of(entry)
        name = settings.distinct
        if name and name not in columns:
            raise StudyError(
                f"[training] distinct = {name!r}: dataset {dataset.spec.name!r} has no such column{nearest(name, columns)}; "
                f"it has: {_listed(columns)}"
            )
        if name and (count := dataset.frame[name].nunique()) < settings.batch_size:
            raise StudyError(
                f"[training] distinct = {name!r}, batch_size = {settings.batch_size}: dataset {dataset.spec.name!r} has {count} "
                "different values in this column; lower batch_size"
            )
    for head in study.head:
        if plugins.load("head", head.name).tags.contrasts:
            _check_texts(head, study.training_of(head), dataset)


def _check_texts(head: HeadEntry, settings: TrainingSettings, dataset: Dataset) -> None:
    """Each text of a batch is a mismatch of the other samples: there must be others, and none with the same text."""
    if settings.batch_size < 2:
        raise StudyError(
            f"head {head.part!r} compares the samples of a batch: [training] batch_size must be at least 2"
        )
    for name, text in dataset.spec.texts.items():
        again = int(dataset.frame[column := text.columns(name)[0]].duplicated().sum())
        if again and not settings.distinct:
            raise StudyError(
                f"head {head.part!r} takes the other texts of a batch for mismatches, and {again} of {len(dataset)} samples have "
                f'a {name} that another has too: write [training] distinct = "{column}"'
            )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
