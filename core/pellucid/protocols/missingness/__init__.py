"""Inputs that some samples lack: whether a model learns from who lacks them, and what each input is worth."""

from pellucid.protocols.missingness.flip import Missingness
from pellucid.protocols.missingness.importance import ModalityImportance
from pellucid.protocols.missingness.imposed import WithMissing

__all__ = ["Missingness", "ModalityImportance", "WithMissing"]
