"""ProtoECGNet: prototypes of rhythm, of morphology and of whole recordings, each for the labels seen that way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.errors import StudyError, nearest
from pellucid.heads.base import Stage
from pellucid.heads.prototypes.head import Prototypes, PrototypesConfig
from pellucid.heads.prototypes.sets import Pool, PrototypeSetConfig
from pellucid.moments import Moments
from pellucid.representation import Representation
from pellucid_ecg.encoders.protoecgnet import Branch

BRANCHES: tuple[Branch, ...] = ("rhythm", "morphology", "global")

RHYTHM = ("1AVB", "IVCD", "3AVB", "2AVB", "SR", "AFIB", "STACH", "SARRH", "SBRAD", "PACE", "SVARR", "BIGU", "AFLT", "SVTAC",
          "PSVT", "TRIGU")  # fmt: skip
"""SCP statements that are recognised by their rhythm, as the paper groups them."""

GLOBAL = ("DIG", "NORM", "EL")
"""SCP statements that are recognised by the whole recording; all others are by the form of their waves."""


class ProtoEcgNetHeadConfig(PrototypesConfig):
    """Settings of :class:`ProtoEcgNetHead`, beside those of :class:`~pellucid.heads.prototypes.head.PrototypesConfig`.

    Parameters
    ----------
    rhythm_labels, global_labels : tuple of str, optional
        Labels that have prototypes of rhythm and of whole recordings; by default those of the paper, as far as the target
        has them. All labels that are in neither have prototypes of morphology.
    rhythm_per_class, morphology_per_class, global_per_class : int
        Prototypes of each label.
    morphology_window : int
        Neighbouring cells that a prototype of morphology is compared with; three are about a heart beat.
    morphology_pool, morphology_top : {"max", "mean", "topk"}, int
        How a recording's windows make one similarity: by default the mean over the ten best, about one a heart beat in ten
        seconds, so that a single odd beat does not speak for all.
    everywhere : bool
        Whether every label has prototypes of every kind.
    joint : float
        Length of the stage in which prototypes and networks learn together, as a share of the head's epochs; 0: prototypes
        stay where the warm-up placed them until they are projected.
    warm_up, addon_width, l1, pull
        As there. With an add-on the prototypes lie behind a sigmoid, as published; without one they are compared with the
        networks' own units, which learn sooner. The penalties keep the many weights of few recordings near where they begin.
    """

    rhythm_labels: tuple[str, ...] | None = None
    global_labels: tuple[str, ...] | None = None
    rhythm_per_class: int = Field(5, gt=0, le=1000)
    morphology_per_class: int = Field(18, gt=0, le=1000)
    global_per_class: int = Field(7, gt=0, le=1000)
    morphology_window: int = Field(3, gt=0)
    morphology_pool: Pool = "topk"
    morphology_top: int = Field(10, gt=0)
    everywhere: bool = False
    joint: float = Field(1.0, ge=0)
    warm_up: float = Field(1.0, ge=0)
    addon_width: int = Field(0, ge=0)
    l1: float = Field(1e-3, ge=0)
    pull: float = Field(0.03, ge=0)


class ProtoEcgNetHead(Prototypes):
    """Prototypes in three sets, each of which is compared with the tokens of its own branch.

    Prototypes of rhythm and of whole recordings are compared with all of a signal, those of morphology with a few
    neighbouring cells. Tokens are those that the encoder ``protoecgnet`` names after its branches; of another encoder, the one
    set of tokens that it has serves all of them.

    References
    ----------
    Sethi et al. (2025), ProtoECGNet, PMLR 298: grouping of labels, 5, 18 and 7 prototypes a label, three cells a window.
    Deviations: those of :class:`~pellucid.heads.prototypes.head.Prototypes`; units are levelled after the warm-up, as cosines of
    what comes out of a ReLU hardly differ; no sigmoid before them by default; the mean over the ten best windows, where the
    released code has the mean over all and the text the best; one last layer where the paper has one a branch and then one over
    all.

    Why these are the defaults, as areas under the curve of validation recordings, mean of three random splits, 923 recordings of
    a PTB-XL selection to learn from. On one network that had learnt with a linear layer (0.902), with ``pull = 0.003``: 0.860 with
    units as they are and the best window, 0.875 levelled, 0.889 with the ten best. On the encoder ``protoecgnet`` with
    ``shared = true`` and ``everywhere = true``: 0.884 with ``pull = 0.001`` and 0.897 with 0.03, where the paper's grouping of
    superclasses gave 0.880 and the plain linear layer of the warm-up 0.905. On better networks (BatchNorm, averaged weights) ``l1 =
    1e-2`` and ``pull = 3e-3``, as the study ``ecg-superclass`` has them, lose nothing (0.905 beside 0.904), and a decision rests on
    10 prototypes rather than on 54.
    """

    config_type = ProtoEcgNetHeadConfig
    config: ProtoEcgNetHeadConfig

    def __init__(self, config: ProtoEcgNetHeadConfig) -> None:
        super().__init__(config if config.sets else config.model_copy(update={"sets": sets_of(config)}))
        self.addon = nn.ModuleList(
            nn.Sequential(Levelled(prototype_set.shape.width), own)
            for prototype_set, own in zip(self.sets, self.addon, strict=True)
        )

    def stages(self) -> tuple[Stage, ...]:
        """Warm-up, levelling, joint and projection, refit."""
        stages: list[Stage] = []
        for stage in super().stages():
            if stage.name == "warm-up":
                # Two passes over the training samples: places are looked for in units as they are compared.
                stages += [replace(stage, finish=self.level), Stage(name="placing", finish=stage.finish)]
            elif stage.name == "joint" and not self.config.joint:
                stages.append(Stage(name="projection", finish=stage.finish))
            elif stage.name == "joint":
                stages.append(replace(stage, share=self.config.joint))
            else:
                stages.append(stage)
        return tuple(stages)

    @torch.no_grad()
    def level(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn the mean and the deviation of each unit over all tokens of the training samples."""
        moments = [Moments() for _ in self.sets]
        for z, _ in parts:
            for at, of_set in enumerate(moments):
                of_set.add(self.tokens(z, at).flatten(0, 1))
        for of_set, addon in zip(moments, self.addon, strict=True):
            assert isinstance(addon, nn.Sequential)
            levelled = addon[0]
            assert isinstance(levelled, Levelled)
            levelled.mean.copy_(of_set.mean)
            levelled.scale.copy_(of_set.deviation)


class Levelled(nn.Module):
    """Units in standard deviations from their mean.

    Units that come out of a ReLU point much the same way in all cells: as they are, every cosine is near 1, and a few large
    units decide over it.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Shape (sample, token, width)."""
        return (tokens - self.mean) / self.scale


def sets_of(config: ProtoEcgNetHeadConfig) -> tuple[PrototypeSetConfig, ...]:
    """The sets that a target's labels make.

    Raises
    ------
    StudyError
        If a label named in the settings does not exist, or the tokens fit no branch.
    """
    labels = config.target.outputs
    rhythm = _named(config, "rhythm_labels", config.rhythm_labels, RHYTHM)
    whole = _named(config, "global_labels", config.global_labels, GLOBAL)
    if both := sorted(set(rhythm) & set(whole)):
        raise StudyError(
            f"head 'protoecgnet': {', '.join(both)} is named among rhythm_labels and global_labels; choose one"
        )
    rest = tuple(name for name in labels if name not in rhythm and name not in whole)
    tokens = _tokens_of(config)
    made = []
    for branch, own in zip(BRANCHES, (rhythm, rest, whole), strict=True):
        served = labels if config.everywhere and branch in tokens else own
        if not served:
            continue
        if branch not in tokens:
            raise StudyError(
                f"head 'protoecgnet': {', '.join(served)} need tokens of the branch {branch!r}, but the encoder hands on "
                f"{', '.join(tokens)}: name the branch among its branches, or group the labels otherwise"
            )
        name = tokens[branch]
        made.append(
            PrototypeSetConfig(
                tokens_name=name,
                outputs=served,
                per_class=getattr(config, f"{branch}_per_class"),
                window=min(config.morphology_window, config.tokens[name].count) if branch == "morphology" else 0,
                similarity="cosine" if branch == "rhythm" else config.similarity,
                pool=config.morphology_pool if branch == "morphology" else config.pool,
                top=config.morphology_top,
            )
        )
    return tuple(made)


def _named(
    config: ProtoEcgNetHeadConfig, option: str, asked: tuple[str, ...] | None, usual: tuple[str, ...]
) -> tuple[str, ...]:
    """Labels of a branch, in the order of the target."""
    labels = config.target.outputs
    for name in asked or ():
        if name not in labels:
            raise StudyError(
                f"head 'protoecgnet': {option} names {name!r}{nearest(name, labels)}; labels here: {', '.join(labels)}"
            )
    return tuple(name for name in labels if name in (usual if asked is None else asked))


def _tokens_of(config: ProtoEcgNetHeadConfig) -> dict[Branch, str]:
    """Which set of tokens each branch has: one named after it, else the only one there is."""
    own = {branch: name for name in config.tokens for branch in BRANCHES if name.rpartition(":")[2] == branch}
    if own:
        return own
    if len(config.tokens) != 1:
        raise StudyError(
            f"head 'protoecgnet' reads tokens named {', '.join(BRANCHES)} (encoder 'protoecgnet'), or one set for all; here "
            f"are {', '.join(config.tokens)}: say with reads which encoder it reads"
        )
    (only,) = config.tokens
    return dict.fromkeys(BRANCHES, only)
