"""Headers with mutated bytes end in a DataError or in what pydicom reads of them; in nothing else, quickly and in little room."""

from __future__ import annotations

import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import image, planes, save
from planted_identity import SIGNS, plant

from pellucid.errors import DataError
from pellucid_ct.dicom.headers import read_header
from pellucid_ct.dicom.series import find_series, read_series

MUTATIONS = 120
"""Of each syntax."""

LONGEST_S = 2.0
ROOM = 1 << 20
"""Bytes at most for reading files of some kilobytes: what a declared size of 4096 x 4096 would take is 64 times that."""


def mutated(content: bytes, header: int, rng: np.random.Generator) -> bytes:
    """One to three changes before ``header``: bytes replaced, left out, put in, or cut off."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        at, kind = min(int(rng.integers(132, header)), len(data) - 1), rng.integers(0, 8)
        if kind <= 3:
            data[at] = rng.integers(0, 256)
        elif kind == 4:
            data[at] ^= 1 << rng.integers(0, 8)
        elif kind == 5:
            data[at : at + int(rng.integers(1, 9))] = rng.bytes(int(rng.integers(0, 9)))
        elif kind == 6:
            data[at : at + 4] = b"\xff\xff\xff\xff"
        elif rng.integers(0, 4) == 0:
            del data[at:]
            break
    return bytes(data)


def differs(path: Path) -> str:
    """What pydicom reads otherwise, in words; empty where it agrees, or cannot say."""
    header = read_header(path, namespace="here")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = pydicom.dcmread(path)
            stored = data.pixel_array
            theirs = (
                stored.shape,
                [float(v) for v in data.ImagePositionPatient],
                [float(v) for v in data.PixelSpacing],
                float(data.RescaleSlope),
                float(data.RescaleIntercept),
            )
        except Exception:  # noqa: BLE001 - the reference may give up on a damaged file in any way
            return ""
    ours = (
        (header.rows, header.columns),
        list(header.position_mm),
        list(header.spacing_mm),
        header.slope,
        header.intercept,
    )
    return "" if ours == theirs else f"{ours} against {theirs}"


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big endian", "deflated"])
def test_mutated_headers_end_in_a_data_error_or_a_correct_read(tmp_path, syntax, caplog):
    rng = np.random.default_rng(["explicit", "implicit", "big endian", "deflated"].index(syntax))
    stored = planes(2)
    for number in (0, 1):
        data = image(stored[number], position=(0, 0, 2.0 * number), syntax=syntax)
        plant(data, series=1, instance=number)
        save(data, tmp_path / str(number))
    content = (tmp_path / "1").read_bytes()
    header = len(content) - (48 if syntax != "deflated" else 0)
    refused = read = 0
    for number in range(MUTATIONS):
        (tmp_path / "1").write_bytes(mutated(content, header, rng))
        told, begun = "", time.process_time()
        tracemalloc.start()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                scan = read_series(tmp_path, namespace="here")
        except DataError as error:
            refused, told = refused + 1, str(error)
        else:
            read += 1
            assert scan.hu.shape == (2, 6, 4), number
            assert not differs(tmp_path / "1"), (number, differs(tmp_path / "1"))
        finally:
            room = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        try:
            told += repr(find_series(tmp_path, namespace="here"))
        except DataError as error:
            told += str(error)
        assert time.process_time() - begun < LONGEST_S, number
        assert room < ROOM, (number, room)
        assert not SIGNS.search(told.encode()), (number, told)
    assert not caplog.records
    assert refused > MUTATIONS / 10
    assert read > MUTATIONS / 10 or syntax == "deflated"
