"""What protocols are asked about: models fitted on one fold, and the study that they are of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec
from pellucid.data.splits import Split
from pellucid.data.subset import Subset
from pellucid.errors import ContractError

if TYPE_CHECKING:
    import pandas as pd

    from pellucid.data.inputs import InputSpec
    from pellucid.encoders.base import EncoderTags
    from pellucid.heads.base import HeadTags
    from pellucid.model import Model
    from pellucid.protocols.baseline import TrivialBaseline
    from pellucid.protocols.usual import Usual
    from pellucid.training.settings import TrainingSettings


@dataclass(frozen=True)
class FittedFold:
    """Models fitted on the training subjects of one fold.

    Parameters
    ----------
    dataset : Dataset
        All labelled samples.
    target : str
        Empty where the study has none.
    split : Split
    models : mapping of str to Model
        By part name.
    baseline : TrivialBaseline, optional
        Fitted on the same training subjects; none where the study has no target.
    seed : int
        Seed for whatever an assessment draws.
    kept : Usual, optional
        What is usual among the training samples, where it was learnt before and these are not at hand.
    training : mapping of str to TrainingSettings
        With which settings ``"encoder <prefix>"`` and ``"head <part>"`` were trained, for assessments that fit models of
        their own (:func:`~pellucid.protocols.fit_again.fit_again`); empty where no training samples are at hand.
    """

    dataset: Dataset
    target: str
    split: Split
    models: Mapping[str, Model]
    baseline: TrivialBaseline | None
    seed: int
    kept: Usual | None = None
    training: Mapping[str, TrainingSettings] = field(default_factory=dict)

    @property
    def predictors(self) -> dict[str, Model]:
        """The models that predict the target."""
        return {part: model for part, model in self.models.items() if model.head.tags.predicts}

    @property
    def trivial(self) -> TrivialBaseline:
        """The trivial baseline.

        Raises
        ------
        ContractError
            Where the study has no target; an assessment that is about the target is never asked then.
        """
        if self.baseline is None:
            raise ContractError("a study without a target has no trivial baseline")
        return self.baseline

    @property
    def train(self) -> Subset:
        """The training samples, for an assessment with ``needs_training``.

        Raises
        ------
        ContractError
            Where they are not at hand, as where a finished run is judged on other data.
        """
        if not len(self.split.train):
            raise ContractError(
                f"fold {self.split.fold} has no training samples at hand: an assessment that looks at them says so "
                "(needs_training = True), and is not asked where there are none"
            )
        return self.dataset.subset(self.split.train)

    @property
    def validation(self) -> Subset:
        """The samples that training stopped by, and thresholds were chosen on."""
        return self.dataset.subset(self.split.validation)

    @cached_property
    def usual(self) -> Usual:
        """What is usual among the training samples, learnt once for all assessments."""
        from pellucid.protocols.usual import Usual

        return self.kept or Usual.of(self.predictors, self.train, self.target)

    def test(self, part: str) -> Subset:
        """The test samples, for scoring one part.

        Raises
        ------
        LeakageError
            If the part has learnt from any of their subjects.
        """
        samples = self.dataset.subset(self.split.test)
        learner = self.baseline if self.baseline is not None and part == self.baseline.name else self.models[part]
        seen = learner.learned_from | self.dataset.made_by
        if self.kept is not None:
            seen = seen | self.kept.learned_from
        seen.refuse(samples.learned_from, part=f"{part!r} of fold {self.split.fold}")
        return samples


@dataclass(frozen=True)
class Context:
    """What :meth:`~pellucid.protocols.base.Assessment.conclude` must know beside its rows.

    Parameters
    ----------
    spec : DataSpec
    target : str
        Empty where the study has none.
    parts : mapping of str to HeadTags
        Heads of the models, by part name, in the study's order.
    baseline_name : str
    seed : int
    encoders : mapping of str to EncoderTags, optional
        Encoders of the study, by prefix; None where a run of an earlier version does not say.
    reads : tuple of str, optional
        Inputs that these read; None where nobody said.
    """

    spec: DataSpec
    target: str
    parts: Mapping[str, HeadTags]
    baseline_name: str
    seed: int
    encoders: Mapping[str, EncoderTags] | None = None
    reads: tuple[str, ...] | None = None

    @property
    def inputs(self) -> dict[str, InputSpec]:
        """The inputs that the study's encoders read; all there are where nobody said."""
        return {name: one for name, one in self.spec.inputs.items() if self.reads is None or name in self.reads}

    @property
    def one(self) -> str:
        """What one member of the group is called over which intervals are: ``"subject"``, ``"scaffold"``."""
        return self.spec.group_word[0]

    @property
    def several(self) -> str:
        """The same of several."""
        return self.spec.group_word[1]

    @property
    def bars(self) -> str:
        """What bars and bands of a figure are, for its caption."""
        return f"95 % intervals over {self.several}"

    @property
    def predictors(self) -> dict[str, HeadTags]:
        """Heads of the models that predict the target."""
        return {part: tags for part, tags in self.parts.items() if tags.predicts}

    def own_rows(self, rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        """Each part with its own of an assessment's rows, in the study's order; parts without any are left out."""
        for part in self.parts:
            own = rows[rows["part"] == part]
            if len(own):
                yield part, own
