"""Heads that cannot read what a study gives them say so before they are built, whoever wrote them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pellucid import plugins
from pellucid.assembly import build_head
from pellucid.encoders.cnn import Cnn
from pellucid.encoders.identity import Identity
from pellucid.entries import HeadEntry
from pellucid.errors import StudyError
from pellucid.heads.functions.linear import Linear
from pellucid.heads.inputs import HeadInputs, unfit_by_tags
from pellucid.heads.tags import HeadTags
from pellucid.part import configured
from pellucid.representation import TokenShape
from pellucid.testing.planted import planted

DATA = planted(("vector", "image"))
GIVEN = HeadInputs({"image": Cnn.tags}, ("image:f0",), {"image": TokenShape(count=4, width=2)}, DATA.spec)
BARE = DATA.spec.model_copy(update={"concepts": None, "texts": {}})


class InLines(Linear):
    """A plugin's own head, which needs what no tag of the core names."""

    @classmethod
    def unfit_for_inputs(cls, given):
        reason = super().unfit_for_inputs(given)
        if not reason and not any(shape.line for shape in given.tokens.values()):
            reason = f"reads tokens in lines, which {', '.join(given.encoders)} does not hand on"
        return reason


def encoder(made, name):
    return made(configured("encoder", name, made.config_type, {}, inputs={name: DATA.spec.inputs[name]}))


def test_a_head_of_a_plugin_refuses_what_it_cannot_read(monkeypatch):
    monkeypatch.setattr(plugins, "load", lambda kind, name: InLines)
    with pytest.raises(StudyError, match="head 'in-lines' reads tokens in lines, which vector does not hand on"):
        build_head(HeadEntry(name="in-lines"), {"vector": encoder(Identity, "vector")}, DATA.spec, "binary", seed="0")


@pytest.mark.parametrize(
    ("needs", "changes", "said"),
    [
        ({"needs_concepts": True}, {"spec": BARE}, "needs concepts rated by people; dataset 'planted' has none"),
        ({"needs_decoder": True}, {}, "needs an encoder that decodes .* it reads image"),
        ({"needs_tokens": True}, {"tokens": {}}, "none of image hands on tokens"),
        (
            {"needs_tokens": True},
            {"tokens": {"image": TokenShape(count=0, width=2, varying=True)}},
            "different numbers. Heads for such places: .*additive-tokens",
        ),
        ({"needs_tokens": True, "needs_codes": True}, {}, "no token of image has one. Encoders that give codes"),
        ({"learns": "texts"}, {"spec": BARE}, "learns from texts; dataset 'planted' has none"),
    ],
)
def test_what_tags_ask_for_must_be_there(needs, changes, said):
    tags = HeadTags(family="function", **needs)
    assert re.search(said, unfit_by_tags(tags, replace(GIVEN, **changes)))
    assert unfit_by_tags(HeadTags(family="function"), replace(GIVEN, **changes)) == ""


def test_what_is_there_is_not_refused():
    tags = HeadTags(family="function", needs_tokens=True, needs_concepts=True, learns="texts")
    assert unfit_by_tags(tags, GIVEN) == ""
    varying = replace(GIVEN, tokens={"image": TokenShape(count=0, width=2, varying=True)})
    assert unfit_by_tags(replace(tags, varying_tokens=True), varying) == ""
