"""Explanations of several batches as one, each sample with its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from pellucid.errors import ContractError
from pellucid.explanation import Evidence, Explanation


def made(samples, names=("a", "b"), **others):
    x = torch.arange(float(len(samples) * len(names))).reshape(len(samples), len(names))
    return Explanation("function", "y", names, x, torch.zeros(len(x)), x.sum(1), x, samples=samples, **others)


def test_evidence_stays_with_its_sample_where_a_batch_has_none():
    pointing = made(("r", "s"), evidence=((Evidence("a", text="here"),), (Evidence("b", text="there"),)))
    found = Explanation.joined([made(("p", "q")), pointing])
    assert found.samples == ("p", "q", "r", "s")
    assert [[one.text for one in some] for some in found.evidence] == [[], [], ["here"], ["there"]]
    assert found.known is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"values": None}, "1 of 2 explanations have values"),
        ({"known": torch.ones(1, 2, dtype=torch.bool)}, "1 of 2 explanations have known"),
        ({"samples": ()}, "name their samples"),
    ],
)
def test_explanations_of_different_models_are_not_one(change, said):
    with pytest.raises(ContractError, match=said):
        Explanation.joined([made(("p",)), replace(made(("q",)), **change)])


def test_batches_with_fewer_places_are_filled_up_with_places_that_are_not_there():
    short, long = (
        made((name,), tuple(f"place {at}" for at in range(count)), known=torch.ones(1, count, dtype=torch.bool))
        for name, count in (("p", 1), ("q", 3))
    )
    found = Explanation.joined([short, long])
    assert found.names == long.names
    assert found.known.tolist() == [[True, False, False], [True, True, True]]
    assert len(found.frame()) == 4


def test_what_draws_explanations_is_read_when_they_are_drawn():
    code = "import sys, pellucid.explanation; print('pellucid.views.contributions' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
