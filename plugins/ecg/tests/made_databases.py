"""Small databases in the layouts of the large ones, written by hand: nothing here calls the code that reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")

STATEMENTS = """\
,description,diagnostic,form,rhythm,diagnostic_class,diagnostic_subclass,Statement Category
NDT,non-diagnostic T abnormalities,1.0,1.0,,STTC,STTC,x
NORM,normal ECG,1.0,,,NORM,NORM,x
IMI,inferior myocardial infarction,1.0,,,MI,IMI,x
ILMI,inferolateral myocardial infarction,1.0,,,MI,IMI,x
LVH,left ventricular hypertrophy,1.0,,,HYP,LVH,x
CLBBB,complete left bundle branch block,1.0,,,CD,CLBBB,x
PVC,ventricular premature complex,,1.0,,,,x
SR,sinus rhythm,,,1.0,,,x
AFIB,atrial fibrillation,,,1.0,,,x
"""


def signals(seed: int, leads: int = 12, length: int = 1000) -> np.ndarray:
    """Stored numbers, int16, of which no row is flat."""
    return np.random.default_rng(seed).integers(-1500, 1500, (leads, length)).astype("<i2")


def write_record(
    path: Path,
    stored: np.ndarray,
    *,
    rate_hz: float = 100,
    leads: tuple[str, ...] = LEADS,
    gain: float = 1000,
    units: str = "mV",
    comments: tuple[str, ...] = (),
    said_length: int | None = None,
    end: str = ".dat",
) -> None:
    """A record of format 16; with ``.mat`` after 24 bytes, as the Challenges have it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    offset = b"\0" * 24 if end == ".mat" else b""
    kind = "16+24" if offset else "16"
    lines = [f"{path.name} {len(stored)} {rate_hz:g} {stored.shape[1] if said_length is None else said_length}"]
    lines += [
        f"{path.name}{end} {kind} {gain:g}(0)/{units} 16 0 {row[0]} 0 0 {name}"
        for name, row in zip(leads, stored, strict=False)
    ]
    lines += [f"# {comment}" for comment in comments]
    path.with_name(path.name + ".hea").write_text("\n".join(lines) + "\n")
    path.with_name(path.name + end).write_bytes(offset + stored.T.astype("<i2").tobytes())


ROWS = (
    # ecg_id, patient, age, sex, codes, fold
    (1, "15709.0", "56.0", 1, "{'NORM': 100.0, 'SR': 0.0}", 3),
    (2, "13243.0", "300.0", 0, "{'IMI': 35.0, 'LVH': 0.0, 'SR': 0.0}", 2),
    (3, "13243.0", "19.0", 0, "{'NDT': 100.0, 'SR': 0.0}", 2),
    (4, "77.0", "", 1, "{'PVC': 100.0, 'AFIB': 0.0}", 9),
    (5, "78.0", "41.0", 0, "{'ILMI': 50.0, 'CLBBB': 80.0}", 10),
)


def write_ptbxl(folder: Path, rows=ROWS, *, rates=(100,), records: bool = True, statements: str = STATEMENTS) -> Path:
    """PTB-XL's native layout; names, dates and free text are there to be left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    header = "ecg_id,patient_id,age,sex,height,weight,nurse,recording_date,report,scp_codes,strat_fold,filename_lr,filename_hr"
    lines = [header]
    for ecg, patient, age, sex, codes, fold in rows:
        low, high = f"records100/00000/{ecg:05}_lr", f"records500/00000/{ecg:05}_hr"
        lines.append(
            f'{ecg},{patient},{age},{sex},180.0,9.0,2.0,1984-11-09 09:17:34,"report of somebody, secret","{codes}",{fold},{low},{high}'
        )
        for rate, file in ((100, low), (500, high)):
            if records and rate in rates:
                write_record(folder / file, signals(ecg, length=10 * rate), rate_hz=rate)
    (folder / "ptbxl_database.csv").write_text("\n".join(lines) + "\n")
    (folder / "scp_statements.csv").write_text(statements)
    return folder


def write_labels(folder: Path, folds=("1-8", "9", "10"), count: int = 6) -> Path:
    """The layout of a selection: labels alone, nobody named."""
    lines = ["ecg_id,strat_fold,filename_lr,NORM,MI,STTC,CD,HYP"]
    for ecg in range(1, count + 1):
        file = f"records100/00000/{ecg:05}_lr"
        lines.append(f"{ecg},{folds[ecg % len(folds)]},{file},{ecg % 2},{1 - ecg % 2},{1 - ecg % 2},0,0")
        write_record(folder / file, signals(ecg), units="NU")
    (folder / "ptbxl_subset_labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def write_folder(folder: Path, count: int, *, header: str = "record,subject,label,age") -> Path:
    """Records of one's own with a table: every second one has the label."""
    lines = [header]
    for n in range(count):
        write_record(folder / f"a{n:03}", signals(n, length=200), rate_hz=100)
        lines.append(f"a{n:03},p{n // 2},{n % 2},{20 + n}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder
