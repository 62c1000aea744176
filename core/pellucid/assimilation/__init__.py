"""States from observations with noise and a model that may be wrong: the ensemble Kalman filter, and what it corrects."""

from pellucid.assimilation.ensemble import Analysis, EnsembleKalman, Followed, drawn, gaspari_cohn
from pellucid.assimilation.increments import Increments, increments

__all__ = [
    "Analysis",
    "EnsembleKalman",
    "Followed",
    "Increments",
    "drawn",
    "gaspari_cohn",
    "increments",
]
