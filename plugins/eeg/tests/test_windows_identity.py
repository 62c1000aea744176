"""Nothing of a person leaves the loader: whatever is planted in files and their names is in no byte of what a run leaves."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import mne
import numpy as np
import pyarrow.parquet as pq
import pytest
from written_edf import MARK
from written_trees import NAMES, RATE, blocks, tapping, written

STUDY = """
title = "Rest or tapping"
dataset = "bids-eeg"
target = "label"
protocols = ["subject-holdout", "explanation-audit"]

[options.bids-eeg]
covariates = ["age"]
classes = { rest = "rest", tapping = "tapping" }
window_s = 2.0

[options.bids-eeg.preparation]
high_pass_hz = 1.0
rate_hz = 32.0
absent = "interpolated"

[[encoder]]
input = "eeg"
name = "window-means"

[[head]]
name = "linear"

[training]
epochs = 2
seed = 0
"""

NEEDLES = (MARK, "17-MAY-1903", "17.05.03", "1903-05-17", "1951-02-03", "H47110815", "2019-07-23", "20190723")
"""Names, birth dates, hospital numbers and days of recording; every free word begins with the mark."""


def people(side: str, count: int) -> list[str]:
    return [f"{MARK}{side}{number}" for number in range(count)]


def tree(root: Path, side: str, count: int) -> Path:
    """A BIDS tree in which everything that can tells who somebody is, in EDF, BDF and FIF files."""
    root.mkdir(parents=True)
    lines = ["participant_id\tage\tname\tbirth\tnumber"]
    for i, person in enumerate(people(side, count)):
        lines.append(f"sub-{person}\t{30 + i}\t{MARK} Doe\t1951-02-03\tH47110815")
        stem = root / f"sub-{person}" / "ses-20190723" / "eeg" / f"sub-{person}_ses-20190723_task-tap"
        stem.parent.mkdir(parents=True)
        said = [*blocks(40), (3.0, 0.0, f"{MARK} Doe coughs, H47110815"), (99.0, 0.0, f"{MARK} left 2019-07-23")]
        signals = tapping(40, (count + 1) * i + len(side))
        if i % 3 == 2:
            fif(stem.with_name(f"{stem.name}_eeg.fif"), signals)
        else:
            kind = (".edf", ".bdf")[i % 3]
            written(stem.with_name(f"{stem.name}_eeg{kind}"), signals, width=2 + i % 3, events=said)
        rows = ["onset\tduration\ttrial_type", *(f"{at:g}\t{lasts:g}\t{word}" for at, lasts, word in sorted(said))]
        stem.with_name(f"{stem.name}_events.tsv").write_text("\n".join(rows) + "\n")
        names = ["name\ttype\tunits\tstatus\tstatus_description"]
        names += [f"{one}\tEEG\tuV\t{'bad' if one == 'O2' and i == 0 else 'good'}\t{MARK} moved" for one in NAMES]
        stem.with_name(f"{stem.name}_channels.tsv").write_text("\n".join(names) + "\n")
        stem.with_name(f"{stem.name}_eeg.json").write_text(
            f'{{"SamplingFrequency": {RATE}, "EEGReference": "{MARK}", "InstitutionName": "{MARK}", "DeviceSerialNumber": "H47110815"}}'
        )
    (root / "participants.tsv").write_text("\n".join(lines) + "\n")
    return root


def fif(path: Path, signals: np.ndarray) -> None:
    import datetime

    raw = mne.io.RawArray(signals * 1e-6, mne.create_info(list(NAMES), RATE, "eeg"), verbose="ERROR")
    raw.set_meas_date(datetime.datetime(1903, 5, 17, tzinfo=datetime.UTC))
    raw.info["subject_info"] = {
        "his_id": "H47110815",
        "last_name": f"{MARK}NAME",
        "birthday": datetime.date(1951, 2, 3),
    }
    raw.info["experimenter"], raw.info["description"] = f"{MARK}TECH", f"{MARK}WARD"
    raw.save(path, verbose="ERROR")


def texts(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and those that are packed in it."""
    content = path.read_bytes()
    yield path.name.encode()
    yield content
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield table.to_pandas().reset_index().to_csv().encode()
        yield repr(table.schema.metadata).encode()
    if path.suffix == ".gz":
        yield gzip.decompress(content)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            yield from (packed.read(name) for name in packed.namelist())


def found_in(*folders: Path) -> dict[str, list[str]]:
    """Which needles stand where, in any case and as UTF-8 or UTF-16."""
    hits: dict[str, list[str]] = {}
    for folder in folders:
        for path in sorted(one for one in ([folder] if folder.is_file() else folder.rglob("*")) if one.is_file()):
            low = [text.lower() for text in texts(path)]
            for needle in NEEDLES:
                for code in ("utf-8", "utf-16-le"):
                    if any(needle.lower().encode(code) in text for text in low):
                        hits.setdefault(needle, []).append(f"{path.parent.name}/{path.name}")
    return hits


def command(*words: object, cache: Path) -> str:
    environment = {**os.environ, "PELLUCID_CACHE": str(cache), "COLUMNS": "400"}
    done = subprocess.run(
        [sys.executable, "-m", "pellucid", *map(str, words)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="names with the marks of other systems")
def test_a_run_and_an_evaluation_leave_no_byte_that_tells_who_somebody_is(tmp_path):
    data, other = tree(tmp_path / "data" / f"{MARK}-study", "a", 9), tree(tmp_path / "other", "b", 4)
    # One file is broken, so that what is said of it is looked at too.
    broken = sorted(data.rglob("*_eeg.edf"))[0]
    broken.write_bytes(broken.read_bytes()[:-999])
    no_events = sorted(other.rglob("*_events.tsv"))[-1]
    no_events.unlink()
    assert set(found_in(tmp_path / "data")) >= {
        MARK,
        "17-MAY-1903",
        "17.05.03",
        "1951-02-03",
        "H47110815",
        "2019-07-23",
        "20190723",
    }
    (tmp_path / "study.toml").write_text(STUDY)
    assert tomllib.loads(STUDY)["dataset"] == "bids-eeg"
    cache, run = tmp_path / "cache", tmp_path / "run"
    said = command("run", tmp_path / "study.toml", "--data", data, "--out", run, "--skip-broken", cache=cache)
    said += command(
        "evaluate", run, "--data", other, "--out", tmp_path / "evaluation.json", "--skip-broken", cache=cache
    )
    (tmp_path / "said.txt").write_text(said.replace(str(data), "DATA"))
    kept = [path for path in run.rglob("*") if path.is_file()]
    assert {path.name for path in kept} >= {
        "run.json",
        "report.html",
        "log.txt",
        "weights.safetensors",
        "explanations.parquet",
    }
    assert any(cache.rglob("signals.npy"))
    assert "cut short" in (run / "run.json").read_text()
    assert "no table of events" in (tmp_path / "evaluation.json").read_text()
    assert found_in(run, cache, tmp_path / "evaluation.json", tmp_path / "said.txt") == {}
