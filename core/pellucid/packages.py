"""Files inside installed packages, found without importing these."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from pellucid.errors import ContractError


def resource(target: str) -> Path:
    """Path of a data file named ``package/folder/file.toml``, without importing the package's submodules."""
    package, _, inside = target.partition("/")
    folder = package_folder(package)
    if folder is None:
        raise ContractError(f"{target!r} names package {package!r}, which is not installed")
    path = folder / inside
    if not path.is_file():
        raise ContractError(f"{target!r} is named by a plugin, but {path} does not exist")
    return path


def package_folder(package: str) -> Path | None:
    """Folder of an installed top-level package, found without importing it; None where it is not installed."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def source_of(module: str) -> str | None:
    """Source text of a module; None where it is not there."""
    # Found by path from the top-level package: find_spec on a dotted name would import the parents.
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin).read_text("utf-8") if spec.origin else None
    for folder in spec.submodule_search_locations or ():
        path = Path(folder, *rest)
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                return candidate.read_text("utf-8")
    return None
