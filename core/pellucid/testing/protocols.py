"""What every protocol keeps: those that split, on who stands where; those that assess, on what they report."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from typing import Any
from unittest import SkipTest

import numpy as np

from pellucid import plugins
from pellucid.errors import LeakageError, NotMeasurable, PellucidError
from pellucid.part import configured
from pellucid.plugins import Component
from pellucid.protocols.base import Assessment, Context, FittedFold, Protocol, Splitting
from pellucid.protocols.usual import Usual
from pellucid.result import NotMeasured
from pellucid.testing.folds import TARGET, aligned_fold, dictionary_fold, fitted_fold
from pellucid.testing.instances import need, options_of
from pellucid.testing.planted import planted


def _made(component: Component) -> Protocol:
    made = plugins.load("protocol", component.qualified)
    protocol: Protocol = made(configured("protocol", component.name, made.config_type, options_of(made)))
    return protocol


def protocol_has_defaults_for_all_settings(component: Component) -> None:
    """It can be named in a study without a word more, and its settings survive JSON."""
    made = plugins.load("protocol", component.qualified)
    protocol = made()
    need(isinstance(protocol, Splitting | Assessment), component, "is neither a Splitting nor an Assessment")
    config = type(protocol.config).model_validate_json(protocol.config.model_dump_json())
    need(config == protocol.config, component, "its settings change on the way through JSON")
    if isinstance(protocol, Assessment):
        need(protocol.name == component.name, component, f"calls itself {protocol.name!r}")


def protocol_keeps_subjects_apart(component: Component) -> None:
    """No member of any group column stands on two sides of a split; the same seed splits the same way."""
    protocol = _made(component)
    if not isinstance(protocol, Splitting):
        raise SkipTest("it does not split")
    data = planted(("vector",), samples=120, subjects=40)
    # A second group that chains subjects in pairs: splitting by subject alone would break it.
    order = {subject: at for at, subject in enumerate(sorted(data.frame["subject"].unique()))}
    data.frame["household"] = [f"household {order[subject] // 2}" for subject in data.frame["subject"]]
    data.spec = data.spec.model_copy(update={"groups": ("subject", "household")})
    found = list(protocol.splits(data, TARGET, seed=3))
    again = list(protocol.splits(data, TARGET, seed=3))
    need(len(found) > 0, component, "gives no split")
    for split, same in zip(found, again, strict=True):
        sides = {side: getattr(split, side) for side in ("train", "validation", "test")}
        for side, at in sides.items():
            need(len(at) > 0, component, f"fold {split.fold}: nobody stands on the {side} side")
            need(
                np.array_equal(at, getattr(same, side)),
                component,
                f"fold {split.fold}: the same seed gives another {side} side",
            )
        for column in data.spec.groups:
            who = {side: set(data.frame[column].iloc[at]) for side, at in sides.items()}
            for one, other in (("train", "test"), ("validation", "test"), ("train", "validation")):
                both = who[one] & who[other]
                need(not both, component, f"fold {split.fold}: {len(both)} of {column!r} stand in {one} and in {other}")


def _assessed(component: Component) -> tuple[Assessment, FittedFold, Context]:
    protocol = _made(component)
    if not isinstance(protocol, Assessment):
        raise SkipTest("it does not assess")
    fold, context = _fold_for(protocol)
    if protocol.about == "any" and protocol.unfit(context):
        # About any kind of model: those that predict may be the ones it fits.
        fold, context = fitted_fold()
    if reason := protocol.unfit(context):
        raise SkipTest(f"does not fit planted data: {reason}")
    return protocol, fold, context


def _fold_for(protocol: Assessment) -> tuple[FittedFold, Context]:
    if (own := protocol.example_fold()) is not None:
        return own
    if protocol.about == "text":
        return aligned_fold()
    return fitted_fold() if protocol.about == "target" else dictionary_fold()


def _subjects(fold: FittedFold, at: np.ndarray) -> dict[str, str]:
    """Whose each name is that a row may give as its sample: of a sample, of one that rows were collected of, or of a subject."""
    from pellucid.protocols.dictionaries.pooled import SOURCE

    samples = fold.dataset.subset(at)
    who = samples.subjects
    named: list[Any] = [samples.frame.index, who, *([samples.frame[SOURCE]] if SOURCE in samples.frame else [])]
    return {str(name): subject for some in named for name, subject in zip(some, who, strict=True)}


def protocol_rows_and_results_are_complete(component: Component) -> None:
    """Rows are about test samples and survive parquet; results say of whom; figures can be drawn."""
    import pandas as pd
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    protocol, fold, context = _assessed(component)
    try:
        rows = protocol.examine(fold)
    except NotMeasurable as why:
        raise SkipTest(f"planted data cannot carry it: {why}") from None
    lacking = {"part", "sample", "subject"} - set(rows.columns)
    need(not lacking, component, f"its rows lack column(s) {', '.join(sorted(lacking))}")
    need(len(rows) > 0, component, "examines and returns no row")
    known = {*fold.models, *([fold.trivial.name] if fold.baseline is not None else [])}
    need(set(rows["part"]) <= known, component, f"has rows of unknown parts {sorted(set(rows['part']) - known)}")
    split = fold.split
    at = np.concatenate([split.test, split.train]) if protocol.of_training else split.test
    tested, whose = set(fold.dataset.subset(at).subjects), _subjects(fold, at)
    need(set(rows["sample"]) <= set(whose), component, "has rows of samples that are not on the test side")
    need([whose[one] for one in rows["sample"]] == list(rows["subject"]), component, "mixes up subjects")
    buffer = io.BytesIO()
    rows.assign(fold=0).to_parquet(buffer, index=False)
    kept = pd.read_parquet(buffer)
    results = protocol.conclude(kept, context)
    need(len(results) > 0, component, "concludes nothing")
    for result in results:
        if isinstance(result, NotMeasured):
            need(
                bool(result.because),
                component,
                f"does not say why {result.metric!r} of {result.part!r} is not measured",
            )
            continue
        where = f"{result.metric!r} of {result.part!r}"
        need(result.protocol == component.name, component, f"{where} is said to come from {result.protocol!r}")
        need(
            result.n_subjects <= len(tested),
            component,
            f"{where} counts more subjects than were tested",
        )
        need(not result.low > result.high, component, f"{where}: its interval runs from {result.low} to {result.high}")
    need(
        list(results) == list(protocol.conclude(kept, context)) or _nan(results),
        component,
        "concludes otherwise from the same rows and seed",
    )
    for caption, figure in protocol.figures(kept, context).items():
        need(
            isinstance(figure, Figure) and bool(caption), component, f"figure {caption!r} is a {type(figure).__name__}"
        )
        FigureCanvasAgg(figure).draw()


def protocol_measures_parts_apart(component: Component) -> None:
    """A part of which it says that it is measured for itself has the same rows alone as beside another."""
    import pandas as pd

    protocol, fold, context = _assessed(component)
    if not (apart := [part for part in protocol.apart(context) if part in fold.models]):
        raise SkipTest("it measures all models together")
    one = apart[0]
    # The other is the same model: what matters is that it stands there, under another name and before.
    both = {"another": fold.models[one], one: fold.models[one]}
    training = dict(fold.training) | {"head another": fold.training[f"head {one}"]}
    try:
        alone = protocol.examine(dataclasses.replace(fold, models={one: fold.models[one]}))
        beside = protocol.examine(dataclasses.replace(fold, models=both, training=training))
    except NotMeasurable as why:
        raise SkipTest(f"planted data cannot carry it: {why}") from None
    same = beside[beside["part"] == one].reset_index(drop=True)
    try:
        pd.testing.assert_frame_equal(same, alone.reset_index(drop=True))
    except AssertionError:
        need(False, component, f"measures {one!r} otherwise where another model stands beside it")


def protocol_says_whether_it_needs_training_samples(component: Component) -> None:
    """One that does not say so finds the same where the models and what is usual are all that is left of a run."""
    import pandas as pd

    protocol, fold, _ = _assessed(component)
    if protocol.needs_training:
        raise SkipTest("it says that it looks at the training samples")
    nobody = np.array([], np.int64)
    alone = dataclasses.replace(
        fold,
        split=dataclasses.replace(fold.split, train=nobody, validation=nobody),
        kept=Usual.of(fold.predictors, fold.train, fold.target),
        training={},
    )
    try:
        with_them = protocol.examine(fold)
    except NotMeasurable as why:
        raise SkipTest(f"planted data cannot carry it: {why}") from None
    try:
        pd.testing.assert_frame_equal(protocol.examine(alone), with_them)
    except (PellucidError, ValueError, IndexError, KeyError, RuntimeError) as error:
        need(False, component, f"looks at training samples without saying so (needs_training): {error}")
    except AssertionError:
        need(False, component, "finds otherwise where the training samples are not at hand: say needs_training")


def _nan(results: Sequence[Any]) -> bool:
    return any(value != value for r in results for value in dataclasses.astuple(r))


def protocol_refuses_whom_a_part_has_learnt_from(component: Component) -> None:
    """Asked to examine subjects that the models were fitted on, it raises LeakageError instead of a score."""
    protocol, fold, _ = _assessed(component)
    leaky = dataclasses.replace(fold, split=dataclasses.replace(fold.split, test=fold.split.train))
    try:
        protocol.examine(leaky)
    except LeakageError:
        return
    need(
        False, component, "scores subjects that the models have learnt from: take test samples through fold.test(part)"
    )
