"""Whether chunks that a policy says can be those of a body, and how far off each slot is, in its unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.errors import ContractError, NotMeasurable
from pellucid.heads.base import Head
from pellucid.model import batches
from pellucid.part import Config
from pellucid.protocols.audited import AuditedRows
from pellucid.protocols.base import Assessment, Context, FittedFold, joined, rows_of
from pellucid.protocols.dealing import others
from pellucid.protocols.said import MetricWords, Section
from pellucid.result import NotMeasured, Result
from pellucid.statistics.bootstrap import REPLICATES, Statistic
from pellucid_robotics.actions.chunks import KnowsBodies, body_of, chunk_places, in_slots
from pellucid_robotics.actions.physics import (
    Body,
    beyond_limits,
    kinematic_residual,
    rotation_residual,
    velocity_residual,
)
from pellucid_robotics.actions.slots import NAMES, SLOTS, velocity_of

if TYPE_CHECKING:
    import pandas as pd

NAME = "physical-consistency"
THEMSELVES = "the demonstrations themselves"
Floats = npt.NDArray[np.float64]

UNITS: Mapping[str, str] = {
    "velocity_residual_rad_s": "rad/s",
    "velocity_residual_m_s": "m/s",
    "velocity_residual_1_s": "1/s",
    "kinematic_residual_m": "m",
    "rotation_residual": "",
    "beyond_limits_rad": "rad",
}


class PhysicalConsistencyConfig(Config):
    """Settings of :class:`PhysicalConsistency`.

    Parameters
    ----------
    replicates : int
        Resamplings of episodes behind each interval.
    """

    replicates: int = Field(REPLICATES, ge=100)


class PhysicalConsistency(Assessment):
    """Whether predicted chunks agree with themselves and with the body: velocities with positions, joints with where the end is.

    Each figure is a root mean square over steps and slots, in the unit of its name, with an interval over episodes. Which there are depends
    on the slots that the target has: ``velocity_residual`` (velocity less the central difference of its position), ``kinematic_residual``
    (distance from where the joints put the end to where it is said to be; arms in a plane), ``rotation_residual`` (six numbers less two
    orthonormal columns) and ``beyond_limits``. Chance is the same chunk with its positions shuffled in time, which leaves limits as they
    are; the baseline is what the recorded chunks themselves have, so that a policy need not be better than they are.

    ``error_of_<slot>`` is the root mean square error of a slot in its unit; chance is the chunk said of another test sample, the baseline
    the trivial one's. A slot that a robot does not have is not judged.
    """

    name: ClassVar[str] = NAME
    metrics: ClassVar[Mapping[str, MetricWords]] = {
        "velocity_residual_rad_s": MetricWords("Velocities beside differences of angles", "rad/s; lower is better"),
        "velocity_residual_m_s": MetricWords("Velocities beside differences of positions", "m/s; lower is better"),
        "velocity_residual_1_s": MetricWords("Velocities of grippers beside differences", "1/s; lower is better"),
        "kinematic_residual_m": MetricWords(
            "Where joints put the end, and where it is said to be", "m; lower is better"
        ),
        "rotation_residual": MetricWords(
            "Rotations that are none", "distance from orthonormal columns; lower is better"
        ),
        "beyond_limits_rad": MetricWords("Joints beyond their limits", "rad; 0 is best"),
        **{
            f"error_of_{slot.name}": MetricWords(
                f"Error of {slot.name}", f"{slot.unit}; lower is better" if slot.unit != "1" else "lower is better"
            )
            for slot in SLOTS
            if not slot.reserved
        },
    }
    section = Section(
        "physics",
        "Whether a body could do it",
        "A chunk can be near the recorded one and still be none that a body can do. What of it must agree is held against each other here.",
        order=14,
    )
    config_type = PhysicalConsistencyConfig
    config: PhysicalConsistencyConfig

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context]:
        """Two heads on made-up arms."""
        from pellucid.testing.folds import fitted
        from pellucid_datasets.robots.reaching import ReachingConfig, ReachingSynthetic

        data = ReachingSynthetic(ReachingConfig(episodes=60, moments=2, chunk=4, slots="all"))
        study = {
            "encoder": [{"input": name, "name": "identity"} for name in ("state", "mask", "goal")],
            "head": [{"name": "linear"}, {"name": "neighbour-mean"}],
            "training": {"epochs": 3},
        }
        return fitted(study, data, "chunk")

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """The dataset must know bodies, and the target must be a chunk in slots."""
        if dataset.ability(KnowsBodies) is None:  # type: ignore[type-abstract]
            return f"dataset {dataset.spec.name!r} does not know whose motions its samples are"
        try:
            places = chunk_places(dataset.spec.target(context.target).outputs, f"target {context.target!r}")
        except ContractError as error:
            return str(error)
        if max(step for step, _ in places) < 2:
            return f"target {context.target!r} has fewer than three steps, of which no differences can be taken"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and test sample: mean squares of residuals, and squared errors of slots.

        Raises
        ------
        NotMeasurable
            If the dataset knows no bodies.
        """
        known = fold.dataset.ability(KnowsBodies)  # type: ignore[type-abstract]
        if known is None:
            raise NotMeasurable(f"dataset {fold.dataset.spec.name!r} knows no bodies", "use data that know them")
        bodies = [body_of(one) for one in known.bodies(np.asarray(fold.split.test))]
        places = chunk_places(fold.dataset.spec.target(fold.target).outputs, f"target {fold.target!r}")
        rng = np.random.default_rng(fold.seed)
        tables = []
        for part, model in fold.predictors.items():
            samples = fold.test(part)
            with torch.no_grad():
                parts = [model.eval()(batch).double().cpu().numpy() for batch, _ in batches(samples)]
            said = in_slots(np.concatenate(parts), places)
            truth = in_slots(samples.target_values(fold.target).astype(np.float64), places)
            mean = in_slots(fold.trivial.predict(samples).astype(np.float64), places)
            columns: dict[str, Floats] = {}
            for who, chunks in (("model", said), ("baseline", truth), ("chance", _shuffled(said, rng))):
                _fill(columns, who, [_residuals(one, *body) for one, body in zip(chunks, bodies, strict=True)])
            anothers = said[others(len(said), fold.seed)]
            for who, chunks in (("model", said), ("baseline", mean), ("chance", anothers)):
                missed = np.square(chunks - truth).mean(1)
                for at in sorted({slot for _, slot in places}):
                    there = np.array([mask[at] for _, mask in bodies])
                    columns[f"{who}:error_of_{NAMES[at]}"] = np.where(there, missed[:, at], np.nan)
            tables.append(rows_of(part, samples, columns))
        return joined(tables)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result | NotMeasured]:
        """Residuals, then errors."""
        return [
            one
            for part, own in context.own_rows(rows)
            for one in _Judged(own.reset_index(drop=True), part, context, self.config.replicates).results()
        ]


def _shuffled(chunks: Floats, rng: np.random.Generator) -> Floats:
    """Joints of each chunk in another order of steps, or all positions where there are no joints; velocities stay where they are."""
    moved = [at for at, slot in enumerate(SLOTS) if slot.group.endswith("arm joints") and chunks[..., at].any()]
    moved = moved or [at for at in range(len(SLOTS)) if velocity_of(at) is not None]
    found = chunks.copy()
    for one in found:
        one[:, moved] = one[rng.permutation(len(one))][:, moved]
    return found


def _residuals(values: Floats, body: Body, mask: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Mean squares of one chunk, shape (step, 128)."""
    found: dict[str, list[Floats]] = {}
    for name, off in velocity_residual(values, mask, body.dt_s).items():
        unit = {"rad": "rad_s", "m": "m_s"}.get(SLOTS[NAMES.index(name)].unit, "1_s")
        found.setdefault(f"velocity_residual_{unit}", []).append(off)
    if (apart := kinematic_residual(values, mask, body)) is not None:
        found["kinematic_residual_m"] = [apart]
    found["rotation_residual"] = list(rotation_residual(values, mask).values())
    found["beyond_limits_rad"] = list(beyond_limits(values, mask, body).values())
    return {name: float(np.mean(np.square(parts))) for name, parts in found.items() if parts}


def _fill(columns: dict[str, Floats], who: str, each: list[dict[str, float]]) -> None:
    for name in UNITS:
        if any(name in one for one in each):
            columns[f"{who}:{name}"] = np.array([one.get(name, np.nan) for one in each])


@dataclass(frozen=True)
class _Judged(AuditedRows):
    protocol: ClassVar[str] = NAME

    def results(self) -> Iterator[Result | NotMeasured]:
        """All of one part."""
        for column in self.rows.columns:
            who, _, metric = str(column).partition(":")
            if who != "model" or not self.has(str(column)):
                continue
            of_slot = metric.removeprefix("error_of_")
            unit = UNITS.get(metric, "") if of_slot == metric else SLOTS[NAMES.index(of_slot)].unit
            unit = "" if unit == "1" else unit
            found, others = self.interval(self._root(f"model:{metric}")), {}
            for other in ("chance", "baseline"):
                others[other] = self.value(self._root(f"{other}:{metric}"))
            name = THEMSELVES if of_slot == metric else self.context.baseline_name
            told = f"{found.value:.3g} {unit}".strip()
            yield self.result(
                metric, found, higher=False, chance=others["chance"], baseline=others["baseline"], baseline_name=name,
                sentence=f"{told}; {name}: {others['baseline']:.3g} {unit}".strip() + ".",
                known=np.isfinite(self.column(f"model:{metric}")),
            )  # fmt: skip

    def _root(self, column: str) -> Statistic:
        mean = self.mean_of(column)
        return lambda weights: np.sqrt(mean(weights))
