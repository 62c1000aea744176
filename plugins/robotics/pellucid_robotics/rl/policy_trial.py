"""One policy learnt in a part's equations and tried in the true environment, beside the learner without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.encoders.polynomials import PolynomialLibrary
from pellucid.heads.equations.sindy_ensemble import SindyEnsemble
from pellucid.monomials import Monomials
from pellucid.protocols.audited import told_once
from pellucid.protocols.base import FittedFold, rows_of
from pellucid.seeds import seed_of
from pellucid_robotics.rl.distil import distil, visited, visited_in_model
from pellucid_robotics.rl.dyna import SEEDS, DynaSettings, Learnt, Round, learn, learn_in_model
from pellucid_robotics.rl.model_free import learn_without_model
from pellucid_robotics.rl.surrogate import SparseSettings, SurrogateSettings
from pellucid_robotics.rl.tasks import Floats, HasEnvironment
from pellucid_robotics.rl.transitions import Gathered, Policy, Transitions, returns, target_of

if TYPE_CHECKING:
    import pandas as pd

    from pellucid.model import Model
    from pellucid_robotics.rl.policy_learning import PolicyLearningConfig


def library_under(model: Model, behind: HasEnvironment) -> Monomials | None:
    """The products that a model's equations are made of; None where they do not say what follows in the environment."""
    encoders = [encoder for _, encoder in model.named_encoders()]
    if (
        len(encoders) != 1
        or not isinstance(encoders[0], PolynomialLibrary)
        or not isinstance(model.head, SindyEnsemble)
    ):
        return None
    terms = encoders[0].terms
    return (
        terms if terms.variables == behind.task.names and len(model.head.outputs) == len(behind.task.states) else None
    )


def tried(
    fold: FittedFold, part: str, head: Any, library: Monomials, behind: HasEnvironment, samples: Any, config: PolicyLearningConfig
) -> pd.DataFrame:  # fmt: skip
    """Learn a policy as a part's head finds equations, and try it from the seed of each test episode.

    Parameters
    ----------
    fold : FittedFold
    part : str
    head : SindyEnsemble
    library : Monomials
        Of :func:`library_under`.
    behind : HasEnvironment
    samples : Dataset
        The test side of the part.
    config : PolicyLearningConfig

    Returns
    -------
    DataFrame
        See :meth:`~pellucid_robotics.rl.policy_learning.PolicyLearning.examine`.
    """
    task, make = behind.task, behind.environment
    seed = seed_of(fold.seed, part, fold.split.fold) % 2**31
    first = np.flatnonzero(~samples.frame[samples.spec.groups[0]].duplicated().to_numpy())
    episodes = samples.subjects[first]
    seeds = [behind.seed_of_episode(one) for one in episodes]
    # Nothing stops by the validation episodes here, and true steps are dear: all that nobody is judged on is learnt from.
    rows = np.sort(np.concatenate([fold.split.train, fold.split.validation]))
    begun: Transitions = behind.transitions_of(list(fold.dataset.frame.index[rows]))
    settings = DynaSettings(
        surrogate=SurrogateSettings(dynamics=sparse_settings(head), reward=config.reward), learner=config.learner, rounds=config.rounds,
        iterations=config.iterations, on_policy=config.on_policy, noise=config.noise, anywhere=config.anywhere,
    )  # fmt: skip
    columns: dict[str, Floats] = {"random": returns(make, task, None, seeds)}

    def looked(one: Round) -> bool:
        columns[f"round:{one.true_steps}"] = returns(make, task, one.policy, seeds)
        return False

    learnt = learn(make, task, Gathered(begun, len(begun)), settings, seed, looked, library)
    columns["policy"] = columns[f"round:{learnt.rounds[-1].true_steps}"]
    columns["known"] = np.full(len(seeds), np.nan)
    if (known := behind.true_model()) is not None:
        ideal = learn_in_model(known, task, begun, settings, config.rounds * config.iterations, seed)
        columns["known"] = returns(make, task, ideal, seeds)
    target = target_of(float((columns["policy"] if known is None else columns["known"]).mean()), config.reached)
    columns |= _without_model(behind, seeds, learnt, config, target, seed)
    if config.taught:
        taught = (4 * SEEDS + np.random.default_rng([seed, 8]).integers(SEEDS, size=config.taught)).tolist()
        states, whose = visited(make, task, learnt.policy, taught)
    else:
        states, whose = visited_in_model(learnt.fitted.surrogate, task, learnt.policy, learnt.begins)
    sparse = distil(task, learnt.policy, states, whose, config.distil, seed)
    columns["distilled"] = returns(make, task, sparse, seeds)
    columns |= _errors(learnt, behind.transitions_of(list(samples.frame.index)), episodes, config.ahead)
    facts = {
        "true_steps": learnt.rounds[-1].true_steps,
        "surrogate_steps": learnt.rounds[-1].surrogate_steps,
        "random_steps": len(begun),
        "taught_steps": len(states) if config.taught else 0,
        "target": target,
        "limit": config.model_free.limit,
        "ahead": config.ahead,
        "findings": list(learnt.findings),
        "terms": sparse.terms,
        "offered": len(sparse.library.names) * len(task.actions),
        "network": learnt.policy.size,
        "swept": [[one.threshold, one.alpha, one.error, one.terms] for one in sparse.swept],
        "equations": [_said(one) for one in (learnt.fitted.dynamics, learnt.fitted.reward, sparse.head)],
    }
    return told_once(rows_of(part, samples.subset(first), columns), {"learning": facts})


def sparse_settings(head: SindyEnsemble) -> SparseSettings:
    """How a study's head finds its equations."""
    of = head.config
    return SparseSettings(
        threshold=of.threshold, alpha=of.alpha, members=of.members, dropout=of.dropout, block=min(of.block, 20)
    )


def _without_model(
    behind: HasEnvironment, seeds: Sequence[int], learnt: Learnt, config: PolicyLearningConfig, target: float, seed: int
) -> dict[str, Floats]:
    """Returns at each look, until the target is reached; and after as many true steps as the equations took."""
    spent = learnt.rounds[-1].true_steps
    found: dict[str, Floats] = {}

    def looked(steps: int, policy: Policy) -> bool:
        found[f"look:{steps}"] = now = returns(behind.environment, behind.task, policy, seeds)
        if steps >= spent and "free" not in found:
            found["free"] = now
        return bool("free" in found and now.mean() >= target)

    at_least = config.model_free.model_copy(update={"limit": max(config.model_free.limit, spent)})
    learn_without_model(behind.environment, behind.task, at_least, config.learner, seed, looked, [spent])
    # Of a limit that whole roll-outs do not meet, the last look.
    found.setdefault("free", list(found.values())[-1])
    return found


def _errors(learnt: Learnt, test: Transitions, episodes: np.ndarray, ahead: int) -> dict[str, Floats]:
    """Mean squared errors after some steps, of each test episode, in variances of the test states."""
    surrogate = learnt.fitted.surrogate
    squares = surrogate.squares(test, ahead)[:, ahead - 1]
    begins = np.flatnonzero(np.isfinite(squares))
    scale = np.where((spread := test.following.std(0)) > 0, spread, 1.0)
    reached = test.following[begins + ahead - 1]
    still = np.square((test.states[begins] - reached) / scale).mean(1)
    mean = np.square((test.following.mean(0) - reached) / scale).mean(1)
    of = {"model": squares[begins], "still": still, "mean": mean}
    whose = test.episodes[begins]
    return {
        name: np.array([values[whose == one].mean() if (whose == one).any() else np.nan for one in episodes])
        for name, values in of.items()
    }


def _said(head: SindyEnsemble) -> dict[str, Any]:
    """Equations as text, and their coefficients with ranges, of terms that any member keeps."""
    arrays = {name: getattr(head, name).detach().cpu().numpy() for name in ("coefficients", "low", "high", "inclusion")}
    kept = (arrays["inclusion"] > 0).any(0)
    return {
        "outputs": list(head.outputs),
        "text": list(head.equations().values()),
        "terms": [name for name, one in zip(head.term_names, kept, strict=True) if one],
        "found": arrays["coefficients"][:, kept],
        **{name: arrays[name][:, kept] for name in ("low", "high", "inclusion")},
    }
