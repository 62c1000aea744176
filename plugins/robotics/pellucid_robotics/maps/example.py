"""A small fold to try the assessment of maps on."""

from __future__ import annotations

from functools import lru_cache

from pellucid.protocols.base import Context, FittedFold
from pellucid.testing.folds import fitted
from pellucid_robotics.maps.walks import NEXT, AliasedRoom, AliasedRoomConfig


@lru_cache(maxsize=1)
def mapped_fold() -> tuple[FittedFold, Context]:
    """Walks in a small room, and codes that have learnt a little."""
    data = AliasedRoom(AliasedRoomConfig(rows=2, columns=3, patch=(1, 1), walks=80, steps=30))
    study = {
        "encoder": [{"input": "walk", "name": "vq-bottleneck", "codes": 16, "width": 16, "depth": 1, "heads": 2, "restart_share": 0.01}],
        "head": [{"name": "linear"}],
        "training": {"epochs": 6, "batch_size": 8, "learning_rate": 0.01},
    }  # fmt: skip
    return fitted(study, data, NEXT)
