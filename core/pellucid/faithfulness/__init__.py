"""Whether an explanation is true of the model: measures that know models and explanations as functions only."""

from pellucid.faithfulness.complexity import effective_number, entropy, gini
from pellucid.faithfulness.leakage import concept_leakage, leakage_scores
from pellucid.faithfulness.perturbation import faithfulness_correlation, infidelity
from pellucid.faithfulness.randomisation import rank_correlation, reinitialised
from pellucid.faithfulness.removal import (
    comprehensiveness,
    curve_area,
    random_orders,
    removal_curve,
    strongest_first,
    sufficiency,
)
from pellucid.faithfulness.stability import local_lipschitz, max_sensitivity, relative_change

__all__ = [
    "comprehensiveness",
    "concept_leakage",
    "curve_area",
    "effective_number",
    "entropy",
    "faithfulness_correlation",
    "gini",
    "infidelity",
    "leakage_scores",
    "local_lipschitz",
    "max_sensitivity",
    "random_orders",
    "rank_correlation",
    "reinitialised",
    "relative_change",
    "removal_curve",
    "strongest_first",
    "sufficiency",
]
