"""Contract checks: what every installed component must keep, whoever wrote it.

:func:`contract_checks` is a plain generator, so that any test tool can take it::

    @pytest.mark.parametrize(("component", "check"), list(contract_checks()), ids=str)
    def test_component_keeps_its_contract(component, check):
        check(component)

A check raises :class:`~pellucid.errors.ContractError` (or the component's own error) where the contract is broken, and
:class:`unittest.SkipTest` where it cannot be tried here, for example because the data is not on this machine.

Parts and protocols are tried on :func:`pellucid.testing.planted.planted`. A component that needs other data has a class
method ``example_data() -> Dataset``; one whose settings have no defaults has ``example_options() -> dict``; an assessment
that needs models of its own kind has ``example_fold() -> (FittedFold, Context)``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unittest import SkipTest

from pellucid import plugins
from pellucid.errors import PellucidError
from pellucid.plugins import Component


@dataclass(frozen=True)
class Check:
    """One check of one kind of component."""

    kind: str
    name: str

    def __str__(self) -> str:
        return self.name

    def __call__(self, component: Component) -> None:
        """Run it; returns quietly where the contract is kept."""
        found: Callable[[Component], None] = getattr(
            importlib.import_module(plugins.installed().kinds[self.kind].home), f"{self.kind}_{self.name}"
        )
        found(component)


def contract_checks(name: str | None = None) -> Iterator[tuple[Component, Check]]:
    """Every component with every check of its kind.

    Parameters
    ----------
    name : str, optional
        Only components of this name (bare or qualified), or of the plugin of this name.
    """
    for component in plugins.components().values():
        if name is None or name in (
            component.name,
            component.qualified,
            component.plugin,
            f"{component.kind}:{component.qualified}",
        ):
            for check in plugins.installed().kinds[component.kind].checks:
                yield component, Check(component.kind, check)


def run_checks(name: str) -> Iterator[tuple[str, bool]]:
    """Run the checks of a component or plugin, one line and whether it was kept at a time.

    Raises
    ------
    UnknownComponent
        If nothing of this name is installed.
    """
    from pellucid.plugins import named

    chosen = list(contract_checks(name))
    if not chosen:
        named(name)
    for component, check in chosen:
        title = f"{component.kind} {component}-{check}"
        try:
            check(component)
        except SkipTest as reason:
            yield f"skipped  {title}: {reason}", True
        except PellucidError as error:
            yield f"FAILED   {title}: {error}", False
        except Exception as error:  # noqa: BLE001 - a plugin may fail in any way; its author wants the line, and the others
            yield f"FAILED   {title}: {type(error).__name__}: {error}", False
        else:
            yield f"kept     {title}", True
