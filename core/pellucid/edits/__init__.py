"""Edits: change what a layer of a model says, look at what follows, and take the change back."""

from pellucid.edits.activations import Edit, Steer, applied
from pellucid.edits.features import Clamp, Remove
from pellucid.edits.record import record, recorded

__all__ = ["Clamp", "Edit", "Remove", "Steer", "applied", "record", "recorded"]
