"""Reading a series of 200 uncompressed slices of 512 x 512: ``python tests/benchmarks/bench_dicom.py``.

From files to one volume of Hounsfield units in float32, against two ways: the same bytes by np.fromfile into one
preallocated volume, with nothing read of the headers (the aim is at most 2.5 times that), and pydicom's dcmread, pixel_array,
rescale and stack (the aim is 4 times faster at least). Times are CPU seconds and wall seconds, ratios are medians over
interleaved runs; peak memory is that of a child process beyond what its imports take, as a ratio to the volume (the aim is
1.3 at most).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy starts

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from pellucid_ct.dicom.series import read_series

SLICES, SIDE, ROUNDS = 200, 512, 9


def write(folder: Path) -> None:
    """A series whose file names tell nothing of the order."""
    rng = np.random.default_rng(0)
    series, frame = generate_uid(), generate_uid()
    for number in range(SLICES):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, generate_uid()
        data.Modality, data.PatientID, data.PatientName = "CT", "Phantom", "Phantom"
        data.SeriesInstanceUID, data.FrameOfReferenceUID = series, frame
        data.ImagePositionPatient = [-180.0, -180.0, -100 + 1.25 * number]
        data.ImageOrientationPatient, data.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.703125, 0.703125]
        data.RescaleIntercept, data.RescaleSlope = -1024, 1
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.Rows = data.Columns = SIDE
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
        # As many elements as a scanner writes beside those that are read.
        for element in range(60):
            data.add_new(0x00190000 + 0x1001 + element, "LO", f"private element {element}")
        data.add_new(0x00190010, "LO", "BENCHMARK")
        data.PixelData = rng.integers(0, 3000, (SIDE, SIDE), dtype=np.int16).tobytes()
        data.save_as(folder / f"{rng.integers(1 << 60)}.dcm", enforce_file_format=True)


def fromfile(folder: Path) -> np.ndarray:
    """The same bytes, headers unread: files in the order of their names."""
    out = np.empty((SLICES, SIDE, SIDE), np.float32)
    for slot, path in zip(out, sorted(folder.iterdir()), strict=True):
        offset = path.stat().st_size - SIDE * SIDE * 2
        np.subtract(
            np.fromfile(path, "<i2", SIDE * SIDE, offset=offset).reshape(SIDE, SIDE), np.float32(1024), out=slot
        )
    return out


def dcmread(folder: Path) -> np.ndarray:
    """What one would write by hand."""
    read = sorted((pydicom.dcmread(path) for path in folder.iterdir()), key=lambda d: float(d.ImagePositionPatient[2]))
    return np.stack([d.pixel_array * np.float32(d.RescaleSlope) + np.float32(d.RescaleIntercept) for d in read])


def ours(folder: Path) -> np.ndarray:
    """Headers checked, slices ordered, geometry proved."""
    return read_series(folder, namespace="bench").hu


WAYS: dict[str, Callable[[Path], np.ndarray]] = {"np.fromfile": fromfile, "dcmread": dcmread, "pellucid": ours}


def main() -> None:
    """Print the ratios, or in a child the peak memory of one way."""
    if len(sys.argv) > 1:
        before = _high_water_mb()
        WAYS[sys.argv[2]](Path(sys.argv[1]))
        print(_high_water_mb() - before)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        assert np.array_equal(ours(folder), dcmread(folder))
        cpu: dict[str, list[float]] = {way: [] for way in WAYS}
        wall: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way, read in WAYS.items():
                begun, clock = time.process_time(), time.perf_counter()
                read(folder)
                cpu[way].append(time.process_time() - begun)
                wall[way].append(time.perf_counter() - clock)
        volume_mb = SLICES * SIDE * SIDE * 4 / 2**20
        for way in WAYS:
            memory = float(subprocess.check_output([sys.executable, __file__, name, way])) / volume_mb
            print(
                f"{way:12s} {statistics.median(cpu[way]) * 1000:6.0f} CPU-ms, {statistics.median(wall[way]) * 1000:6.0f} ms, "
                f"peak memory {memory:.2f} of the volume"
            )
        for label, times in (("CPU", cpu), ("wall", wall)):
            against = {
                way: np.median(np.array(times["pellucid"]) / np.array(times[way])) for way in ("np.fromfile", "dcmread")
            }
            print(
                f"{label:4s} pellucid x{against['np.fromfile']:.2f} of np.fromfile (aim: at most 2.5), "
                f"{1 / against['dcmread']:.1f} times faster than dcmread (aim: 4 at least)"
            )


def _high_water_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
