"""The report: one HTML file that needs no network and no script."""

from __future__ import annotations

from pathlib import Path


def build(folder: Path) -> Path:
    """Write ``report.html`` into a run folder; see :func:`pellucid.report.page.build_report`."""
    from pellucid.report.page import build_report

    return build_report(folder)
