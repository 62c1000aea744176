"""Collected rows as a dataset: they inherit the groups of their samples, and the record of whom their model has learnt from."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.activations.folder import Shards, check_digest, digest_of, read_document
from pellucid.activations.layers import ACTIVATIONS
from pellucid.activations.places import region_of
from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays
from pellucid.data.spec import DataSpec, Frozen, Vector
from pellucid.data.subjects import LearnedFrom
from pellucid.errors import DataError
from pellucid.fingerprint import origin
from pellucid.regions import Region

if TYPE_CHECKING:
    import pandas as pd

SIDE = "side"
"""Frame column that says on which side of its model's split a sample stood."""


class ActivationsConfig(Frozen):
    """Settings of :class:`ActivationsFolder`.

    Parameters
    ----------
    most : int, optional
        Read so many rows at most; the rows are shuffled, so that any are as good as others.
    """

    most: int | None = None


class ActivationsFolder(Dataset):
    """Activations of a layer of a finished run, as ``pellucid activations`` has collected them.

    Inputs are ``activations`` and, where it was asked for, ``untrained``: what the same layer says with weights that have
    learnt nothing, on the same rows. The frame has the group columns, targets, concepts and covariates of the samples that
    rows are of, ``source`` (the sample's id), ``position`` and ``side``.
    """

    config_type = ActivationsConfig

    @classmethod
    def example_data(cls) -> Dataset:
        """A small one, for the contract checks."""
        from pellucid.activations.example import example_folder

        return example_folder()

    def __init__(self, config: ActivationsConfig, data: Path | None) -> None:
        if data is None:
            raise DataError('activations have no usual place: name their folder, data = "..." in the study or --data')
        self.folder = Path(data)
        self.document = read_document(self.folder)
        source = DataSpec.model_validate(self.document["source"]["spec"])
        layer = str(self.document["layer"])
        self.spec = DataSpec(
            name="activations",
            namespace=source.namespace,
            inputs={
                name: Vector(names=tuple(f"{'u' if name == ACTIVATIONS else 'r'}{at}" for at in range(width)))
                for name, width in self.document["widths"].items()
            },
            targets=source.targets,
            groups=source.groups,
            covariates=source.covariates,
            trivial=source.trivial,
            concepts=source.concepts,
            group_word=source.group_word,
            about=f"{source.about} Rows are what layer {layer!r} of a model trained on {source.name!r} says.".strip(),
        )
        self.source_spec, self.made_by = source, LearnedFrom.from_json(self.document["made_by"])
        self._arrays = {name: Shards(self.folder, name, self.document) for name in self.spec.inputs}
        self.origin = origin(layer, self.document.get("model", {}).get("fingerprint", "unknown"))
        # Rows that stand at other samples would be judged by other people's labels, and nothing would show it.
        self.sources = Shards(self.folder, "source", self.document).whole().astype(np.int64)
        """Which sample each row is of: its place in the dataset that was run through the model."""
        self.positions = Shards(self.folder, "position", self.document).whole().astype(np.int64)
        if config.most is not None:
            self.sources, self.positions = self.sources[: config.most], self.positions[: config.most]
        self.shape = tuple(self.document["shape"])
        """Shape of the layer's positions."""

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row a sample that was run through the model."""
        import pandas as pd

        return pd.read_parquet(check_digest(self.folder, "samples.parquet", self.document))

    @cached_property
    def frame(self) -> pd.DataFrame:  # type: ignore[override]
        """One row a collected row. Text stands once for all rows of a sample, so that ten million of them fit in memory."""
        import pandas as pd

        columns: dict[str, Any] = {}
        for name in self.samples.columns:
            column = self.samples[name]
            if column.dtype == object or isinstance(column.dtype, pd.StringDtype):
                codes, words = pd.factorize(column)
                columns[name] = pd.Categorical.from_codes(codes[self.sources].astype(np.int32), words)
            else:
                columns[name] = column.to_numpy()[self.sources]
        columns["source"] = pd.Categorical.from_codes(self.sources.astype(np.int32), self.samples.index.astype(str))
        columns["position"] = self.positions.astype(np.int32)
        index = pd.Index(np.arange(len(self.sources)).astype(str), name="sample")
        return pd.DataFrame(columns, index=index)

    def __len__(self) -> int:
        return len(self.sources)

    def read(self, indices: np.ndarray) -> Arrays:
        """Read from the maps, as float32.

        Raises
        ------
        DataError
            If a file that rows are read from is not the one that was written; each is compared when it is first read from.
        """
        at = np.asarray(indices)
        return Arrays({name: shards[at].astype(np.float32, copy=False) for name, shards in self._arrays.items()}, {})

    def digest(self) -> str:
        """Digest of what was written, by the digests of its files."""
        return f"{digest_of(self.document)}/{len(self)}"

    def source_data(self) -> Dataset:
        """The samples that rows were collected of, opened where they were then.

        Raises
        ------
        DataError
            If they are not what they were.
        """
        from pellucid.studies import Study

        said = self.document["source"]
        # What was brought to the models' channels and rate has their description.
        learnt = DataSpec.model_validate(said["spec"]) if said.get("brought") else None
        opened = Study.from_mapping(said["study"], str(self.folder)).open_dataset(said["data"], learnt)
        if opened.digest() != said["digest"]:
            raise DataError(
                f"the data of {self.folder} have changed since activations were collected; collect them again"
            )
        return opened

    def region(self, position: int) -> Region | None:
        """The part of the source's input that a position covers; see :func:`~pellucid.activations.places.region_of`."""
        name = self.document["source"]["input"]
        return None if name is None else region_of(self.source_spec.inputs[name], self.shape, position)
