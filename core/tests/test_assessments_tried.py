"""Every assessment of the core is tried by its contract: none is left out as planted data do not fit it."""

from __future__ import annotations

from unittest import SkipTest

import pytest

from pellucid import plugins
from pellucid.protocols.base import Assessment
from pellucid.testing.protocols import _assessed

ASSESSMENTS = [
    one
    for one in plugins.components("protocol").values()
    if one.plugin == "core" and issubclass(plugins.load("protocol", one.qualified), Assessment)
]


@pytest.mark.parametrize("component", ASSESSMENTS, ids=str)
def test_there_is_a_fold_to_try_it_on(component):
    try:
        protocol, fold, context = _assessed(component)
    except SkipTest as why:
        pytest.fail(f"{component} is not tried: {why}; give it a class method example_fold()")
    assert protocol.unfit(context) == ""
    assert len(fold.split.test)
