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

HOMES = {
    "encoder": "pellucid.testing.encoders",
    "head": "pellucid.testing.heads",
    "dataset": "pellucid.testing.datasets",
    "protocol": "pellucid.testing.protocols",
    "study": "pellucid.testing.files",
    "card": "pellucid.testing.files",
    "view": "pellucid.testing.pictures",
    "measure": "pellucid.testing.pictures",
    "attribution": "pellucid.testing.attributions",
}
"""Where the checks of each kind are; imported only when they run, so that collecting tests stays quick."""

NAMES = {
    "encoder": (
        "names_match_width",
        "same_input_gives_same_values",
        "sample_is_encoded_as_if_alone",
        "settings_and_weights_rebuild_it",
        "masked_values_change_nothing",
        "nodes_have_no_order",
        "decodes_to_the_shape_of_its_input",
        "loss_is_finite_and_teaches",
    ),
    "head": (
        "contributions_add_up_to_the_output",
        "outputs_are_named",
        "sample_is_scored_as_if_alone",
        "settings_and_weights_rebuild_it",
        "tags_are_from_the_closed_sets",
        "loss_is_finite_and_teaches",
        "abilities_answer",
    ),
    "dataset": (
        "frame_matches_spec",
        "reads_shapes_and_types_of_its_spec",
        "reads_in_the_order_asked",
        "sample_ids_are_unique_names",
        "shows_no_identity",
        "spec_survives_json",
        "says_where_its_labels_lie_or_that_it_does_not_know",
        "same_data_has_same_digest",
    ),
    "protocol": (
        "has_defaults_for_all_settings",
        "keeps_subjects_apart",
        "rows_and_results_are_complete",
        "says_whether_it_needs_training_samples",
        "refuses_whom_a_part_has_learnt_from",
        "measures_parts_apart",
    ),
    "study": ("is_valid_and_its_parts_fit",),
    "card": ("is_complete_and_agrees_with_its_dataset",),
    "view": ("draws_what_it_is_named_for", "marks_places_and_draws_one_alone"),
    "measure": ("gives_one_number_a_sample",),
    "attribution": ("scores_every_place_once", "leaves_the_model_as_it_was"),
}
"""Checks of each kind, by the name of the function in its home."""


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
            importlib.import_module(HOMES[self.kind]), f"{self.kind}_{self.name}"
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
            for check in NAMES[component.kind]:
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
