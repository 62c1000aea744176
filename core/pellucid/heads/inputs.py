"""What a head would read, and why it cannot: asked before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pellucid.data.spec import DataSpec
from pellucid.heads.tags import HeadTags
from pellucid.representation import TokenShape

if TYPE_CHECKING:
    from pellucid.encoders.base import EncoderTags


@dataclass(frozen=True)
class HeadInputs:
    """What is known of what a head would read.

    Parameters
    ----------
    encoders : mapping of str to EncoderTags
        By prefix.
    units : tuple of str
        Names of their units.
    tokens : mapping of str to TokenShape
        The sets of tokens that they hand on, by name.
    spec : DataSpec
        Of the dataset.
    """

    encoders: Mapping[str, EncoderTags]
    units: tuple[str, ...]
    tokens: Mapping[str, TokenShape]
    spec: DataSpec


def unfit_by_tags(tags: HeadTags, given: HeadInputs) -> str:
    """Why a head of these tags cannot read what it is given, as what follows its name (``"needs ..."``); empty where it can."""
    from pellucid.suggestions import encoders_with, heads_with

    prefixes = ", ".join(given.encoders)
    if tags.needs_concepts and given.spec.concepts is None:
        return f"needs concepts rated by people; dataset {given.spec.name!r} has none"
    if tags.needs_decoder and not any(one.decodes for one in given.encoders.values()):
        return f"needs an encoder that decodes (a VAE); it reads {prefixes}"
    if tags.needs_tokens and not given.tokens:
        return (
            f"reads places of the input, but none of {prefixes} hands on tokens; an encoder with an option tokens does with "
            "tokens = true"
        )
    readable = [shape for shape in given.tokens.values() if tags.varying_tokens or not shape.varying]
    if tags.needs_tokens and not readable:
        return (
            f"reads the same number of places of every sample, but of {', '.join(given.tokens)} samples have different numbers. "
            f"Heads for such places: {', '.join(heads_with(lambda one: one.varying_tokens))}"
        )
    if tags.needs_codes and not any(shape.codebook for shape in readable):
        fit = encoders_with(lambda one: one.gives_codes)
        return f"reads codes, but no token of {prefixes} has one. Encoders that give codes: {', '.join(fit) or 'none installed'}"
    if tags.learns == "texts" and not given.spec.texts:
        return f"learns from texts; dataset {given.spec.name!r} has none"
    return ""
