"""What structures are of one framework, and made-up ones whose pores are known."""

from __future__ import annotations

import csv
import re
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np

_REFCODE = re.compile(r"^([A-Z]{6})(\d\d)?(?:_|$)")


def framework_of(name: str) -> str:
    """The family of a reference code of the Cambridge Structural Database: its six letters; another name as it is.

    Examples
    --------
    >>> framework_of("JIVSAJ01_clean"), framework_of("ABAVIJ_clean"), framework_of("ja406030p_si_007_manual")
    ('JIVSAJ', 'ABAVIJ', 'ja406030p_si_007_manual')
    """
    found = _REFCODE.match(name)
    return found[1] if found else name


METALS = ("Zn", "Cu", "Co", "Zr")


def made_up(seed: int, edge_angstrom: float | None = None) -> tuple[str, float, bool]:
    """The CIF text of a cubic cell with one metal atom, walls of carbon and a window in them.

    Parameters
    ----------
    seed : int
    edge_angstrom : float, optional
        By default 8 to 14.

    Returns
    -------
    text : str
    cavity_angstrom : float
        Diameter of the ball that fits between the corners, where the atoms are.
    bare : bool
        Whether the metal has fewer than four oxygen atoms around it.
    """
    rng = np.random.default_rng(seed)
    edge = float(rng.uniform(8, 14)) if edge_angstrom is None else edge_angstrom
    bare = bool(rng.integers(2))
    metal = METALS[rng.integers(len(METALS))]
    sites = [(metal, np.zeros(3))]
    arms = np.concatenate([np.eye(3), -np.eye(3)])[: 3 if bare else 6]
    sites += [("O", 2.0 / edge * arm) for arm in arms]
    sites += [("C", 3.4 / edge * arm) for arm in arms]
    lines = [f"{symbol}{at} {symbol} {x:.5f} {y:.5f} {z:.5f} 1.0" for at, (symbol, (x, y, z)) in enumerate(sites)]
    head = [f"data_m{seed}", "_symmetry_space_group_name_H-M 'P 1'"]
    head += [f"_cell_length_{axis} {edge:.4f}" for axis in "abc"] + [
        f"_cell_angle_{one} 90" for one in ("alpha", "beta", "gamma")
    ]
    head += [
        "loop_",
        *(f"_atom_site_{one}" for one in ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")),
    ]
    corner = {"Zn": 1.39, "Cu": 1.40}.get(metal, 2.0)
    return "\n".join([*head, *lines]) + "\n", float(np.sqrt(3) * edge - 2 * corner), bare


@contextmanager
def examples(count: int = 60) -> Iterator[Path]:
    """A folder with a table and an archive of made-up structures, in the layout of the package core-mof."""
    with tempfile.TemporaryDirectory(prefix="pellucid-") as name:
        folder = Path(name)
        with (
            tarfile.open(folder / "2019-ASR.tar.xz", "w:xz") as archive,
            (folder / "2019-ASR.csv").open("w", encoding="utf-8", newline="") as table,
        ):
            rows = csv.writer(table)
            rows.writerow(["filename", "LCD", "PLD", "Has_OMS"])
            for at in range(count):
                text, cavity, bare = made_up(at)
                code = "".join(chr(65 + at // 26**place % 26) for place in range(6))
                data = text.encode()
                member = tarfile.TarInfo(f"cifs/{code}_clean.cif")
                member.size = len(data)
                archive.addfile(member, BytesIO(data))
                rows.writerow([f"{code}_clean", f"{cavity:.4f}", f"{cavity / 2:.4f}", "Yes" if bare else "No"])
        yield folder
