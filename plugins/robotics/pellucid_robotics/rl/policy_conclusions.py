"""What a policy learnt in equations does and takes, with intervals over episodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from pellucid.protocols.audited import AuditedRows, told
from pellucid.result import NotMeasured, Result
from pellucid.statistics.bootstrap import Interval, Statistic, weighted_mean

FREE = "the learner without a model, after as many true steps"


@dataclass(frozen=True)
class PolicyConclusions(AuditedRows):
    """Results of one part from the rows of :class:`~pellucid_robotics.rl.policy_learning.PolicyLearning`."""

    protocol: ClassVar[str] = "policy-learning"

    @cached_property
    def facts(self) -> list[dict[str, Any]]:
        """What was told of each fold."""
        return told(self.rows, "learning")

    def results(self) -> Iterator[Result | NotMeasured]:
        """All of one part."""
        yield self._return()
        if self.has("known"):
            yield self._share()
        yield from self._steps()
        yield from self._distilled()
        yield self._error()

    def _told(self, name: str) -> float:
        return float(np.mean([one[name] for one in self.facts]))

    def _return(self) -> Result:
        first = self.facts[0]
        broke = f" {len(first['findings'])} episodes broke off: {first['findings'][0]}." if first["findings"] else ""
        said = "; ".join(text for one in first["equations"] for text in one["text"])
        return self.result(
            "return", self.interval(self.mean_of("policy")), higher=True, chance=self.value(self.mean_of("random")),
            baseline=self.value(self.mean_of("free")), baseline_name=FREE,
            sentence=(
                f"Learnt in {self._told('true_steps'):,.0f} true steps, {self._told('random_steps'):,.0f} of them random, and "
                f"{self._told('surrogate_steps'):,.0f} in the equations.{broke} In the first fold the equations of next state, reward and "
                f"policy are: {said}. An action beyond its limit is cut off."
            ),
        )  # fmt: skip

    def _share(self) -> Result | NotMeasured:
        if (best := self.value(self.mean_of("known"))) <= 0:
            return NotMeasured(
                protocol=self.protocol, part=self.part, metric="share_of_known",
                because=f"the same learner in the true equations has a return of {best:.4g}, which has no share",
                helps="add a constant to what each step pays",
            )  # fmt: skip

        def share(name: str) -> Statistic:
            over, under = self.mean_of(name), self.mean_of("known")
            return lambda weights: over(weights) / under(weights)

        return self.result(
            "share_of_known", self.interval(share("policy")), higher=True, chance=self.value(share("random")),
            baseline=self.value(share("free")), baseline_name=FREE,
            sentence=f"The same learner in the true equations has a return of {best:.4g}.",
        )  # fmt: skip

    def _curve(self, kind: str, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Steps of looks in one fold, increasing, and returns, shape (look, row)."""
        names = [str(name) for name in self.rows.columns if str(name).startswith(f"{kind}:")]
        inside = self.folds == fold
        names = sorted((name for name in names if np.isfinite(self.column(name)[inside]).any()), key=_steps_of)
        return np.array([_steps_of(name) for name in names]), np.stack([self.column(name) for name in names])

    def _until(self, kind: str) -> Statistic:
        """True steps until the mean return of a fold reaches its target, mean over folds; where it never does, all it had."""
        curves = [(*self._curve(kind, int(fold)), self.folds == fold) for fold in np.unique(self.folds)]

        def statistic(weights: np.ndarray) -> np.ndarray:
            each = []
            for (steps, values, inside), fact in zip(curves, self.facts, strict=True):
                means = np.stack([weighted_mean(one[inside], weights[..., inside]) for one in values])
                reached = means >= fact["target"]
                each.append(np.where(reached.any(0), steps[reached.argmax(0)], steps[-1]))
            return np.asarray(np.mean(each, 0))

        return statistic

    def _never(self, kind: str) -> bool:
        found = []
        for fold, fact in zip(np.unique(self.folds), self.facts, strict=True):
            _, values = self._curve(kind, int(fold))
            found.append(values[:, self.folds == fold].mean(1).max() < fact["target"])
        return any(found)

    def _steps(self) -> Iterator[Result | NotMeasured]:
        target = f"The target is a mean return of {self._told('target'):.4g}. "
        if self._never("round"):
            for metric in ("true_steps_to_target", "saving"):
                yield NotMeasured(
                    protocol=self.protocol, part=self.part, metric=metric,
                    because=f"the policy learnt in equations does not reach a return of {self._told('target'):.4g}",
                    helps="give it more rounds or iterations, or the equations more terms",
                )  # fmt: skip
            return
        equations, free = self._until("round"), self._until("look")
        base = self.value(free)
        late = "has not reached it after" if self._never("look") else "reaches it after"
        sentence = f"{target}The learner without a model {late} {base:,.0f} true steps."
        yield self.result(
            "true_steps_to_target", self.interval(equations), higher=False, chance=self._told("limit"), baseline=base,
            baseline_name="the learner without a model", sentence=sentence,
        )  # fmt: skip
        ratio = self.interval(lambda weights: free(weights) / equations(weights))
        more = "at least " if self._never("look") else ""
        yield self.result(
            "saving", ratio, higher=True, chance=1.0, baseline=1.0, baseline_name="the learner without a model",
            sentence=f"{sentence} That is {more}{ratio.value:.3g} times as many.",
        )  # fmt: skip

    def _distilled(self) -> Iterator[Result]:
        beside, written = self.value(self.mean_of("policy")), self.interval(self.mean_of("distilled"))
        kept = (
            f"keeps {written.value / beside:.0%} of its return"
            if beside > 0
            else f"has {written.value:.4g} where it has {beside:.4g}"
        )
        yield self.result(
            "distilled_return", written, higher=True, chance=self.value(self.mean_of("random")), baseline=beside,
            baseline_name="the network that it was written from",
            sentence=(
                f"As a polynomial of {self.counted_terms} terms the policy {kept}. It was "
                f"written {self._written_from}."
            ),
        )  # fmt: skip
        yield self.result(
            "distilled_terms", Interval.fixed(self._told("terms")), higher=False, chance=self._told("offered"),
            baseline=self._told("network"), baseline_name="numbers of the network",
        )  # fmt: skip

    @property
    def _written_from(self) -> str:
        if not (steps := self._told("taught_steps")):
            return "from states of episodes in the equations, which cost no true step"
        return f"from {steps:,.0f} more true steps, in which nothing else was learnt"

    @property
    def counted_terms(self) -> str:
        """Terms of the policy, in words."""
        found = sorted(int(one["terms"]) for one in self.facts)
        return f"{found[0]}" if found[0] == found[-1] else f"{found[0]} to {found[-1]}"

    def _error(self) -> Result | NotMeasured:
        ahead = int(self.facts[0]["ahead"])
        metric = f"error_after_{ahead}"
        if not self.has("model"):
            return NotMeasured(
                protocol=self.protocol, part=self.part, metric=metric, because=f"no test episode lasts {ahead} steps",
                helps="ask for fewer steps ahead, or longer episodes",
            )  # fmt: skip

        def root(name: str) -> Statistic:
            mean = self.mean_of(name)
            return lambda weights: np.sqrt(mean(weights))

        return self.result(
            metric, self.interval(root("model")), higher=False, chance=self.value(root("mean")), baseline=self.value(root("still")),
            baseline_name="the last state again",
        )  # fmt: skip


def _steps_of(name: str) -> int:
    return int(name.partition(":")[2])
