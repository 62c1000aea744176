"""Weights files: safetensors with a JSON header from which the models are rebuilt. Nothing in them can run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from pellucid import plugins
from pellucid.data.subjects import LearnedFrom
from pellucid.encoders.base import Encoder
from pellucid.errors import ContractError, RunError
from pellucid.files import sha256, writing
from pellucid.heads.base import Head
from pellucid.model import Model, Threshold
from pellucid.part import Part

FORMAT = 1
"""Version of the header. A file of another one is refused."""


def save_models(path: Path, models: Mapping[str, Model], about: Mapping[str, Any] | None = None) -> str:
    """Write models into one file; encoders that they share are written once.

    Parameters
    ----------
    path : Path
    models : mapping of str to Model
        By part name.
    about : mapping, optional
        Plain values to keep beside them.

    Returns
    -------
    str
        SHA-256 of the file, to be kept elsewhere so that tampering is seen.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    written: dict[int, str] = {}
    described = {}
    for part, model in models.items():
        encoders = {}
        for prefix, encoder in model.named_encoders():
            if id(encoder) not in written:
                written[id(encoder)] = f"encoder/{len(written)}"
                tensors |= _tensors(encoder, written[id(encoder)])
            encoders[prefix] = {"at": written[id(encoder)], **_described(encoder)}
        tensors |= _tensors(model.head, f"head/{part}")
        described[part] = {
            "encoders": encoders,
            "head": {"at": f"head/{part}", **_described(model.head)},
            "threshold": {"value": model.threshold.value, "learned_from": model.threshold.learned_from.to_json()},
        }
    header = {"format": FORMAT, "models": described, "about": dict(about or {})}
    with writing(path) as temporary:
        temporary.write_bytes(save(tensors, {"pellucid": json.dumps(header)}))
    return sha256(path)


def load_models(path: Path, digest: str | None = None) -> tuple[dict[str, Model], dict[str, Any]]:
    """Rebuild the models of a file.

    Parameters
    ----------
    path : Path
    digest : str, optional
        The SHA-256 that :func:`save_models` gave.

    Returns
    -------
    models : dict of str to Model
        In evaluation mode; shared encoders are shared again.
    about : dict

    Raises
    ------
    RunError
        If the file is missing, unreadable, of another format or not the one that was written.
    """
    header, tensors = _read(path, digest)
    encoders: dict[str, Part] = {}
    models = {}
    for part, entry in header["models"].items():
        for described in entry["encoders"].values():
            if described["at"] not in encoders:
                encoders[described["at"]] = _rebuilt("encoder", described, tensors, path)
        head = _rebuilt("head", entry["head"], tensors, path)
        assert isinstance(head, Head)
        own = {prefix: encoders[described["at"]] for prefix, described in entry["encoders"].items()}
        model = Model({k: e for k, e in own.items() if isinstance(e, Encoder)}, head)
        record = entry["threshold"]
        model.threshold = Threshold(record["value"], LearnedFrom.from_json(record["learned_from"]))
        models[part] = model.eval()
    return models, header["about"]


def read_about(path: Path, digest: str | None = None) -> dict[str, Any]:
    """What :func:`save_models` kept beside the models, without rebuilding these; raises as :func:`load_models`."""
    about: dict[str, Any] = _read(path, digest)[0]["about"]
    return about


def registered_name(kind: str, part: Part) -> str:
    """Qualified name under which the class of a part is registered.

    Raises
    ------
    ContractError
        If it is not: its weights could not be loaded again.
    """
    target = f"{type(part).__module__}:{type(part).__qualname__}"
    for component in plugins.components(kind).values():
        if component.target == target:
            return component.qualified
    raise ContractError(
        f"{kind} {target} is not registered by any plugin, so its weights could not be loaded again; name it in a Plugin"
    )


def _described(part: Part) -> dict[str, Any]:
    kind = "encoder" if isinstance(part, Encoder) else "head"
    return {
        "component": registered_name(kind, part),
        "config": part.config.model_dump(mode="json"),
        "learned_from": part.learned_from.to_json(),
    }


def _tensors(part: Part, prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": value.detach().cpu().contiguous().clone() for name, value in part.state_dict().items()}


def _read(path: Path, digest: str | None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise RunError(f"{path} is missing; run the study again to make it")
    if digest is not None and (found := sha256(path)) != digest:
        raise RunError(
            f"{path} is not the file that the run wrote (SHA-256 {found[:12]}..., recorded {digest[:12]}...): it was changed "
            "or damaged afterwards; restore it, or run the study again"
        )
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no dict
            header = json.loads((file.metadata() or {})["pellucid"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise RunError(f"{path} cannot be read as weights: {error}") from error
    if header.get("format") != FORMAT:
        raise RunError(f"{path} has weights format {header.get('format')!r}; this pellucid reads {FORMAT}")
    return header, tensors


def _rebuilt(kind: str, entry: Mapping[str, Any], tensors: Mapping[str, Tensor], path: Path) -> Part:
    component = plugins.load(kind, entry["component"])
    made: Part = component(component.config_type.model_validate(entry["config"]))
    prefix = f"{entry['at']}/"
    state = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    try:
        made.load_state_dict(state)
    except RuntimeError as error:
        raise RunError(f"{path} does not fit {kind} {entry['component']!r} as it is installed now: {error}") from error
    made.learned_from = LearnedFrom.from_json(entry["learned_from"])
    return made.eval()
