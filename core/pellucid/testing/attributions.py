"""What every post-hoc reference keeps: it leaves the model as it was, says the same twice, and scores each place once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pellucid import plugins
from pellucid.plugins import Component
from pellucid.testing.instances import need


def attribution_scores_every_place_once(component: Component) -> None:
    """One finite score a place, places all different, and the same again whatever was drawn before."""
    found: Any = plugins.load("attribution", component.qualified)
    model, batch = found.example()
    method = found(found.config_type())
    need(not method.unfit(model), component, f"does not fit its own example: {method.unfit(model)}")
    target = model.head.outputs[0]
    torch.manual_seed(0)
    once = method.places(model, batch, target=target)
    torch.manual_seed(1)
    again = method.places(model, batch, target=target)
    need(len(once) == len(batch), component, f"says something of {len(once)} samples out of {len(batch)}")
    for one, other in zip(once, again, strict=True):
        need(len(set(one.regions)) == len(one.regions) == len(one.scores), component, "does not score each place once")
        need(bool(np.isfinite(one.scores).all()), component, "gives NaN or infinity")
        need(bool(np.array_equal(one.scores, other.scores)), component, "says something else the second time")


def attribution_leaves_the_model_as_it_was(component: Component) -> None:
    """Weights, what they would learn from, modes and the state of chance are what they were before."""
    found: Any = plugins.load("attribution", component.qualified)
    model, batch = found.example()
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    asked = [(one.requires_grad, one.grad is None) for one in model.parameters()]
    modules = [type(one) for one in model.modules()]
    state = torch.random.get_rng_state()
    found(found.config_type()).places(model, batch, target=model.head.outputs[0])
    need(torch.equal(state, torch.random.get_rng_state()), component, "draws from chance that others draw from")
    after = model.state_dict()
    need(
        after.keys() == before.keys() and all(torch.equal(after[name], value) for name, value in before.items()),
        component,
        "changes the model",
    )
    need([type(one) for one in model.modules()] == modules, component, "leaves something in the model")
    need(asked == [(o.requires_grad, o.grad is None) for o in model.parameters()], component, "leaves gradients behind")
    need(model.training, component, "leaves the model in another mode")
