"""Which frozen text model a head learns to speak to: random tables, a small T5 of the data's own words, or a published one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pellucid.data.frozen import Frozen


class TextSettings(Frozen):
    """What all text models have.

    Parameters
    ----------
    prefix : str
        Words put before every text that is read.
    length : int
        Tokens of a text at most; what is longer is cut.
    """

    prefix: str = ""
    length: int = Field(default=32, ge=2)


class OwnWords(TextSettings):
    """A model that knows the words of the training side alone.

    Parameters
    ----------
    width : int
        Of the state of a token.
    vocabulary : int
        Words it can know, the commonest of the training side; three places are taken by signs of its own.
    seed : int
        Of its random weights.
    """

    width: int = Field(default=32, ge=1)
    vocabulary: int = Field(default=512, ge=4)
    seed: int = Field(default=0, ge=0)


class Tables(OwnWords):
    """A random vector for each word and each place: the plainest text encoder, and it writes nothing."""

    kind: Literal["tables"] = "tables"


class SmallT5(OwnWords):
    """A T5 with random weights, which may be taught the texts of the training side before it is frozen.

    Parameters
    ----------
    taught : int
        Steps in which it learns to write a text that it reads, before anything is aligned with it; 0: none, and what it then
        writes makes no sense, whatever it is given.
    layers : int
        Of its encoder, and of its decoder.
    heads : int
        Of attention; a divisor of ``width``.
    beams : int
        Kept while it writes.
    """

    kind: Literal["t5"] = "t5"
    taught: int = Field(default=0, ge=0)
    layers: int = Field(default=1, ge=1)
    heads: int = Field(default=4, ge=1)
    beams: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _heads_divide(self) -> SmallT5:
        if self.width % self.heads:
            raise ValueError(f"width = {self.width} is not divisible by heads = {self.heads}")
        return self


class Pretrained(TextSettings):
    """A published encoder-decoder in the Hugging Face layout: a folder, or a name that its library finds.

    Weights must be safetensors; code that comes with a model is never run.

    Parameters
    ----------
    name : str
        A folder, or a name (``"google/flan-t5-large"``), which is downloaded where it is not there yet; what was downloaded
        before is read without asking.
    revision : str
        Of a name: a tag or a commit.
    precision : {"bf16", "fp32"}
        Of its weights.
    beams : int
        Kept while it writes.
    """

    kind: Literal["pretrained"] = "pretrained"
    name: str
    revision: str = "main"
    prefix: str = "To English: "
    length: int = Field(default=64, ge=2)
    precision: Literal["bf16", "fp32"] = "bf16"
    beams: int = Field(default=2, ge=1)


TextModelSettings = Annotated[Tables | SmallT5 | Pretrained, Field(discriminator="kind")]
