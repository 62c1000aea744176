"""Sets of prototypes on several sets of tokens."""

from __future__ import annotations

import pytest
import torch
from made_prototypes import of_two_sets, prepared
from made_tokens import TARGETS, made

from pellucid.errors import StudyError
from pellucid.heads.prototypes.head import Prototypes
from pellucid.heads.prototypes.sets import PrototypeSetConfig


@torch.no_grad()
def test_sets_are_plain_options_and_an_output_may_be_in_several():
    one, z, batch = of_two_sets()
    assert one.prototype_names == (
        "bump #1", "bump #2", "wave #1", "wave #2", "dip #1", "dip #2", "dip #3", "wave #3", "wave #4", "wave #5",
    )  # fmt: skip
    assert [tuple(p.shape) for p in one.prototypes] == [(4, 12), (6, 15)]
    one.prepare([(z, batch)])
    one.project([(z, batch)])
    one.refit([(z, batch)])
    assert one.eval()(z).shape == (60, 3)
    assert int(one.source_window[4:].max()) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sets": (PrototypeSetConfig(tokens_name="z"),)}, "is told 'z'"),
        ({"sets": (PrototypeSetConfig(outputs=("bumb",)),)}, "did you mean 'bump'"),
        ({"sets": (PrototypeSetConfig(outputs=("bump",)),)}, "serves 'dip', 'wave'"),
        ({"window": 8}, "longer than the 7 tokens"),
    ],
)
def test_sets_that_do_not_fit_are_refused(options, said):
    with pytest.raises(StudyError, match=said):
        made(Prototypes, TARGETS["several"], torch.zeros(1, 7, 6), **options)


@torch.no_grad()
def test_the_other_side_of_a_binary_target_speaks_against_it():
    one, _, _ = prepared(Prototypes, "yes")
    assert one.classes == ("no bump", "bump")
    against = one.class_of == 0
    assert bool((one.weights[0, against] <= 0).all())
    assert bool((one.weights[0, ~against] >= 0).all())


def test_widths_of_add_ons_and_tokens_are_compared_as_they_should_be():
    one, z, _ = prepared(Prototypes, addon_width=10, window=2)
    assert one.prototypes[0].shape == (15, 20)
    cells = one.cells(z, 0).detach()
    assert float(cells.min()) > 0
    assert float(cells.max()) < 1
