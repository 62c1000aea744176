"""Phantoms that several tests scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pellucid_ct.phantom import DicomStyle, Phantom, PlantedLesion, oriented, write_series

SPHERE = PlantedLesion((-29.0, 0.0, 6.0), (7.0, 7.0, 7.0), hu=40)
ELLIPSOID = PlantedLesion((36.0, 22.0, 0.0), (9.0, 6.0, 5.0), hu=-60)
SPIKY = PlantedLesion((-29.0, 12.0, -24.0), (6.0, 6.0, 6.0), hu=80, spikes=14, spike_mm=3.0)
LESIONS = (SPHERE, ELLIPSOID, SPIKY)

PHANTOM = Phantom(LESIONS, texture_hu=25, noise_hu=15, seed=5)


def series_of(folder: Path, scan, mask, orientation: str, *, patient: str = "PHANTOM-1", series: int = 1, **style):
    """A series as a scanner of that orientation writes it: the scan with its files behind it, and the mask on it."""
    scan, mask = oriented(scan, mask, orientation)
    files = write_series(folder, scan, patient=patient, style=DicomStyle(**style), series=series)
    return replace(scan, sources=files), mask
