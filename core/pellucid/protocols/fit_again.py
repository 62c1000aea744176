"""Fitting a model's like on other samples or with other settings: for assessments that ask what would have been learnt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from pellucid.assembly import facts_of
from pellucid.encoders.base import Encoder
from pellucid.errors import ContractError
from pellucid.model import Model
from pellucid.seeds import seed_of
from pellucid.training.fit import Sides, fit_encoder, fit_model
from pellucid.training.settings import TrainingSettings


def fit_again(
    model: Model,
    part: str,
    sides: Sides,
    training: Mapping[str, TrainingSettings],
    *,
    seed: str,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    same_encoders: bool = False,
) -> Model:
    """A model with the same settings and nothing learnt, fitted; the one given stays as it is.

    Parameters
    ----------
    model : Model
        Its encoders and its head are built anew from their configs.
    part : str
        What it is called in the study.
    sides : Sides
        Whom to learn from.
    training : mapping of str to TrainingSettings
        Of ``"encoder <prefix>"`` and ``"head <part>"``, as :class:`~pellucid.protocols.base.FittedFold` carries them.
    seed : str
        Names this fit: initial weights and all chance in the training depend on it.
    changes : mapping, optional
        Settings of encoders that are to differ, by prefix: ``{"shape+ratings": {"order": ("ratings", "shape")}}``.
    same_encoders : bool
        Whether the head alone is fitted again, on the model's own encoders: what it says is then in the same units.

    Raises
    ------
    ContractError
        If the training settings are not at hand.
    """
    anew = [] if same_encoders else [f"encoder {prefix}" for prefix, _ in model.named_encoders()]
    for name in (*anew, f"head {part}"):
        if name not in training:
            raise ContractError(
                f"part {part!r} cannot be fitted again: nobody says how {name!r} was trained; give the fold its training settings"
            )
    made: Any
    encoders: dict[str, Encoder] = {}
    if same_encoders:
        encoders = dict(model.named_encoders())
    for prefix, old in () if same_encoders else model.named_encoders():
        config = type(old.config).model_validate({**_fields(old.config), **(changes or {}).get(prefix, {})})
        torch.manual_seed(seed_of(seed, prefix))
        made = type(old)
        encoders[prefix] = made(config)
        settings = _seeded(training[f"encoder {prefix}"], seed)
        fit_encoder(encoders[prefix], sides, settings, name=f"encoder {prefix}")
    # What encoders hand on may be named otherwise by now: that is asked anew, all else of the head's config stays.
    facts = type(model.head.config).model_validate({**_fields(model.head.config), **facts_of(encoders)})
    torch.manual_seed(seed_of(seed, part))
    made = type(model.head)
    settings = _seeded(training[f"head {part}"], seed)
    fitted, _ = fit_model(encoders, made(facts), sides, settings, name=f"head {part}")
    return fitted


def _seeded(settings: TrainingSettings, seed: str) -> TrainingSettings:
    return settings.model_copy(update={"seed": seed_of(settings.seed, seed) % 2**32})


def _fields(config: Any) -> dict[str, Any]:
    return {name: getattr(config, name) for name in type(config).model_fields}
