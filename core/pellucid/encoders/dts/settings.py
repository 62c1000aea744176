"""Settings of the sequence auto-encoder."""

from __future__ import annotations

from pydantic import Field, model_validator

from pellucid.encoders.base import EncoderConfig


class DtsConfig(EncoderConfig):
    """Settings of :class:`~pellucid.encoders.dts.encoder.Dts`.

    Parameters
    ----------
    latent : int
        Units, ``z0``, ``z1`` ...; with a domain group those of the class group, ``a0``, ``a1`` ...
    hidden : int
        Cells of each LSTM.
    frame : int
        Consecutive samples that an LSTM reads or says in one step. 1 is the paper's; a step costs about the same whatever
        the frame.
    alpha : float
        How far information between latent and signal is asked for: at 0 a nat costs a nat, whatever ``beta``; at 1 nothing;
        above 1 it is rewarded. ``alpha`` 0 and ``beta`` 1 make the plain auto-encoder.
    beta : float
        Weight of total correlation and of each unit's divergence from the prior. They are estimated from batches: with a
        large weight take large batches, as many as divide the training samples, or a last small one undoes the others.
    noise : float
        Standard deviation, in those of the channel, that the signal is taken to have about what is decoded. The larger, the
        less a likeness is worth against the divergence.
    warm_up : float
        Passes over the training samples in which the weights of all divergences rise from zero.
    domain_latent : int
        Units of the domain group, ``d0``, ``d1`` ...; 0: there is one group.
    classes : int
        Classes of the target, or its labels if it has several. With it the class group learns to tell them, from the
        training labels.
    domain : str
        The group column or the covariate that says which domain (device, site, subject) a sample comes from; the domain group
        learns to tell it. For a covariate the encoder must read the covariates too.
    domains : int
        How many domains there are among the training samples, at most.
    class_weight, domain_weight : float
        Weight of what each group is to tell.
    class_adversary, domain_adversary : float
        Weight of the adversaries that look for the class in the domain group, and for the domain in the class group. Of large
        groups take large batches: 256 for ten units.
    independence : float
        Weight of the information between the two groups.
    ramp : float
        Passes over the training samples in which the adversaries' weights rise.
    """

    latent: int = Field(default=10, gt=0)
    hidden: int = Field(default=128, gt=0)
    frame: int = Field(default=4, gt=0)
    alpha: float = Field(default=1.0, ge=0)
    beta: float = Field(default=5.0, ge=0)
    noise: float = Field(default=1.0, gt=0)
    warm_up: float = Field(default=10.0, ge=0)
    domain_latent: int = Field(default=0, ge=0)
    classes: int = Field(default=0, ge=0)
    domain: str = ""
    domains: int = Field(default=0, ge=0)
    class_weight: float = Field(default=1.0, ge=0)
    domain_weight: float = Field(default=1.0, ge=0)
    class_adversary: float = Field(default=0.5, ge=0)
    domain_adversary: float = Field(default=0.5, ge=0)
    independence: float = Field(default=1.0, ge=0)
    ramp: float = Field(default=50.0, gt=0)

    @model_validator(mode="after")
    def _groups_have_something_to_tell(self) -> DtsConfig:
        if bool(self.domain) != bool(self.domains) or self.domains == 1:
            raise ValueError("`domain` names the column, and `domains` (2 or more) says how many there are: give both")
        if self.classes == 1:
            raise ValueError("`classes` is 0, or 2 and more; a yes or no has two classes")
        if bool(self.domain_latent) != bool(self.classes or self.domains):
            raise ValueError("two groups of units need `domain_latent`, and `classes` or `domain` to tell them apart")
        return self
