"""Options as a user writes them: what is misspelt is told with the nearest name, within options too."""

import pytest

from pellucid.data.spec import Frozen
from pellucid.errors import StudyError
from pellucid.part import Config, configured


class Long(Frozen):
    """How long something may take."""

    limit: int = 3


class Settings(Config):
    """Settings with settings within."""

    long: Long = Long()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lng": {}}, "has no option 'lng'; did you mean 'long'"),
        ({"long": {"limt": 1}}, r"long.limt: there is no such field; did you mean 'limit'"),
        ({"long": {"limit": "much"}}, r"long.limit: Input should be a valid integer.*'much'"),
    ],
)
def test_a_misspelt_option_is_told_with_the_nearest(options, said):
    with pytest.raises(StudyError, match=f"protocol 'it'.*{said}"):
        configured("protocol", "it", Settings, options)
