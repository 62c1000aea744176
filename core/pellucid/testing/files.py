"""What every study and every card keeps."""

from __future__ import annotations

from unittest import SkipTest

from pellucid import plugins
from pellucid.plugins import Component
from pellucid.testing.instances import need, opened


def study_is_valid_and_its_parts_fit(component: Component) -> None:
    """Every key is known, every component is installed, and encoders, heads and protocols fit the data."""
    from pellucid.assembly import build_protocols, check_columns, check_fit, context_of
    from pellucid.opening import dataset
    from pellucid.studies import study

    asked = study(plugins.resource(component.target))
    need(bool(asked.title), component, "has no title")
    _, assessments = build_protocols(asked)
    data = opened(plugins.find("dataset", asked.dataset))
    if asked.target and asked.target not in data.spec.targets:
        # The study's own options of the dataset ask for another target than the default ones do.
        data = dataset(asked.dataset, **asked.options.get(asked.dataset, {}))
    data = data.keeping_apart(asked.apart)
    data = data.labelled(asked.target) if asked.target else data
    check_columns(asked, data)
    check_fit(asked, data.spec, assessments, context_of(asked, data.spec), data)


def card_is_complete_and_agrees_with_its_dataset(component: Component) -> None:
    """It is valid, and names people as the dataset's spec does."""
    from pellucid.cards import read_card

    card = read_card(plugins.resource(component.target))
    need(card.name == component.name, component, f"is about {card.name!r}")
    datasets = [c for c in plugins.components("dataset").values() if c.name == component.name]
    if not datasets:
        raise SkipTest(f"no installed plugin reads {component.name!r}")
    for dataset in datasets:
        spec = opened(dataset).spec
        need(
            spec.namespace == card.namespace,
            component,
            f"names people of {card.namespace!r}, {dataset} those of {spec.namespace!r}",
        )
