"""EDF and BDF files written byte by byte, so that anything may be wrong in them, and fields planted that tell who somebody is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MARK = "QZXJWK"
"""Begins every planted text; in no word of ours."""

DAY, TIME, YEAR = "17.05.03", "03.05.17", "1903"


@dataclass
class Planted:
    """One signal to be written; ``digital`` are the converter's numbers, shape (record, sample)."""

    label: str
    digital: np.ndarray
    unit: str = "uV"
    physical: tuple[str, str] = ("-500", "500")
    ends: tuple[int, int] | None = None

    def ranged(self, width: int) -> tuple[int, int]:
        """Digital minimum and maximum."""
        return self.ends or (-(1 << (8 * width - 1)), (1 << (8 * width - 1)) - 1)

    def expected(self, width: int = 2) -> np.ndarray:
        """Physical values as the standard has them, float64, shape (time,)."""
        low, high = self.ranged(width)
        least, most = (float(one) for one in self.physical)
        return least + (self.digital.reshape(-1).astype(np.float64) - low) * (most - least) / (high - low)


def random_signals(
    count: int = 3, records: int = 4, samples: int = 50, *, width: int = 2, seed: int = 0, **fields: object
) -> list[Planted]:
    rng = np.random.default_rng(seed)
    reach = 1 << (8 * width - 1)
    names = ("Fp1", "Cz", "O2", "T3", "F7", "Pz")
    return [
        Planted(names[i % 6] + ("" if i < 6 else str(i)), rng.integers(-reach, reach, (records, samples)), **fields)
        for i in range(count)
    ]


def tal(onset: str, *words: str, duration: str | None = None) -> bytes:
    stamp = onset.encode() + (b"" if duration is None else b"\x15" + duration.encode())
    return stamp + b"\x14" + b"".join(word.encode() + b"\x14" for word in words) + b"\0"


def timed(records: int, record_s: float = 1.0, begun: Sequence[float] | None = None) -> list[bytes]:
    """The time-keeping lists of each record."""
    times = [i * record_s for i in range(records)] if begun is None else begun
    return [tal(f"{one:+.6g}", "") for one in times]


def write(
    path: Path,
    signals: Sequence[Planted],
    *,
    annotations: Sequence[bytes] | None = None,
    reserved: str = "",
    record_s: str = "1",
    records: int | None = None,
    width: int = 2,
    annotations_at: int | None = None,
    annotation_bytes: int | None = None,
) -> Path:
    """Write a file; its fields of patient, recording, transducer and date tell who somebody is."""
    count = len(signals[0].digital) if signals else len(annotations or ())
    family = "EDF" if width == 2 else "BDF"
    rows: list[tuple[str, str, tuple[str, str], tuple[int, int], int, list[bytes]]] = []
    for one in signals:
        wide = one.digital.astype("<i4")
        content = [
            row.astype("<i2").tobytes() if width == 2 else row.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
            for row in np.ascontiguousarray(wide)
        ]
        rows.append((one.label, one.unit, one.physical, one.ranged(width), one.digital.shape[1], content))
    if annotations is not None:
        size = annotation_bytes or max(math.ceil(len(one) / (2 * 3)) * 6 for one in annotations)
        low, high = (-32768, 32767) if width == 2 else (-8388608, 8388607)
        row = (
            f"{family} Annotations",
            "",
            ("-1", "1"),
            (low, high),
            size // width,
            [one.ljust(size, b"\0") for one in annotations],
        )
        rows.insert(len(rows) if annotations_at is None else annotations_at, row)

    def fields(texts: Sequence[object], size: int) -> bytes:
        return b"".join(str(one).encode("latin-1").ljust(size)[:size] for one in texts)

    head = b"0       " if width == 2 else b"\xffBIOSEMI"
    head += fields([f"{MARK}CODE M 17-MAY-{YEAR} {MARK}NAME"], 80)
    head += fields([f"Startdate 17-MAY-{YEAR} {MARK}ADMIN {MARK}TECH {MARK}DEVICE"], 80)
    head += fields([DAY, TIME, 256 * (len(rows) + 1)], 8) + fields([reserved], 44)
    head += fields([count if records is None else records, record_s], 8) + fields([len(rows)], 4)
    head += (
        fields([row[0] for row in rows], 16)
        + fields([f"{MARK}CAP"] * len(rows), 80)
        + fields([row[1] for row in rows], 8)
    )
    head += fields([row[2][0] for row in rows], 8) + fields([row[2][1] for row in rows], 8)
    head += fields([row[3][0] for row in rows], 8) + fields([row[3][1] for row in rows], 8)
    head += (
        fields([f"{MARK}FILTER"] * len(rows), 80) + fields([row[4] for row in rows], 8) + fields([MARK] * len(rows), 32)
    )
    path.write_bytes(head + b"".join(row[5][i] for i in range(count) for row in rows))
    return path


def edit(path: Path, at: int, text: str, size: int = 8) -> None:
    """Overwrite a field of the header."""
    content = bytearray(path.read_bytes())
    content[at : at + size] = text.encode("latin-1").ljust(size)[:size]
    path.write_bytes(content)


def field_at(signals: int, field: str, signal: int = 0) -> int:
    """Where a field of a signal begins."""
    sizes = {
        "label": 16,
        "transducer": 80,
        "unit": 8,
        "pmin": 8,
        "pmax": 8,
        "dmin": 8,
        "dmax": 8,
        "filter": 80,
        "samples": 8,
    }
    at = 256
    for name, size in sizes.items():
        if name == field:
            return at + size * signal
        at += size * signals
    raise KeyError(field)
