"""Which features have a pattern in space: neighbouring places are more alike, or less, than places dealt at random."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.errors import DataError, NotMeasurable
from pellucid.heads.base import Head
from pellucid.measures.spatial import LEAST_ACTIVE, Moran, moran_test
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.audited import told, told_once
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dictionaries.codes import OfDictionaries, dictionaries
from pellucid.protocols.dictionaries.features import UNITS
from pellucid.protocols.dictionaries.places.placed import (
    Placed,
    layer_of,
    neighbours_in_layer,
    over_coordinates,
    over_positions,
)
from pellucid.protocols.dictionaries.places.spatial_maps import maps_of
from pellucid.result import Result
from pellucid.statistics.false_discovery import benjamini_hochberg
from pellucid.views.patterns import Grid

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SHOWN = 6
"""Features of a dictionary that are drawn."""


class SpatialAutocorrelationConfig(Config):
    """Settings of :class:`SpatialAutocorrelation`.

    Parameters
    ----------
    coordinates : tuple of str
        Covariates that say where samples lie, in one unit of length. Empty: places are the positions of the layer.
    degrees : bool
        The two coordinates are latitude and longitude, in this order.
    neighbours : int
        Nearest others of each place, where places have coordinates.
    one_a_subject : bool
        Take of each subject one sample, by lot: samples of one subject are alike for other reasons than where they lie. Turn
        it off where all subjects have the same places, as electrodes.
    links : tuple of (str, str)
        Positions that are neighbours beside those of time and space: names of channels, or numbers from 0.
    diagonal : bool
        Positions of a grid that share no more than a corner are neighbours too.
    false_discoveries : float
        Share of the features called patterned that may be so by chance.
    permutations : int
        Behind each p, which is never below ``2 / (permutations + 1)``: of 1000 features more than 20 must have a pattern for the
        default to find any; ask for more where few are expected.
    dealings : int
        How often places are dealt anew to see what chance finds.
    least_active : int
        Features that are not zero at fewer places are left out.
    """

    coordinates: tuple[str, ...] = ()
    degrees: bool = False
    neighbours: int = Field(8, ge=1)
    one_a_subject: bool = True
    links: tuple[tuple[str, str], ...] = ()
    diagonal: bool = False
    false_discoveries: float = Field(0.05, gt=0, lt=1)
    permutations: int = Field(1999, ge=99)
    dealings: int = Field(20, ge=1)
    least_active: int = Field(LEAST_ACTIVE, ge=3)


class SpatialAutocorrelation(OfDictionaries):
    """How many features have a pattern in space or time, on subjects that neither dictionary nor model have learnt from.

    Every feature has a value at every place, and Moran's I tells whether neighbouring places are more alike, or less, than
    values dealt at random to places (two-sided, false discoveries controlled over features by Benjamini and Hochberg). Places
    are of two kinds:

    - **where samples lie** (``coordinates``): lesions in a lung, electrodes, towns. A sample has the mean code over its rows,
      samples at the very same coordinates are averaged, and neighbours are the nearest others.
    - **the positions of the layer**: steps in time, cells of an image or a volume, channels, atoms. The value is the mean code at
      this position over subjects, and neighbours are the positions beside it in time or space and those that ``links`` name.

    Of positions the mean map is tested, not the mean of what each sample's own map would give: within a sample neighbouring
    positions of a convolution see nearly the same input, and every feature would have a pattern. In the mean over samples that
    do not lie alike this washes out as far as there are samples, but not wholly: compare with the layer's single units and with
    an untrained layer before believing that a place means something.

    Beside the count stand the mean count with places dealt anew (all features alike) and that of the layer's single units.
    Features that are active at few places, or the same everywhere, are left out and counted. The count has no interval: a subject
    drawn twice by a bootstrap would stand twice at one place, its own nearest neighbour, which is a pattern that nobody has seen.

    References
    ----------
    De Sabbata, Mizzaro and Roitero (2025), arXiv 2505.03368. There p is that of one tail chosen after the fact and not corrected
    for the number of features, coordinates are those of towns in a metric projection, and there is no baseline.
    """

    name: ClassVar[str] = "spatial-autocorrelation"
    config_type = SpatialAutocorrelationConfig
    config: SpatialAutocorrelationConfig

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings for a trial on planted data."""
        return {"coordinates": ("age", "rough size"), "permutations": 99}

    def unfit(self, context: Context) -> str:
        """There must be a dictionary, and the coordinates that are asked for."""
        config = self.config
        known = context.spec.covariates.names if context.spec.covariates else ()
        if unknown := [name for name in config.coordinates if name not in known]:
            return f"its data have no covariate {', '.join(unknown)}; there are: {', '.join(known) or 'none'}"
        if config.degrees and len(config.coordinates) != 2:
            return "degrees are of two coordinates, latitude and longitude"
        return ""

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """There must be places enough in the data, or positions of which it is known which are neighbours."""
        config = self.config
        if config.coordinates:
            places = len(dataset.frame[list(config.coordinates)].dropna().drop_duplicates())
            if places <= config.neighbours:
                return f"its data have {places} places, too few for {config.neighbours} neighbours each"
        else:
            try:
                places = neighbours_in_layer(dataset, config.links, diagonal=config.diagonal).shape[0]
            except DataError as error:
                return str(error)
        if places < config.least_active:
            return f"there are {places} places, and a feature must be active at {config.least_active}: ask for fewer (least_active)"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and sample that stands somewhere, with its ``place`` (-1 where samples have places in them).

        Columns ``fold:...`` are the same for all rows of a part and fold. Columns ``first:...`` hold in the first row of a part
        and fold lists: of all features ``i``, ``q`` and places where ``active``; of the strongest their numbers (``shown``) and
        maps, one after the other, and coordinates of places.
        """
        import pandas as pd

        return pd.concat([self._of(fold, part, model) for part, model in dictionaries(fold).items()], ignore_index=True)

    def _of(self, fold: FittedFold, part: str, model: Model) -> pd.DataFrame:
        import pandas as pd

        config, test = self.config, fold.test(part)
        placed, grid = self._placed(model, test, fold.seed)
        found = self._tested(placed.codes, placed, fold.seed, config.dealings)
        if not np.isfinite(found.values).any():
            raise NotMeasurable(
                f"none of {len(found.values)} features is active at {config.least_active} of {len(placed.codes)} places or more, "
                "and other there than elsewhere",
                "test more samples or collect a layer of more positions, or ask for fewer places (least_active)",
            )
        units = self._tested(placed.units, placed, fold.seed, 0)
        q, level = found.q_two_sided, config.false_discoveries
        patterned = q <= level
        # Those whose neighbours are alike first: that is the pattern that a map shows.
        order = np.argsort(np.where(patterned, -found.values, np.inf), kind="stable")
        shown = [int(at) for at in order[:SHOWN] if patterned[at]]
        by_chance = [(benjamini_hochberg(p) <= level).sum() for p in found.dealt_p_two_sided]
        fixed: dict[str, Any] = {
            "patterned": int(patterned.sum()),
            "alike": int((patterned & (found.values > found.expected)).sum()),
            "units": int((units.q_two_sided <= level).sum()),
            "by_chance": float(np.mean(by_chance)),
            "features": len(q),
            "tested": int(np.isfinite(found.values).sum()),
            "all_units": len(units.values),
            "places": len(placed.codes),
            "without": placed.without,
            "grid": None if grid is None else grid.to_json(),
        }
        lists = {
            "i": found.values, "q": q, "active": found.active.astype(float), "shown": np.array(shown, float),
            "maps": placed.codes[:, shown].T.ravel(), "where": placed.where.ravel(),
        }  # fmt: skip
        rows = pd.DataFrame({"part": part, "sample": placed.samples, "subject": placed.subjects, "place": placed.at})
        return told_once(rows, {**fixed, **lists})

    def _placed(self, model: Model, test: Any, seed: int) -> tuple[Placed, Grid | None]:
        config = self.config
        if config.coordinates:
            return over_coordinates(
                model, test, config.coordinates, config.neighbours, degrees=config.degrees,
                draw=seed if config.one_a_subject else None,
            ), None  # fmt: skip
        placed = over_positions(model, test, config.links, diagonal=config.diagonal)
        folder = layer_of(test)
        assert folder is not None
        name = folder.document["source"]["input"]
        spec = None if name is None else folder.source_spec.inputs[name]
        channels = getattr(spec, "channels", ())
        linked = any(one in channels for link in config.links for one in link)
        return placed, Grid.of(spec, folder.shape, by_channel=linked and folder.shape == (len(channels),))

    def _tested(self, values: np.ndarray, placed: Placed, seed: int, dealings: int) -> Moran:
        config = self.config
        with warnings.catch_warnings():
            # What is left out is counted and said.
            warnings.filterwarnings("ignore", message="of .* features", category=UserWarning)
            return moran_test(
                values, placed.neighbours, permutations=config.permutations, seed=seed, least_active=config.least_active,
                dealings=dealings,
            )  # fmt: skip

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """How many features of each dictionary have a pattern; of several folds the mean."""
        results = []
        for part, own in context.own_rows(rows):
            mean = {
                name: float(np.mean(told(own, name)))
                for name in ("patterned", "alike", "units", "by_chance", "features", "tested", "all_units", "places", "without")
            }  # fmt: skip
            results.append(
                Result(
                    protocol=self.name, metric="patterned_features", part=part, value=mean["patterned"], low=float("nan"),
                    high=float("nan"), chance=mean["by_chance"], baseline=mean["units"], baseline_name=UNITS,
                    higher_is_better=True, n_samples=len(own), n_subjects=int(own["subject"].nunique()),
                    sentence=self._sentence(part, mean),
                )
            )  # fmt: skip
        return results

    def _sentence(self, part: str, mean: Mapping[str, float]) -> str:
        config = self.config
        where = " and ".join(config.coordinates) if config.coordinates else "positions of the layer"
        left = mean["features"] - mean["tested"]
        said = {name: _counted(count) for name, count in mean.items()}
        return (
            f"{said['patterned']} of the {said['features']} features of “{part}” have a pattern over {said['places']} "
            f"places ({where}): neighbours are more alike than by chance in {said['alike']}, less alike in "
            f"{_counted(mean['patterned'] - mean['alike'])}. With places dealt anew {mean['by_chance']:.1f} have one, of the layer's "
            f"{said['all_units']} single units {said['units']}."
            + (
                f" Left out: {_counted(left)} active at fewer than {config.least_active} places or everywhere alike."
                if left
                else ""
            )
            + (f" {said['without']} samples have no coordinates." if mean["without"] else "")
        )

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """Maps of the strongest features of each dictionary, of the first fold."""
        found: dict[str, Figure] = {}
        config = self.config
        for part, own in context.own_rows(rows):
            first = own[own["fold"] == own["fold"].iloc[0]]
            shown = [int(at) for at in told(first, "shown")[0]]
            if shown:
                caption = f"Mean code over places, of the features of “{part}” whose neighbouring places are most alike"
                found[caption] = maps_of(first, shown, config.coordinates, north_up=config.degrees)
        return found


def _counted(mean: float) -> str:
    """A whole number as one, a mean of several folds that is none to a tenth."""
    return f"{mean:.0f}" if float(mean).is_integer() else f"{mean:.1f}"
