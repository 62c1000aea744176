"""Equations of Lorenz's attractor from 10,000 and 100,000 samples: ``python tests/benchmarks/bench_sindy.py``.

Rates from neighbouring samples, twenty products up to the third degree, thresholded least squares, beside pysindy on the same samples with
the same threshold, in one process; and the rates of one point, by the exported function beside pysindy's ``predict``. The aims are 8 times
faster at least to fit, and 15 times to predict. Both find the same seven terms. Times are CPU seconds of one core, ratios are medians over
interleaved runs. pysindy comes with the extra ``peers``.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy starts

import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pellucid.heads.equations import written
from pellucid.heads.equations.stlsq import stlsq
from pellucid.monomials import Monomials
from pellucid_datasets.dynamics.systems import SYSTEMS, simulated

ROUNDS, DT, THRESHOLD = 9, 0.002, 0.1
LIBRARY = Monomials.up_to(3, ("x", "y", "z"))


def fit(x: np.ndarray) -> np.ndarray:
    """Coefficients, shape (equation, term)."""
    return stlsq(LIBRARY.of(x), np.gradient(x, DT, axis=0), threshold=THRESHOLD).T


def medians(ways: Mapping[str, Callable[[], Any]], times: int = 1) -> dict[str, float]:
    """CPU seconds of each way, one after the other in every round."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.process_time()
            for _ in range(times):
                way()
            spent[name].append((time.process_time() - start) / times)
    return {name: statistics.median(some) for name, some in spent.items()}


def main() -> None:
    """Print the ratios."""
    try:
        import pysindy
    except ImportError:
        print("pysindy is not here: pip install 'pellucid[peers]'")
        sys.exit(0)
    warnings.simplefilter("ignore")  # pysindy warns of its own calls

    def theirs(x: np.ndarray) -> Any:
        model = pysindy.SINDy(
            optimizer=pysindy.STLSQ(threshold=THRESHOLD), feature_library=pysindy.PolynomialLibrary(degree=3)
        )
        model.fit(x, t=DT)
        return model

    for count in (10_000, 100_000):
        (x,) = simulated(SYSTEMS["lorenz63"], episodes=1, steps=count, dt=DT, seed=0).values
        ours, model = fit(x), theirs(x)
        same = (ours != 0) == (model.coefficients() != 0)
        assert same.all(), "other terms than pysindy's"
        assert np.allclose(ours, model.coefficients(), rtol=0.01, atol=0.01)
        took = medians({"pysindy": lambda x=x: theirs(x), "pellucid": lambda x=x: fit(x)})
        print(
            f"fit, {count:,} samples: {1e3 * took['pellucid']:.2f} ms, pysindy {1e3 * took['pysindy']:.1f} ms, "
            f"{took['pysindy'] / took['pellucid']:.1f} times faster"
        )
    predict = written.compiled(written.source(("x", "y", "z"), LIBRARY.names, ours, ("x", "y", "z")))
    one = x[:1]
    assert np.allclose(predict(one), model.predict(one), rtol=0.01)
    took = medians({"pysindy": lambda: model.predict(one), "pellucid": lambda: predict(one)}, times=200)
    print(
        f"predict, one point: {1e6 * took['pellucid']:.0f} us, pysindy {1e6 * took['pysindy']:.0f} us, "
        f"{took['pysindy'] / took['pellucid']:.0f} times faster"
    )


if __name__ == "__main__":
    main()
