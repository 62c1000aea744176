"""What an evaluation says of a folder with members of several groups that a run has learnt from."""

from types import SimpleNamespace

import pandas as pd
import pytest

from pellucid.data.spec import DataSpec
from pellucid.data.subjects import LearnedFrom
from pellucid.errors import LeakageError
from pellucid.evaluation import _unknown

SPEC = DataSpec(name="x", inputs={}, targets={}, namespace="x", groups=("scaffold", "molecule", "parent"),
                group_word=("scaffold", "scaffolds"))  # fmt: skip


class Folder(SimpleNamespace):
    """A dataset, as far as the refusal asks."""

    def __len__(self) -> int:
        return len(self.frame)


def test_each_group_is_counted_by_its_own_word_in_the_order_of_the_dataset():
    frame = pd.DataFrame({"scaffold": list("aabc"), "molecule": list("mnop"), "parent": list("qqrs")})
    folder = Folder(spec=SPEC, frame=frame, learned_from=LearnedFrom.of({c: frame[c] for c in SPEC.groups}, "x"))
    known = LearnedFrom.of({"parent": ["q"], "molecule": ["m", "n"], "scaffold": ["a", "z"]}, "x")
    with pytest.raises(LeakageError) as caught:
        _unknown(folder, "", known, {"linear": known}, "run has learnt from", "here", skip=False)
    counts = "1 of 3 scaffolds, 2 of 4 molecules and 1 of 3 parents (2 of 4 samples)"
    assert f"run has learnt from {counts} in here" in str(caught.value)
