"""What the layers of a trained model say: collected by a hook, kept with the sample and the position that each row is of."""

from pellucid.activations.collecting import Activations, collect
from pellucid.activations.layers import ACTIVATIONS

__all__ = ["ACTIVATIONS", "Activations", "collect"]
