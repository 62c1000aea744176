import pytest

import pellucid
from pellucid.testing.contract import NAMES, contract_checks


@pytest.mark.parametrize(("component", "check"), list(contract_checks()), ids=str)
@pytest.mark.xdist_group("contract")
def test_component_keeps_its_contract(component, check):
    check(component)


def test_every_installed_component_is_checked():
    checked = {f"{component.kind}:{component.qualified}" for component, _ in contract_checks()}
    assert checked == set(pellucid.components())


def test_every_named_check_exists():
    import importlib

    from pellucid.testing.contract import HOMES

    for kind, names in NAMES.items():
        home = importlib.import_module(HOMES[kind])
        for name in names:
            assert callable(getattr(home, f"{kind}_{name}")), (kind, name)


def test_every_check_in_a_home_is_used():
    import importlib

    from pellucid.testing.contract import HOMES

    for kind, home in HOMES.items():
        module = importlib.import_module(home)
        there = {n.removeprefix(f"{kind}_") for n in vars(module) if n.startswith(f"{kind}_")}
        assert there == set(NAMES[kind])
