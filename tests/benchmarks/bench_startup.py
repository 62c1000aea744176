"""CPU seconds of ``import pellucid`` and ``pellucid list`` in fresh processes: ``python tests/benchmarks/bench_startup.py``."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

CASES = {
    "python alone": "pass",
    "import pellucid": "import pellucid",
    "pellucid list": "import sys; sys.argv = ['pellucid', 'list']; from pellucid.command.main import main; main()",
    "import torch": "import torch",
}


def cpu_s(code: str) -> float:
    """User and system seconds of one child."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    for code in CASES.values():
        cpu_s(code)
    for name, code in CASES.items():
        seconds = [cpu_s(code) for _ in range(7)]
        print(f"{name:16s} {statistics.median(seconds):.3f} CPU-s [{min(seconds):.3f}..{max(seconds):.3f}]")
