"""Every installed card is a Croissant document by the judgement of Croissant's own reader."""

from __future__ import annotations

import json

import pytest

from pellucid import plugins
from pellucid.cards import card
from pellucid.cards.croissant import croissant

CARDS = sorted(plugins.components("card"))


def problems(document):
    """Errors and warnings of mlcroissant."""
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant, which validates Croissant, is not installed")
    try:
        issues = mlcroissant.Dataset(jsonld=json.loads(json.dumps(document))).metadata.ctx.issues
    except mlcroissant.ValidationError as error:
        return [str(error)], []
    return sorted(issues.errors), sorted(issues.warnings)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_valid_croissant_and_lacks_nothing_that_the_card_knows(name):
    content = card(name)
    errors, warnings = problems(croissant(content))
    assert errors == []
    # A date and a version are asked for where the card has them: an owner may give none.
    allowed = [
        word for word, known in (("datePublished", content.published), ("version", content.version)) if not known
    ]
    assert [w for w in warnings if not any(f"/{word}" in w for word in allowed)] == []


def test_the_judge_can_find_fault():
    document = croissant(card("lidc-crops"))
    del document["license"]
    assert "license" in str(problems(document)[1])
    document = croissant(card("lidc-crops"))
    del document["distribution"][0]["encodingFormat"]
    assert problems(document)[0]
