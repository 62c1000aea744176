"""The dataset ``zuco``: electroencephalograms of people who read sentences, from the files of ZuCo 1.0 and 2.0."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.cache import cache_folder
from pellucid.data import Binary, DataSpec, pseudonym
from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays, Finding
from pellucid.data.spec import Frozen, Sentences, Signal, Text, Vector
from pellucid.errors import DataError
from pellucid.store.prepared import Preparing, made_from, prepared
from pellucid_eeg.zuco.files import RATE_HZ as RECORDED_HZ
from pellucid_eeg.zuco.files import ROWS, read_readings
from pellucid_eeg.zuco.synthetic import PROMPT_NUMBERS, PROMPTS

NAME = "zuco"
FORMAT = 1
"""To be raised whenever signals come out differently: what was kept before is then not found."""

RATE_HZ, LENGTH = 128.0, 1280
SHORTEST_S, LONGEST_S = 0.5, 10.0
CHANNELS = ROWS - 1

TASKS = {"SR": 1, "NR": 1, "TSR": 2}
"""Number of the task prompt: reading movie reviews and reading biographies are both normal reading."""

SPLIT_SEED = 42
SHARE = 0.1
"""Of the sentences of each task that are tested, and as many again for validation."""

_FILE = re.compile(r"results(?P<person>[A-Z]{3})_(?P<task>SR|NR|TSR)\.mat", re.IGNORECASE)


class ZucoConfig(Frozen):
    """Options of :class:`Zuco`.

    Parameters
    ----------
    skip_broken : bool
        Leave out files that cannot be read and list them, instead of refusing all. Sentences without a recording, with
        values that are no numbers, or read for less than half a second or more than ten, are always left out and listed.
    cache : bool
        Whether what was read is kept between runs: half a megabyte a sentence.
    """

    skip_broken: bool = False
    cache: bool = True


class Zuco(Dataset):
    """Sentences of ZuCo 1.0 and 2.0 with the signals recorded while they were read.

    One sample is a sentence: 104 channels in uV, brought from 500 to 128 Hz by a Fourier transform, padded with zeros to ten
    seconds and masked; nothing is filtered or scaled. ``prompt`` holds the numbers of task, dataset and reader. The target
    ``corpus`` says whether the sentence is from movie reviews or from biographies; where the task was to look for a relation the
    prompt gives it away, so mind the control. The column ``official`` has the split by sentence that GLIM was trained on, as far as
    its rule is known: with ``apart = ["sentence"]`` and ``column = "official"`` results are of unseen sentences and seen subjects.

    Parameters
    ----------
    config : ZucoConfig, optional
    data : Path
        A folder with files such as ``resultsZAB_SR.mat``, at any depth. Readers whose names begin with Z are of ZuCo 1.0,
        with Y of 2.0.

    Raises
    ------
    DataError
        If there is no such file, one cannot be read, or no sentence is left.

    References
    ----------
    Hollenstein et al. (2018), doi:10.1038/sdata.2018.291; Hollenstein et al. (2020), arXiv 1912.00903. Selection and
    preparation after Liu et al., arXiv 2505.17099. Which sentences stand on which side depends there on the order of a table
    that was not at hand: sizes are as described, members need not be.
    """

    config_type = ZucoConfig
    config: ZucoConfig

    def __init__(self, config: ZucoConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or ZucoConfig()
        if data is None:
            raise DataError(
                f"{NAME} has no usual place: --data names the folder that holds files such as resultsZAB_SR.mat"
            )
        files = _files(Path(data))
        folder = cache_folder()
        if not config.cache:
            self._temporary = tempfile.TemporaryDirectory(prefix="pellucid-")
            folder = Path(self._temporary.name)
        facts = {"format": FORMAT, "skip_broken": config.skip_broken}
        self._store = prepared(folder / NAME, made_from(facts, files), lambda to: _read(to, files, config.skip_broken))
        self.findings = tuple(Finding(*one) for one in self._store.notes["findings"])
        self.frame = _frame(self._store.table)
        self.spec = _spec()
        self.check()

    @classmethod
    def example_data(cls) -> Dataset:
        """A folder as the archive is laid out, with two made-up readers."""
        from pellucid_eeg.zuco.example import example

        return example()

    def read(self, indices: npt.NDArray[np.integer]) -> Arrays:
        """Some sentences, in the order asked for."""
        found = self._store.read(indices)
        real = np.arange(LENGTH) < found["steps"][:, :1]
        prompt = found["prompt"].astype(np.int64)
        return Arrays({"eeg": found["signals"], "prompt": prompt}, {"eeg": np.repeat(real[:, None], CHANNELS, 1)})


def resampled(signals_uv: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Signals at 128 Hz by a Fourier transform, shape (channel, floor(time * 128 / 500)).

    Parameters
    ----------
    signals_uv : ndarray, shape (channel, time), uV
        At 500 Hz.
    """
    from scipy.signal import resample

    steps = signals_uv.shape[1] * int(RATE_HZ) // int(RECORDED_HZ)
    return np.asarray(resample(signals_uv, steps, axis=1), np.float32)


def official_sides(table: pd.DataFrame) -> pd.Series:
    """Side of each row by its sentence: ``train``, ``validation`` or ``test``.

    A sentence that stands in more than one task or archive, or twice in one, is learnt from. Of the sentences of each task of
    each archive a tenth is tested and a tenth is for validation, drawn among the others by ``numpy.random.default_rng(42)``.

    Parameters
    ----------
    table : DataFrame
        Columns ``archive``, ``task`` and ``sentence``; a row a recording, or a row a sentence of a table of labels.
    """
    # The same sentence read by several people is one line of the table of labels.
    lines = table[["archive", "task", "sentence"]].drop_duplicates()
    times = lines["sentence"].value_counts()
    side = dict.fromkeys(times.index, "train")
    chance = np.random.default_rng(SPLIT_SEED)
    for _, some in lines.groupby(["archive", "task"], sort=True):
        once = sorted(name for name in some["sentence"] if times[name] == 1)
        order = chance.permutation(len(once))
        count = min(round(SHARE * len(some)), len(once) // 2)
        side |= {once[at]: "test" for at in order[:count]}
        side |= {once[at]: "validation" for at in order[count : 2 * count]}
    return table["sentence"].map(side)


def _files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*.mat") if _FILE.fullmatch(path.name))
    if not found:
        raise DataError(f"{folder}: holds no file such as resultsZAB_SR.mat (or _NR, _TSR), at any depth")
    return found


def _read(to: Preparing, files: Sequence[Path], skip_broken: bool) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    findings: list[tuple[str, str, str, str]] = []
    people = sorted({_named(path)[0] for path in files})
    for path in files:
        person, task = _named(path)
        who, archive = pseudonym(person, NAME), f"zuco{2 if person.startswith('Y') else 1}"
        number_of = 1 + people.index(person) % (PROMPT_NUMBERS - 1)
        prompt = np.array([TASKS[task], int(archive[-1]), number_of], np.float32)
        try:
            for number, one in enumerate(read_readings(path)):
                name = f"{archive}-{task.lower()}-{who}-{number:03d}"
                why = one.why or ("" if one.text else "has no words")
                if not why and one.signals_uv is not None:
                    why = _of_wrong_length(one.signals_uv.shape[1])
                if why or one.signals_uv is None:
                    findings.append((name, why, "", "left out"))
                    continue
                signals = resampled(one.signals_uv)
                padded = np.zeros((CHANNELS, LENGTH), np.float32)
                padded[:, : signals.shape[1]] = signals
                to.add(signals=padded, steps=np.array([signals.shape[1]], np.float32), prompt=prompt)
                rows.append({"sample": name, "person": who, "archive": archive, "task": task, "text": one.text,
                             "length_s": one.signals_uv.shape[1] / RECORDED_HZ})  # fmt: skip
        except DataError as error:
            if not skip_broken:
                raise
            told = str(error).replace(path.name, "the file")
            findings.append((f"{archive}-{task.lower()}-{who}", "a file cannot be used", told, "left out"))
    if not rows:
        raise DataError(f"{NAME}: no sentence is left of {len(files)} files ({len(findings)} were left out)")
    to.notes |= {"findings": findings}
    return pd.DataFrame(rows)


def _of_wrong_length(steps: int) -> str:
    seconds = steps / RECORDED_HZ
    if seconds < SHORTEST_S:
        return f"was read for less than {SHORTEST_S:g} s"
    return f"was read for more than {LONGEST_S:g} s" if seconds > LONGEST_S else ""


def _named(path: Path) -> tuple[str, str]:
    """Reader and task."""
    found = _FILE.fullmatch(path.name)
    assert found is not None
    return found["person"].upper(), found["task"].upper()


def _frame(table: pd.DataFrame) -> pd.DataFrame:
    sentence = [hashlib.blake2b(text.encode(), digest_size=8).hexdigest() for text in table["text"]]
    frame = pd.DataFrame(
        {
            "subject": table["person"].to_numpy(),
            "sentence": sentence,
            "corpus": (table["task"] != "SR").to_numpy(float),
            "archive": table["archive"].to_numpy(),
            "task": table["task"].to_numpy(),
            "length_s": table["length_s"].to_numpy(float),
            "text:sentence": table["text"].to_numpy(),
        },
        index=pd.Index(table["sample"].to_numpy(), name="sample"),
    )
    frame["official"] = official_sides(frame)
    return frame


def _spec() -> DataSpec:
    inputs: Mapping[str, Any] = {
        "eeg": Signal(
            channels=tuple(f"E{at + 1}" for at in range(CHANNELS)), length=LENGTH, rate_hz=RATE_HZ, units="uV"
        ),
        "prompt": Text(vocabulary=PROMPT_NUMBERS, length=len(PROMPTS)),
    }
    return DataSpec(
        name=NAME,
        inputs=inputs,
        targets={"corpus": Binary(names=("movie", "life"), about="whether it is about a movie or somebody's life")},
        groups=("subject", "sentence"),
        namespace=NAME,
        covariates=Vector(names=("length_s",), units=("s",)),
        trivial=("length_s",),
        texts={"sentence": Sentences(about="what was read")},
        about=(
            "Sentences read at one's own pace. Every reader of an archive read the same sentences, so a split by sentence is judged on "
            "seen subjects and one by subject on seen sentences."
        ),
    )
