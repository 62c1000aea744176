"""What can be predicted, and the rules that follow from the kind."""

from typing import Annotated

from pydantic import Field

from pellucid.data.targets.classes import Binary, MultiClass, Ordinal
from pellucid.data.targets.labels import Links, MultiLabel, explained_label
from pellucid.data.targets.numbers import Regression

__all__ = ["Binary", "Links", "MultiClass", "MultiLabel", "Ordinal", "Regression", "Target", "explained_label"]

Target = Annotated[Binary | MultiClass | MultiLabel | Ordinal | Regression | Links, Field(discriminator="kind")]
