"""The assessment ``policy-learning``: a policy learnt in a model's equations, and the honest count of true steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.errors import NotMeasurable
from pellucid.heads.base import Head
from pellucid.heads.equations.sindy_ensemble import SindyEnsemble
from pellucid.part import Config
from pellucid.protocols.base import Assessment, Context, FittedFold, joined
from pellucid.protocols.said import MetricWords, Section
from pellucid.result import NotMeasured, Result
from pellucid.statistics.bootstrap import REPLICATES
from pellucid_robotics.rl.distil import DistilSettings
from pellucid_robotics.rl.learner import LearnerSettings
from pellucid_robotics.rl.model_free import ModelFreeSettings
from pellucid_robotics.rl.policy_trial import library_under, tried
from pellucid_robotics.rl.surrogate import SparseSettings
from pellucid_robotics.rl.tasks import HasEnvironment

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


NAME = "policy-learning"


class PolicyLearningConfig(Config):
    """Settings of :class:`PolicyLearning`.

    Parameters
    ----------
    rounds, iterations, on_policy, noise, anywhere
        Of the loop; see :class:`~pellucid_robotics.rl.dyna.DynaSettings`.
    reward : SparseSettings
        How the equation of the reward is found; that of the next state is found as the study's head finds it.
    learner : LearnerSettings
        Of the policy, with and without a model.
    model_free : ModelFreeSettings
        How long the learner without a model may learn.
    distil : DistilSettings
        How the policy is written as a polynomial.
    taught : int
        True episodes of the policy from which it is written, told apart from what was learnt in; 0 for episodes in the equations, which
        cost no true step.
    reached : float
        What counts as learnt: this share of what the same learner reaches in the true equations, or where nobody knows these, of what the
        policy at the end reaches. Of a return below 0 see :func:`~pellucid_robotics.rl.transitions.target_of`.
    ahead : int
        Steps after which errors of the equations are told.
    replicates : int
        Resamplings of episodes behind each interval.
    """

    rounds: int = Field(default=3, ge=1)
    iterations: int = Field(default=10, ge=1)
    on_policy: int = Field(default=200, ge=0)
    noise: float = Field(default=0.2, ge=0)
    anywhere: float = Field(default=0.5, ge=0, le=1)
    reward: SparseSettings = SparseSettings(degree=2)
    learner: LearnerSettings = LearnerSettings()
    model_free: ModelFreeSettings = ModelFreeSettings()
    distil: DistilSettings = DistilSettings()
    taught: int = Field(default=0, ge=0)
    reached: float = Field(default=0.8, gt=0, le=1)
    ahead: int = Field(default=20, ge=1)
    replicates: int = Field(default=REPLICATES, ge=100)


class PolicyLearning(Assessment):
    """A policy learnt in sparse equations that stand for an environment, judged in the true one from seeds that nothing was learnt from.

    The equations are fitted as the study's head fits them (its library, threshold, ridge, members), to the steps of the training and
    validation episodes, and again after each round to steps of the policy too. Every true step is counted.

    - ``return``: sum of rewards of an episode from the seed of each test episode; beside actions at random (each held for eight steps, as
      where steps are gathered), and the same learner without a model after the same number of true steps.
    - ``share_of_known``: the same as a share of what the learner reaches in the true equations, where these are known and that is above 0.
    - ``true_steps_to_target``, ``saving``: true steps until the mean return reaches the target, and how many times more the learner without
      a model needs. Looks are rounds of one and every so many steps of the other. Who never gets there counts with the steps it had.
    - ``distilled_return``, ``distilled_terms``: the policy as a sparse polynomial, and its terms beside the network's numbers.
    - ``error_after_<n>``: root mean square error of the equations on test episodes, in standard deviations; beside the last state again.

    References
    ----------
    Zolman et al. (2025), SINDy-RL, Nature Communications. Deviations: those of :func:`~pellucid_robotics.rl.dyna.learn` and
    :func:`~pellucid_robotics.rl.distil.distil`; one run of each learner a fold, where the paper has twenty.
    """

    name: ClassVar[str] = NAME
    needs_training: ClassVar[bool] = True
    fits_models: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, MetricWords]] = {
        "return": MetricWords("Return", "sum of rewards of an episode in the true environment; higher is better"),
        "share_of_known": MetricWords("Share of what is possible", "of the return in the true equations; 1 is as good"),
        "true_steps_to_target": MetricWords(
            "True steps to the target", "of the environment, all counted; lower is better"
        ),
        "saving": MetricWords("Saving", "how many times more true steps the learner needs without equations"),
        "distilled_return": MetricWords("Return, written down", "of the policy as a polynomial; beside its network"),
        "distilled_terms": MetricWords("Terms, written down", "of that polynomial; beside the numbers of the network"),
    }
    section: ClassVar[Section | None] = Section(
        "policy",
        "What a policy learns in the equations, and what it takes",
        "Equations that stand for an environment are worth what a policy that was learnt in them does in the true one, and the true steps "
        "that they save.",
        order=13,
    )
    config_type = PolicyLearningConfig
    config: PolicyLearningConfig

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context]:
        """A pendulum of a few steps."""
        from pellucid.testing.folds import fitted
        from pellucid_robotics.rl.dataset import SwingUpConfig, SwingUpSteps

        study = {
            "encoder": [{"input": "state", "name": "polynomial-library", "linear_in": ["u"], "angles": [["cos", "sin"]]}],
            "head": [{"name": "sindy-ensemble", "threshold": 0.001, "members": 4, "bagging": "blocks"}],
            "training": {"epochs": 1},
        }  # fmt: skip
        return fitted(study, SwingUpSteps(SwingUpConfig(episodes=12, steps=30)), "next")

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """As little learning as shows that everything is connected."""
        return {
            "rounds": 2, "iterations": 1, "on_policy": 20, "taught": 2, "ahead": 5,
            "learner": {"width": 8, "episodes": 8, "rollout_steps": 16, "batch_size": 32, "epochs": 2},
            "model_free": {"limit": 256, "every": 128, "episodes": 2, "rollout_steps": 32, "batch_size": 32},
            "distil": {"degree": 2, "members": 4, "levels": [1e-3], "again": 0},
        }  # fmt: skip

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """The dataset must have an environment, and a head must say what comes next."""
        if dataset.ability(HasEnvironment) is None:  # type: ignore[type-abstract]
            return f"dataset {dataset.spec.name!r} has no environment to learn in (swingup has)"
        if not any(isinstance(head, SindyEnsemble) for head in heads.values()):
            return "none of its heads is a sindy-ensemble, whose equations could stand for the environment"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and test episode.

        Returns
        -------
        DataFrame
            Returns from the episode's seed: ``random``, ``policy``, ``free`` (without a model, after as many true steps), ``distilled``,
            ``known`` (NaN where nobody knows the true equations), ``round:<steps>`` and ``look:<steps>``. Mean squared errors: ``model``,
            ``still`` and ``mean``. Told once: ``learning``, with equations and counts.

        Raises
        ------
        NotMeasurable
            If no part has equations of the next state on products of the environment's numbers.
        """
        behind = fold.dataset.ability(HasEnvironment)  # type: ignore[type-abstract]
        tables = []
        for part, model in fold.predictors.items():
            samples = fold.test(part)
            if behind is not None and (library := library_under(model, behind)) is not None:
                tables.append(tried(fold, part, model.head, library, behind, samples, self.config))
        if not tables:
            raise NotMeasurable(
                "no model here says the next state of an environment by equations",
                "use the dataset swingup, the encoder polynomial-library and the head sindy-ensemble",
            )
        return joined(tables)

    def conclude(self, rows: pd.DataFrame, context: Context) -> Sequence[Result | NotMeasured]:
        """Returns, true steps, the policy written down, errors."""
        from pellucid_robotics.rl.policy_conclusions import PolicyConclusions

        return [
            one
            for part, own in context.own_rows(rows)
            for one in PolicyConclusions(own.reset_index(drop=True), part, context, self.config.replicates).results()
        ]

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """Return against true steps, and the equations with their ranges."""
        from pellucid_robotics.rl.policy_figures import drawn

        return drawn(rows, context)
