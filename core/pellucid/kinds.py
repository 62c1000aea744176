"""What a plugin can offer: one table of all that is the same for every component of a kind.

A plugin adds kinds of its own with ``Plugin(added={Kind(...): components})``; :attr:`pellucid.plugins.Installed.kinds` has both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of component.

    Parameters
    ----------
    name, plural : str
        The plural is the field of :class:`~pellucid.plugins.Plugin` that names components of this kind, unless a plugin adds the kind.
    home : str
        Module of its contract checks; imported only when they run, so that collecting tests stays quick.
    checks : tuple of str
        The checks, each the function ``<name>_<check>`` of ``home``.
    is_file : bool
        Whether a component is a data file (``package/folder/file.toml``); else it is ``module:Name``. Files can be chosen by their
        fields (:mod:`pellucid.fields`).
    """

    name: str
    plural: str
    home: str
    checks: tuple[str, ...]
    is_file: bool = False


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "encoder",
            "encoders",
            "pellucid.testing.encoders",
            (
                "names_match_width",
                "same_input_gives_same_values",
                "sample_is_encoded_as_if_alone",
                "settings_and_weights_rebuild_it",
                "masked_values_change_nothing",
                "nodes_have_no_order",
                "decodes_to_the_shape_of_its_input",
                "loss_is_finite_and_teaches",
            ),
        ),
        Kind(
            "head",
            "heads",
            "pellucid.testing.heads",
            (
                "contributions_add_up_to_the_output",
                "outputs_are_named",
                "sample_is_scored_as_if_alone",
                "settings_and_weights_rebuild_it",
                "tags_are_from_the_closed_sets",
                "loss_is_finite_and_teaches",
                "abilities_answer",
            ),
        ),
        Kind(
            "dataset",
            "datasets",
            "pellucid.testing.datasets",
            (
                "frame_matches_spec",
                "reads_shapes_and_types_of_its_spec",
                "reads_in_the_order_asked",
                "sample_ids_are_unique_names",
                "shows_no_identity",
                "spec_survives_json",
                "says_where_its_labels_lie_or_that_it_does_not_know",
                "same_data_has_same_digest",
            ),
        ),
        Kind(
            "protocol",
            "protocols",
            "pellucid.testing.protocols",
            (
                "has_defaults_for_all_settings",
                "keeps_subjects_apart",
                "rows_and_results_are_complete",
                "says_whether_it_needs_training_samples",
                "refuses_whom_a_part_has_learnt_from",
                "measures_parts_apart",
            ),
        ),
        Kind(
            "study",
            "studies",
            "pellucid.testing.files",
            ("is_valid_and_its_parts_fit",),
            is_file=True,
        ),
        Kind(
            "view",
            "views",
            "pellucid.testing.pictures",
            (
                "draws_what_it_is_named_for",
                "marks_places_and_draws_one_alone",
            ),
        ),
        Kind(
            "measure",
            "measures",
            "pellucid.testing.pictures",
            ("gives_one_number_a_sample",),
        ),
        Kind(
            "attribution",
            "attributions",
            "pellucid.testing.attributions",
            ("scores_every_place_once", "leaves_the_model_as_it_was"),
        ),
        Kind(
            "card",
            "cards",
            "pellucid.testing.files",
            ("is_complete_and_agrees_with_its_dataset",),
            is_file=True,
        ),
    )
}
"""By name, in the order in which they are listed: those that every plugin can offer."""


def kind_called(word: str, kinds: Mapping[str, Kind] = KINDS) -> Kind | None:
    """The kind of a name, singular or plural; None where there is none."""
    return kinds.get(word) or next((kind for kind in kinds.values() if kind.plural == word), None)
