"""Samples of EDF and BDF files: any part of them to microvolts, without the rest of the file in memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_eeg.edf_files.headers import EdfHeader, EdfSignal

__all__ = ["EdfSamples", "FileBytes"]

BLOCK_BYTES = 1 << 19
"""Read and converted at once: what stays in a processor's cache from the one step to the next."""

EXACT = 1 << 24
"""Whole numbers up to this one are the same in float32."""


class FileBytes:
    """Bytes of a file at any place, by one open descriptor a process.

    The file is read and not mapped: pages of a map count as memory of the process, and a file that becomes shorter under a map
    ends the process.
    """

    def __init__(self, path: str, size: int) -> None:
        self.path, self.size = path, size
        self._descriptor: int | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "size": self.size}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __del__(self) -> None:
        descriptor, self._descriptor = getattr(self, "_descriptor", None), None
        if descriptor is not None:
            os.close(descriptor)

    def at(self, start: int, count: int) -> bytes:
        """``count`` bytes from ``start``.

        Raises
        ------
        DataError
            If the file is not there any more, has changed its size, or a disk cannot give it.
        """
        try:
            if self._descriptor is None:
                self._open()
            content = self._some(start, count)
            # Some file systems give less at once than they have.
            while 0 < len(content) < count and (more := self._some(start + len(content), count - len(content))):
                content += more
        except OSError as error:
            raise DataError(
                f"{os.path.basename(self.path)}: cannot be read ({error.strerror or error}); fetch it again"
            ) from None
        if len(content) != count:
            raise DataError(
                f"{os.path.basename(self.path)}: became shorter while it was read; read the recording again"
            )
        return content

    def _some(self, start: int, count: int) -> bytes:
        assert self._descriptor is not None
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, count, start)
        with self._lock:
            os.lseek(self._descriptor, start, os.SEEK_SET)
            return os.read(self._descriptor, count)

    def _open(self) -> None:
        with self._lock:
            if self._descriptor is not None:
                return
            descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
            if (size := os.fstat(descriptor).st_size) != self.size:
                os.close(descriptor)
                raise DataError(
                    f"{os.path.basename(self.path)}: has {size:,} bytes and had {self.size:,} before; read the recording again"
                )
            self._descriptor = descriptor


@dataclass(frozen=True, slots=True)
class _Run:
    """Signals that stand side by side in a record: rows ``first`` to ``last`` of what is read."""

    offset: int
    first: int
    last: int


class EdfSamples:
    """Some signals of a file, of one rate, in microvolts; a :class:`~pellucid_eeg.recordings.recording.LazySignals`.

    Values are those that float64 gives, to two units of float32's last place.

    Parameters
    ----------
    source : FileBytes
    header : EdfHeader
    signals : sequence of EdfSignal
    factors : sequence of float
        Microvolts for one unit of each signal.
    records : int
        How many of the file's records are read.
    """

    def __init__(
        self,
        source: FileBytes,
        header: EdfHeader,
        signals: Sequence[EdfSignal],
        factors: Sequence[float],
        records: int,
    ) -> None:
        self._source = source
        self._start, self._width = header.data_start, header.bytes_per_sample
        self._record_bytes, self._record_samples = header.record_bytes, header.record_samples
        self._each, self._records = signals[0].samples, records
        runs: list[_Run] = []
        for row, signal in enumerate(signals):
            if runs and signal.offset == runs[-1].offset + (row - runs[-1].first) * self._each:
                runs[-1] = _Run(runs[-1].offset, runs[-1].first, row + 1)
            else:
                runs.append(_Run(signal.offset, row, row + 1))
        self._runs = tuple(runs)
        self._from, self._to = min(run.offset for run in runs), max(s.offset + s.samples for s in signals)
        gain = np.array([signal.gain * factor for signal, factor in zip(signals, factors, strict=True)])
        whole, rest = [signal.shift for signal in signals], np.array([signal.shift_rest for signal in signals])
        # In float32 a number and a whole shift add up exactly where both are below 2^24, so that nothing is lost near 0.
        self._single = all(abs(near) <= EXACT // 2 for near in whole) and np.abs(gain).max() < 1e30
        dtype = np.float32 if self._single else np.float64
        self._gain = _column(gain.astype(dtype))
        together = np.array([float(signal.shift) + signal.shift_rest for signal in signals])
        exact = not self._single or np.array_equal(together.astype(np.float32), together)
        steps = [together] if exact else [np.array(whole, np.float64), rest]
        self._shifts = tuple([_column(step.astype(dtype)) for step in steps if step.any()])
        self._rows = len(signals)

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and samples."""
        return self._rows, self._records * self._each

    def __repr__(self) -> str:
        return f"EdfSamples(channels={self.shape[0]}, samples={self.shape[1]})"

    def read(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Samples ``start`` to ``stop`` of all channels, microvolts, shape (channel, time).

        Raises
        ------
        DataError
            If the file cannot be read any more.
        """
        each = self._each
        if not 0 <= start <= stop <= self.shape[1]:
            raise DataError(f"samples {start:,} to {stop:,} are asked for, but there are {self.shape[1]:,}")
        out = np.empty((self._rows, stop - start), np.float32)
        if start == stop:
            return out
        first, last = start // each, -(-stop // each)
        step = max(1, BLOCK_BYTES // ((self._to - self._from) * self._width))
        for record in range(first, last, step):
            until = min(record + step, last)
            begin, end = max(start, record * each), min(stop, until * each)
            self._convert(
                record, until, begin - record * each, end - record * each, out[:, begin - start : end - start]
            )
        return out

    def _convert(self, record: int, until: int, begin: int, end: int, out: npt.NDArray[np.float32]) -> None:
        """Samples ``begin`` to ``end`` of records ``record`` to ``until``, counted from the first of these."""
        stored, each = self._stored(record, until), self._each
        plain = out if self._single else np.empty(out.shape, np.float64)
        # A part of the first record, whole records, a part of the last: each is one step over all channels.
        head = min(end, -(-begin // each) * each)
        tail = max(head, end // each * each)
        for run in self._runs:
            count = run.last - run.first
            block = stored[:, run.offset - self._from : run.offset - self._from + count * each].reshape(-1, count, each)
            rows = plain[run.first : run.last]
            if head > begin:
                rows[:, : head - begin] = block[begin // each, :, begin % each : begin % each + head - begin]
            if tail > head:
                whole = rows[:, head - begin : tail - begin].reshape(count, -1, each)
                whole[...] = block[head // each : tail // each].transpose(1, 0, 2)
            if end > tail:
                rows[:, tail - begin :] = block[tail // each, :, : end - tail]
        for step in self._shifts:
            plain += step
        if self._single:
            plain *= self._gain
        else:
            np.multiply(plain, self._gain, out=out, casting="same_kind")

    def _stored(self, record: int, until: int) -> npt.NDArray[Any]:
        """The converter's numbers of some records, as far as signals are asked for; shape (record, sample)."""
        left, right = self._from * self._width, self._to * self._width
        count = until - record
        at = self._start + record * self._record_bytes
        if right - left == self._record_bytes:
            raw = np.frombuffer(self._source.at(at, count * self._record_bytes), np.uint8).reshape(count, -1)
        elif count == 1 or 2 * (right - left) > self._record_bytes:
            span = (count - 1) * self._record_bytes + right - left
            flat = np.frombuffer(self._source.at(at + left, span), np.uint8)
            raw = np.lib.stride_tricks.as_strided(flat, (count, right - left), (self._record_bytes, 1), writeable=False)
        else:
            parts = [self._source.at(at + i * self._record_bytes + left, right - left) for i in range(count)]
            raw = np.frombuffer(b"".join(parts), np.uint8).reshape(count, -1)
        if self._width == 2:
            return raw.view("<i2")
        wide = np.zeros((count, self._to - self._from, 4), np.uint8)
        wide[:, :, 1:] = raw.reshape(count, -1, 3)
        # The three bytes are the upper ones of four, so that the sign comes along as the number is shifted down.
        return wide.view("<i4")[:, :, 0] >> 8


def _column(each: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One number for each row, to be added or multiplied; a single one where all are the same, as that is faster."""
    return each[0] if (each == each[0]).all() else each[:, None]
