"""Instances of components for the contract checks, made from the class and small planted data."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from unittest import SkipTest

import torch

from pellucid import plugins
from pellucid.batch import Batch, collate
from pellucid.data.dataset import Dataset
from pellucid.data.spec import COVARIATES, InputSpec
from pellucid.encoders.base import Encoder
from pellucid.errors import ContractError, PellucidError
from pellucid.heads.base import Head
from pellucid.part import configured
from pellucid.plugins import Component
from pellucid.regions import TimeSpan
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid.testing.planted import INPUTS, planted


def need(kept: bool, component: Component, message: str) -> None:
    """Raise a :class:`ContractError` that names the component where something is not kept."""
    if not kept:
        raise ContractError(f"{component.kind} {component}: {message}")


def example_data(made: Any, kinds: tuple[str, ...]) -> Dataset:
    """Data to try a component on: its own, where it brings some, else planted."""
    own = getattr(made, "example_data", None)
    if own is not None:
        found: Dataset = own()
        return found
    return planted(tuple(kind for kind in kinds if kind in INPUTS))


def options_of(made: Any) -> dict[str, Any]:
    """Settings to try a component with."""
    own = getattr(made, "example_options", None)
    return dict(own()) if own is not None else {}


def encoder_inputs(component: Component, made: Any) -> Iterator[tuple[Dataset, dict[str, InputSpec]]]:
    """Data, and the inputs to give an encoder: one kind after the other, or all at once if it reads several.

    Raises
    ------
    ContractError
        If it accepts no kind that there is data for.
    """
    data = example_data(made, made.tags.accepts)
    fit = {name: spec for name, spec in data.spec.inputs.items() if spec.kind in made.tags.accepts}
    need(
        bool(fit),
        component,
        f"accepts {', '.join(made.tags.accepts)}; to try it, give it a class method example_data()",
    )
    if made.tags.several_inputs:
        yield data, fit
        return
    for name, spec in fit.items():
        yield data, {name: spec}


def encoders(component: Component) -> Iterator[tuple[Encoder, Dataset, Batch]]:
    """Encoders of a class, prepared but not trained, each with data and a batch that it can read."""
    made: Any = plugins.load("encoder", component.qualified)
    for data, inputs in encoder_inputs(component, made):
        torch.manual_seed(0)
        config = configured("encoder", component.name, made.config_type, options_of(made), inputs=inputs)
        encoder: Encoder = made(config)
        batch = collate(data, range(min(len(data), 16)), next(iter(data.spec.targets)))
        encoder.prepare([batch])
        yield encoder.eval(), data, batch


def heads(component: Component) -> Iterator[tuple[Head, Representation, Batch]]:
    """Heads of a class, prepared but not trained; one for every kind of target, if it predicts."""
    made: Any = plugins.load("head", component.qualified)
    data = example_data(made, ("vector",))
    tried = False
    for name in data.spec.targets if made.tags.predicts else ("",):
        asked: dict[str, Any] = {}
        if name:
            if data.spec.target(name).kind not in made.tags.targets:
                continue
            asked = {"target": data.spec.target(name), "concepts": data.spec.concepts}
        tried = True
        torch.manual_seed(0)
        batch = collate(data, range(len(data)), name)
        z = representation(data, batch)
        tokens = {key: _shape_of(one) for key, one in z.tokens.items()}
        if made.tags.learns == "texts":
            asked = {"texts": data.spec.texts}
        facts = {"units": z.names, "tokens": tokens, **asked}
        config = configured("head", component.name, made.config_type, options_of(made), **facts)
        head: Head = made(config)
        head.prepare([(z, batch)])
        _stir(head)
        for stage in head.stages():
            if stage.finish is not None:
                with torch.no_grad():
                    stage.finish([(z, batch)])
        yield head.eval(), z, batch
    need(tried, component, f"predicts {', '.join(made.tags.targets)}; to try it, give it a class method example_data()")


@torch.no_grad()
def _stir(head: Head) -> None:
    # Many heads begin at zero, where every contribution is zero and nearly any explanation would add up.
    for parameter in head.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    head.settle()


def representation(data: Dataset, batch: Batch) -> Representation:
    """The vector inputs of a batch side by side, as an encoder would hand them on."""
    vectors = {name: spec for name, spec in data.spec.inputs.items() if spec.kind == "vector" and name != COVARIATES}
    names = tuple(f"{name}:{unit}" for name, spec in vectors.items() for unit in spec.names)
    values = torch.cat([batch.inputs[name] for name in vectors], dim=1)
    values = (values - values.mean(0)) / values.std(0)
    # Eight places of a second each, in which the units are more or less strong.
    strength = torch.rand(8, values.shape[1], generator=torch.Generator().manual_seed(0))
    places = tuple(TimeSpan(("x",), float(at), float(at + 1)) for at in range(len(strength)))
    found = values[:, None] * strength
    # The unit that is strongest at a place, one of four.
    return Representation(values, names, {"planted": Tokens(found, places, found.argmax(2), input="vector")})


def _shape_of(tokens: Tokens) -> TokenShape:
    """What an encoder of these tokens would say of them: two lines, where there are codes."""
    count, width = tokens.values.shape[1:]
    if tokens.codes is None:
        return TokenShape(count=count, width=width)
    return TokenShape(count=count, width=width, codebook=width, line=count // 2)


@lru_cache(maxsize=4)
def opened(component: Component) -> Dataset:
    """A dataset as :func:`opened_anew` gives it, once for all checks."""
    return opened_anew(component)


def opened_anew(component: Component) -> Dataset:
    """A dataset: one that the class makes to be tried, or with its default settings from its usual place.

    Raises
    ------
    SkipTest
        If its card says that a file is not here, or cannot say where its files would be.
    """
    from pellucid.cards import read_card, states
    from pellucid.opening import dataset

    made = plugins.load("dataset", component.qualified)
    if hasattr(made, "example_data"):
        found: Dataset = made.example_data()
        return found

    for card in plugins.components("card").values():
        if card.name == component.name:
            content = read_card(plugins.resource(card.target))
            away = [state.file.path for state in states(content) if state.presence != "here"]
            if away:
                raise SkipTest(f"{', '.join(away)} is not here; {content.how}")
            if not content.files and content.access != "generated":
                raise SkipTest(f"the card knows no place where it usually is; {content.how}")
    return dataset(component.qualified, **options_of(made))


def open_all() -> Iterator[tuple[Component, Dataset]]:
    """Every registered dataset that is here; what cannot be opened fails its own checks and not others'."""
    for component in plugins.components("dataset").values():
        try:
            yield component, opened(component)
        except (SkipTest, PellucidError, ImportError):
            continue
