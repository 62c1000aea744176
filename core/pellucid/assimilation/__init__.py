"""States from observations with noise and a model that may be wrong: the ensemble Kalman filter, and what it corrects."""

from pellucid.assimilation.ensemble import Analysis, EnsembleKalman, Filtered, gaspari_cohn, normal_draws
from pellucid.assimilation.increments import Increments, increments

__all__ = [
    "Analysis",
    "EnsembleKalman",
    "Filtered",
    "Increments",
    "gaspari_cohn",
    "increments",
    "normal_draws",
]
