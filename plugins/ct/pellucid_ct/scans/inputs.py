"""What a dataset of crops declares: the pixels and the mask beside them, and the views that draw both."""

from __future__ import annotations

from pellucid.data import Image, Volume
from pellucid_ct.scans.crops import PLANES, Dimensions


def crop_inputs(
    dimensions: Dimensions, size: int, spacing_mm: float | None, *, units: str = "HU"
) -> dict[str, Image | Volume]:
    """Inputs ``pixels`` and ``mask`` of one grid; the mask holds the share of each pixel or voxel that the lesion covers.

    Parameters
    ----------
    dimensions : {"2", "2.5", "3"}
        One channel, or in "2.5" one for each of :data:`~pellucid_ct.scans.crops.PLANES`.
    size : int
        Pixels or voxels along each side.
    spacing_mm : float, optional
        Between them in every direction; None where it differs from scan to scan.
    units : str
        Of the pixels.
    """
    kind: type[Image] | type[Volume] = Volume if dimensions == "3" else Image
    axes = 3 if dimensions == "3" else 2
    planes = PLANES if dimensions == "2.5" else ()

    def on_the_grid(channels: tuple[str, ...], units: str) -> Image | Volume:
        spacing = None if spacing_mm is None else (spacing_mm,) * axes
        return kind(channels=channels, size=(size,) * axes, spacing_mm=spacing, units=units)  # type: ignore[arg-type]

    return {
        "pixels": on_the_grid(planes or ("pixels",), units),
        "mask": on_the_grid(tuple(f"mask {plane}" for plane in planes) or ("mask",), "share covered"),
    }


def crop_views(dimensions: Dimensions) -> dict[str, str]:
    """Names of the views that draw :func:`crop_inputs`."""
    volume = dimensions == "3"
    return {"pixels": "ct/volume" if volume else "ct/slice", "mask": "ct/lesion-volume" if volume else "ct/lesion"}
