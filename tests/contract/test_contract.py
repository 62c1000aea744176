import pytest

import pellucid
from pellucid.testing.contract import contract_checks


@pytest.mark.parametrize(("component", "check"), list(contract_checks()), ids=str)
@pytest.mark.xdist_group("contract")
def test_component_keeps_its_contract(component, check):
    check(component)


def test_every_installed_component_is_checked():
    checked = {f"{component.kind}:{component.qualified}" for component, _ in contract_checks()}
    assert checked == set(pellucid.components())


def test_the_checks_of_a_home_are_those_that_are_named():
    import importlib

    from pellucid.plugins import installed

    for kind in installed().kinds.values():
        module = importlib.import_module(kind.home)
        there = {n.removeprefix(f"{kind.name}_") for n in vars(module) if n.startswith(f"{kind.name}_")}
        assert there == set(kind.checks)
