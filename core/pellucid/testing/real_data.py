"""Real data for tests: the folder that ``PELLUCID_DATA`` names, or one beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "PELLUCID_DATA"
BESIDE = Path("..") / "shared" / "data"
"""Where data lie beside a checkout, seen from the folder that tests are started in."""


def real_data(*parts: str) -> Path:
    """A folder of real data, or the test that asks for it is skipped with the reason.

    Parameters
    ----------
    *parts : str
        Below the data folder: ``real_data("ct", "lidc_solid_nodules")``.
    """
    import pytest

    named = os.environ.get(VARIABLE)
    folder = (Path(named) if named else BESIDE).joinpath(*parts)
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}: {VARIABLE} names the folder that holds {'/'.join(parts)}")
    return folder.resolve()
