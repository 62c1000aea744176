"""A planted control: the study again on noise, where nothing can be learnt from what the inputs hold."""

from pellucid.protocols.noise.control import NoiseControl
from pellucid.protocols.noise.copy import Marginals, NoiseCopy

__all__ = ["Marginals", "NoiseControl", "NoiseCopy"]
