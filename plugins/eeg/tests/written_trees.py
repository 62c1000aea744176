"""Small recordings with planted signals, alone or in the trees that databases come in; no line of it is from a real person."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from written_edf import Planted, tal, write

RATE = 64
NAMES = ("Fp1", "C3", "Cz", "C4", "O2")
RANGE_UV = 500.0

Event = tuple[float, float, str]


def noise(channels: int, seconds: float, *, seed: int = 0, rate: int = RATE, sd_uv: float = 20.0) -> np.ndarray:
    """Noise in microvolts, shape (channel, time); like the brain's, it moves more slowly than white noise."""
    white = np.random.default_rng(seed).normal(0, 1, (channels, round(seconds * rate) + 8))
    slow = np.apply_along_axis(np.convolve, 1, white, np.ones(9) / 3, "valid")
    return slow * sd_uv


def with_tone(signals: np.ndarray, row: int, spans: Sequence[tuple[float, float]], rate: int = RATE) -> np.ndarray:
    """A rhythm of 10 Hz of 60 uV in one channel during some stretches."""
    out = signals.copy()
    times = np.arange(signals.shape[1]) / rate
    for start, stop in spans:
        inside = (times >= start) & (times < stop)
        out[row, inside] += 60 * np.sin(2 * np.pi * 10 * times[inside])
    return out


def written(
    path: Path,
    signals_uv: np.ndarray,
    *,
    names: Sequence[str] = NAMES,
    rate: int = RATE,
    events: Sequence[Event] = (),
    begun: Sequence[float] | None = None,
    width: int = 2,
    unit: str = "uV",
    status: np.ndarray | None = None,
    **fields: object,
) -> Path:
    """Write an EDF+ (or, with ``width=3``, BDF+) file with records of a second; ``begun`` makes it one with interruptions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    records = signals_uv.shape[1] // rate
    reach = 1 << (8 * width - 1)
    digital = np.clip(np.round(signals_uv[:, : records * rate] / RANGE_UV * reach), -reach, reach - 1).astype(int)
    planted = [
        Planted(name, row.reshape(records, rate), unit, (f"{-RANGE_UV:g}", f"{RANGE_UV * (1 - 1 / reach):.6f}"[:8]))
        for name, row in zip(names, digital, strict=True)
    ]
    if status is not None:
        ends = ("-8388608", "8388607")
        planted.append(Planted("Status", status[: records * rate].reshape(records, rate), "Boolean", ends))
    times = list(range(records)) if begun is None else list(begun)
    lists = [tal(f"+{time:g}", "") for time in times]
    for onset, lasts, word in events:
        at = min(max(math.floor(onset), 0), records - 1) if begun is None else 0
        lists[at] += tal(f"{onset:+.6g}", word, duration=f"{lasts:.6g}" if lasts else None)
    family = "EDF" if width == 2 else "BDF"
    return write(
        path, planted, annotations=lists, reserved=f"{family}+{'C' if begun is None else 'D'}", width=width, **fields
    )


def tree_of_folders(folder: Path, people: int = 6, seconds: float = 40.0) -> Path:
    """Folders ``rest`` and ``task`` with a file for each person; those of ``task`` have a rhythm in Cz."""
    for person in range(people):
        kind = ("rest", "task")[person % 2]
        signals = noise(5, seconds, seed=person)
        if person % 2:
            signals = with_tone(signals, 2, [(0, seconds)])
        written(folder / kind / f"p{person}.edf", signals)
    return folder


def blocks(seconds: float, lasts: float = 5.0) -> list[Event]:
    """Stretches called ``rest`` and ``tapping`` in turn."""
    return [(float(at), lasts, ("rest", "tapping")[i % 2]) for i, at in enumerate(np.arange(0, seconds, lasts))]


def tapping(seconds: float, seed: int, lasts: float = 5.0) -> np.ndarray:
    """Noise with a rhythm in Cz while somebody taps."""
    spans = [(at, at + lasts) for at, _, word in blocks(seconds, lasts) if word == "tapping"]
    return with_tone(noise(5, seconds, seed=seed), 2, spans)


def tree_of_events(folder: Path, people: int = 6, seconds: float = 40.0) -> Path:
    """A file for each person in which rest and tapping take turns."""
    for person in range(people):
        written(folder / f"p{person}.edf", tapping(seconds, person), events=blocks(seconds))
    return folder


def bids_tree(root: Path, people: Sequence[str] = ("01", "02", "03", "04", "05", "06"), seconds: float = 40.0) -> Path:
    """A BIDS tree: one run of rest and tapping a participant, tables beside it, and folders that nobody may look into."""
    root.mkdir(parents=True, exist_ok=True)
    lines = ["participant_id\tage\tsex\tgroup"]
    for i, person in enumerate(people):
        lines.append(f"sub-{person}\t{30 + i}\tF\t{('patient', 'control')[i % 2]}")
        stem = root / f"sub-{person}" / "eeg" / f"sub-{person}_task-tap_run-1"
        written(Path(f"{stem}_eeg.edf"), tapping(seconds, i))
        rows = ["onset\tduration\ttrial_type", *(f"{at:g}\t{lasts:g}\t{word}" for at, lasts, word in blocks(seconds))]
        Path(f"{stem}_events.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    names = ["name\ttype\tunits\tstatus", *(f"{name}\tEEG\tuV\tgood" for name in NAMES)]
    (root / "task-tap_channels.tsv").write_text("\n".join(names) + "\n", "utf-8")
    (root / "task-tap_eeg.json").write_text(f'{{"SamplingFrequency": {RATE}, "PowerLineFrequency": 50}}', "utf-8")
    (root / "participants.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    for other in ("derivatives/clean", "sourcedata", "code"):
        inner = root / other / "sub-99" / "eeg"
        inner.mkdir(parents=True)
        (inner / "sub-99_task-tap_eeg.edf").write_bytes(b"no recording")
    return root


TUH_NAMES = ("EEG FP1-{}", "EEG C3-{}", "EEG CZ-{}", "EEG C4-{}", "EEG O2-{}")


def tuh_file(
    path: Path, seed: int, *, reference: str = "REF", seconds: float = 40.0, tone: Sequence[tuple[float, float]] = ()
) -> Path:
    """A recording with channels as the corpora call them."""
    signals = with_tone(noise(6, seconds, seed=seed), 2, tone)
    return written(path, signals, names=[*(one.format(reference) for one in TUH_NAMES), f"EEG EKG1-{reference}"])


def tuab_tree(root: Path, people: int = 6) -> Path:
    """TUAB: ``edf/train|eval/normal|abnormal/01_tcp_ar``; abnormal recordings have a rhythm in Cz."""
    for person in range(people):
        side = "eval" if person >= people - 2 else "train"
        kind = ("normal", "abnormal")[person % 2]
        name = f"aaaaa{chr(97 + person)}qz_s001_t000.edf"
        tuh_file(root / "edf" / side / kind / "01_tcp_ar" / name, person, tone=[(0, 40)] if person % 2 else [])
    return root


def tusz_tree(root: Path, people: int = 6, kind: str = ".csv_bi") -> Path:
    """TUSZ: ``edf/train|dev/SUBJECT/SESSION/MONTAGE``, a seizure of 15 s in each recording."""
    for person in range(people):
        side = ("train", "train", "train", "dev", "eval", "eval")[person % 6]
        subject = f"aaaaa{chr(97 + person)}wk"
        montage, reference = (("01_tcp_ar", "REF"), ("02_tcp_le", "LE"))[person == 0]
        path = root / "edf" / side / subject / "s001_2011" / montage / f"{subject}_s001_t000.edf"
        tuh_file(path, person, reference=reference, tone=[(10, 25)])
        if kind.startswith(".csv"):
            channels = ["TERM"] if kind == ".csv_bi" else ["FP1-F7", "CZ-C4"]
            rows = [
                "# version = csv_v1.0.0",
                "# duration = 40.0000 secs",
                "#",
                "channel,start_time,stop_time,label,confidence",
            ]
            for channel in channels:
                seized = kind == ".csv_bi" or channel == "CZ-C4"
                word = {".csv_bi": "seiz", ".csv": "fnsz"}[kind]
                rows += (
                    [
                        f"{channel},0.0000,10.0000,bckg,1.0000",
                        f"{channel},10.0000,25.0000,{word},1.0000",
                        f"{channel},25.0000,40.0000,bckg,1.0000",
                    ]
                    if seized
                    else [f"{channel},0.0000,40.0000,bckg,1.0000"]
                )
        else:
            rows = [
                "version = tse_v1.0.0",
                "",
                "0.0000 10.0000 bckg 1.0000",
                "10.0000 25.0000 cpsz 1.0000",
                "25.0000 40.0000 bckg 1.0000",
            ]
        path.with_suffix(kind).write_text("\n".join(rows) + "\n", "utf-8")
    return root
