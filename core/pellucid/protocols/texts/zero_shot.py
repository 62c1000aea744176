"""Labels that no head has learnt: a sample gets the label whose sentence is likest to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, Field
from torch import Tensor

from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec
from pellucid.errors import NotMeasurable, StudyError, nearest
from pellucid.heads.abilities import ByText, KnowsWords
from pellucid.heads.base import Head
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.base import Context, FittedFold, rows_of
from pellucid.protocols.texts.conditions import (
    NO_PROMPTS,
    NOISE,
    SIGNAL,
    TEXT,
    conditions_of,
    head_of,
    vectors,
)
from pellucid.protocols.texts.guessing import Guess, Guessing, scored
from pellucid.protocols.texts.ranks import EQUAL, cosines, placed
from pellucid.result import NotMeasured, Result

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("binary", "multiclass")
BASELINE = "majority class"

HELPS = 'name the targets to tell apart by options.zero-shot.targets, or choose a text model that knows it: kind = "pretrained"'


def _tells(template: str) -> str:
    if "{label}" not in template:
        raise ValueError(
            "a template says {label} where the name of a class belongs; without, all classes have one sentence"
        )
    return template


Template = Annotated[str, AfterValidator(_tells)]


class ZeroShotConfig(Config):
    """Settings of :class:`ZeroShot`.

    Parameters
    ----------
    targets : tuple of str
        Whose classes are told apart; all of one class each where none is named.
    template : str
        Sentence of a class; ``{target}`` and ``{label}`` stand for their names.
    templates : mapping of str to str
        Templates of single targets.
    top : tuple of int
        Among how many of the likest classes the true one must be; a target of as few classes is left out of it.
    """

    targets: tuple[str, ...] = ()
    template: Template = "{target} classification: It is {label}."
    templates: Mapping[str, Template] = Field(default_factory=dict)
    top: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 3), min_length=1)


class ZeroShot(Guessing):
    """How often the sentence of the true class is the likest to a sample, beside always naming the commonest class.

    ``top1:<target>`` is accuracy. The baseline names the commonest classes of those judged, chance is a draw by lot. The
    same is measured ``_on_noise`` (Gaussian noise in place of signals, prompts as they are), ``_without_prompts``, and ``_of_raw_text``:
    the true sentence itself in place of the signal, which is all that the labels' sentences can tell of a text. On noise a
    model may name one class always, and must not beat the commonest: if it does, ``noise_input_top1:<target>`` is not passed
    and the score says so. It happens where a prompt gives the class away.
    """

    name: ClassVar[str] = "zero-shot"
    config_type = ZeroShotConfig
    config: ZeroShotConfig

    def unfit(self, context: Context) -> str:
        """A target must have classes."""
        if not self._targets(context.spec):
            return "no target of its dataset has classes to tell apart"
        return super().unfit(context)

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """Every such head must learn to compare, and be able to know a word of each class."""
        if reason := super().unfit_for(dataset, heads, context):
            return reason
        targets = self._targets(dataset.spec)
        for part, head in heads.items():
            if not isinstance(head, ByText):
                continue
            strange = {target: _lacking(head, names, dataset) for target, names in targets.items()}
            # Of targets that nobody has named those that can be told apart are.
            if any(strange.values()) and (self.config.targets or all(strange.values())):
                target, words = next((target, words) for target, words in strange.items() if words)
                return (
                    f"the text model of head {part!r} can know no word of the class {_shown(words)} of “{target}”: the "
                    f"{head.text_name} of no sample has one. To mend it {HELPS}"
                )
        return ""

    def guessed(self, fold: FittedFold, part: str, model: Model) -> pd.DataFrame:
        """One row a target, labelled test sample and condition.

        Returns
        -------
        DataFrame
            ``target``, ``condition``, ``label`` (the true class), ``classes`` (how many), ``unknown`` (those of which the text
            model knows no word, empty where there are none), ``alike`` (those whose sentences are one
            to the text model, empty where there are none), ``above`` and ``ties`` (classes more like the sample than the true
            one, and equally).

        Raises
        ------
        NotMeasurable
            If no test sample has a label.
        """
        import pandas as pd

        samples, head = fold.test(part), head_of(model)
        said = {each: vectors(model, samples, each, fold.seed) for each in conditions_of(model)}
        said[TEXT] = head.embed_texts([some[0] for some in samples.text_values(head.text_name)])
        frames = []
        for target, names in self._targets(fold.dataset.spec).items():
            values = samples.target_values(target)[:, 0]
            known = np.flatnonzero(np.isfinite(values))
            if not len(known):
                continue
            labels = values[known].astype(np.int64)
            sentences = head.embed_texts([self._sentence(target, name) for name in names])
            alike, unknown = _alike(names, sentences), _shown(_lacking(head, names, fold.dataset))
            for condition, found in said.items():
                above, ties = placed(cosines(found[known], sentences), labels)
                columns = {"label": labels, "above": above, "ties": ties}
                frames.append(
                    rows_of(part, samples.subset(known), columns).assign(
                        target=target, condition=condition, classes=len(names), alike=alike, unknown=unknown
                    )
                )
        if not frames:
            named = ", ".join(self._targets(fold.dataset.spec))
            raise NotMeasurable(
                f"none of its {len(samples)} test samples has a label of {named}", "judge on samples with labels"
            )
        return pd.concat(frames, ignore_index=True)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result | NotMeasured]:
        """Scores by target, number of guesses and condition, and whether noise beats the commonest class."""
        results: list[Result | NotMeasured] = []
        for (part, target), mine in rows.groupby(["part", "target"], sort=False):
            if "unknown" in mine and (unknown := max(mine["unknown"])):
                because = f"its text model knows no word of the class {unknown} of “{target}”"
                results.append(
                    NotMeasured(
                        protocol=self.name, because=because, part=str(part), metric=f"top1:{target}", helps=HELPS
                    )
                )
                continue
            if alike := max(mine["alike"]):
                because = f"sentences of the classes {alike} of “{target}” are one to the text model, which does not know the words"
                helps = "name classes by words that its texts have, with the option templates"
                results.append(
                    NotMeasured(
                        protocol=self.name, because=because, part=str(part), metric=f"top1:{target}", helps=helps
                    )
                )
                continue
            for top in self.config.top:
                if top < int(mine["classes"].iloc[0]):
                    results += self._scored(str(part), str(target), mine, top, context)
        return results

    def _scored(self, part: str, target: str, mine: pd.DataFrame, top: int, context: Context) -> list[Result]:
        truth = mine[mine["condition"] == SIGNAL]["label"]
        classes = int(mine["classes"].iloc[0])
        chance, majority = top / classes, float(truth.value_counts(normalize=True).iloc[:top].sum())
        how = "likest" if top == 1 else f"among the {top} likest"

        def told(condition: str, value: float, count: int) -> str:
            shown = {
                SIGNAL: "", NOISE: "with noise in place of every signal ", NO_PROMPTS: "without prompts ",
                TEXT: "with the true sentence in place of the signal ",
            }[condition]  # fmt: skip
            return (
                f"Of {classes} classes of “{target}” the sentence of the true one is {how} {shown}in {value:.1%}; naming the "
                f"commonest always is right for {majority:.1%}, a draw by lot for {chance:.1%}"
            )

        guess = Guess(
            protocol=self.name,
            part=part,
            metric=f"top{top}{{}}:{target}",
            check=f"noise_input_top{top}:{target}",
            rank=top,
            chance=chance,
            baseline=majority,
            baseline_name=BASELINE,
            noise_at=majority,
            one_sided=True,
            told=told,
            fails=", a prompt perhaps, tells the classes apart",
        )
        return scored(mine, guess, context.seed)

    def _targets(self, spec: DataSpec) -> dict[str, tuple[str, ...]]:
        """Names of the classes of each target.

        Raises
        ------
        StudyError
            If the settings name a target that is none, or has no classes.
        """
        asked: dict[str, Any] = {name: spec.target(name) for name in self.config.targets or spec.targets}
        strange = [name for name, one in asked.items() if one.kind not in KINDS]
        if self.config.targets and strange:
            raise StudyError(
                f"protocol 'zero-shot': target {strange[0]!r} is {asked[strange[0]].kind}; a class for each sample is needed"
            )
        if unknown := [name for name in self.config.templates if name not in asked]:
            raise StudyError(
                f"protocol 'zero-shot': templates names {unknown[0]!r}, which is none of its targets"
                f"{nearest(unknown[0], list(asked))}; they are: {', '.join(asked)}"
            )
        return {name: tuple(one.names) for name, one in asked.items() if one.kind in KINDS}

    def _sentence(self, target: str, label: str) -> str:
        template = self.config.templates.get(target, self.config.template)
        return template.replace("{target}", target[:1].upper() + target[1:]).replace("{label}", label)


def _lacking(head: ByText, names: tuple[str, ...], dataset: Dataset) -> tuple[str, ...]:
    """Classes of whose names a text model knows no word."""
    if not isinstance(head, KnowsWords):
        return ()
    return tuple(name for name in names if head.lacking(name, dataset))


def _shown(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names))


def _alike(names: tuple[str, ...], sentences: Tensor) -> str:
    """Names of classes whose sentences have one vector, as those of words that a text model does not know."""
    same = cosines(sentences, sentences) > 1 - EQUAL
    return ", ".join(name for name, row in zip(names, same, strict=True) if row.sum() > 1)
