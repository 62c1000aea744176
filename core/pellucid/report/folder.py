"""A run folder as the report reads it. Nothing is computed from data or models: the folder alone says it all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from pellucid.data.spec import DataSpec, Target
from pellucid.encoders.base import EncoderTags
from pellucid.errors import RunError
from pellucid.gathering.explained import ROWS
from pellucid.gathering.gallery import Gallery
from pellucid.gathering.lots import interpretable, with_cases
from pellucid.heads.base import HeadTags
from pellucid.protocols.base import Context
from pellucid.result import NotMeasured, Result
from pellucid.run import DOCUMENT, read_document, verified

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("study", "dataset", "target", "parts", "results", "baseline_name")


@dataclass(frozen=True)
class RunFolder:
    """A run folder, read.

    Parameters
    ----------
    path : Path
    document : mapping
        ``run.json``.
    """

    path: Path
    document: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> RunFolder:
        """Open a run folder.

        Raises
        ------
        RunError
            If it is no run folder of this version, or ``run.json`` lacks something that a report needs; names it.
        """
        file = Path(path) / DOCUMENT
        document = read_document(Path(path))
        missing = [key for key in NEEDED if key not in document]
        if missing:
            raise RunError(
                f"{file} lacks {', '.join(map(repr, missing))}: the run has not come to its results; run the study again"
            )
        return cls(Path(path), document)

    @cached_property
    def spec(self) -> DataSpec:
        """What the data is."""
        return DataSpec.model_validate(self.document["dataset"]["spec"])

    @cached_property
    def target_name(self) -> str:
        """What was predicted, as the study names it."""
        return str(self.document["study"]["target"])

    @cached_property
    def target(self) -> Any:
        """What was predicted; None where the study has no target."""
        return TypeAdapter(Target | None).validate_python(self.document["target"])

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """All scores."""
        return tuple(Result.from_json(one) for one in self.document["results"])

    @cached_property
    def not_measured(self) -> tuple[NotMeasured, ...]:
        """What could not be measured on these data; folders of earlier versions do not say."""
        return tuple(NotMeasured.from_json(one) for one in self.document.get("not_measured", ()))

    @cached_property
    def tags(self) -> dict[str, HeadTags]:
        """What each model's head is, in the study's order."""
        return {part: HeadTags.of_json(facts["tags"]) for part, facts in self.document["parts"].items()}

    @property
    def interpretable(self) -> tuple[str, ...]:
        """Names of the interpretable models that predict, in the study's order; the first one speaks for the study."""
        return tuple(part for part, tags in self.tags.items() if tags.predicts and interpretable(tags))

    @cached_property
    def learnt_codes(self) -> dict[str, float]:
        """Share of the units in each model's explanations that an encoder has learnt: they add up, but nobody named them."""
        units = self.explanations[["part", "unit", "comparable"]].drop_duplicates()
        return {str(part): 1 - float(some["comparable"].astype(bool).mean()) for part, some in units.groupby("part")}

    @cached_property
    def units(self) -> dict[str, str]:
        """Physical units of explained units, by their names, where an encoder says them of all its own."""
        written = self.document.get("units") or {}
        names = self.explanations["unit"].unique() if written else ()
        prefixes = {name: str(name).partition(":")[0] for name in names}
        return {name: written[prefix] for name, prefix in prefixes.items() if prefix in written}

    @property
    def shown(self) -> tuple[str, ...]:
        """Names of the models whose cases are shown: the interpretable ones, or the first where there is none."""
        return with_cases(self.context.predictors)

    @property
    def black_box(self) -> str | None:
        """Name of the model to compare with."""
        return self.document.get("black_box")

    @property
    def context(self) -> Context:
        """What assessments ask for."""
        seed = int(self.document.get("seed") or 0)
        written, reads = self.document.get("encoders"), self.document.get("reads")
        encoders = None if written is None else {prefix: _encoder(tags) for prefix, tags in written.items()}
        return Context(
            self.spec, self.target_name, self.tags, self.document["baseline_name"], seed, encoders,
            None if reads is None else tuple(reads),
        )  # fmt: skip

    @cached_property
    def explanations(self) -> pd.DataFrame:
        """``explanations.parquet``; empty where there is none."""
        import pandas as pd

        file = self.path / "explanations.parquet"
        if not file.is_file() and file.name not in self.document.get("files_sha256", {}):
            return pd.DataFrame(columns=list(ROWS))
        return pd.read_parquet(verified(self.path, self.document, file.name))

    @cached_property
    def gallery(self) -> Gallery:
        """Cases and pictures; empty where there are none."""
        for name in self.document.get("files_sha256", {}):
            if name.startswith("gallery."):
                verified(self.path, self.document, name)
        return Gallery.load(self.path)

    def rows(self) -> dict[str, pd.DataFrame]:
        """Rows of each assessment, by protocol."""
        import pandas as pd

        files = sorted((self.path / "rows").glob("*.parquet"))
        return {f.stem: pd.read_parquet(verified(self.path, self.document, f"rows/{f.name}")) for f in files}


def _encoder(tags: Mapping[str, Any]) -> EncoderTags:
    return EncoderTags(**{**tags, "accepts": tuple(tags["accepts"])})
