"""Words out of a recording's own files in what is told of it: an error may quote them, a report must not, as they may be a person's."""

from __future__ import annotations

import re
from dataclasses import replace

from pellucid_ecg.recordings.leads import canonical, is_lead
from pellucid_ecg.recordings.recording import EcgRecording

__all__ = ["unquoted", "with_plain_leads"]

WORDS = "(words of its file)"

_QUOTED = re.compile(r"""(?<![^\s(])(?:'[^'\n]*'|"[^"\n]*")(?!\w)""")
_FILE = re.compile(r"""[^\s'"(]+\.(?:hea|dat|mat|atr|csv)(?!\w)""")


def unquoted(text: str, own: str) -> str:
    """A message without what it quotes: names of files and fields other than ``own`` and the names of leads.

    Parameters
    ----------
    text : str
    own : str
        What the recording may be called: names that begin with it stay.

    Examples
    --------
    >>> unquoted("r1.hea: its data file 'Doe.dat' is not in 'Doe, John'; fetch it again", "r1")
    'r1.hea: its data file (words of its file) is not in (words of its file); fetch it again'
    """

    def file(found: re.Match[str]) -> str:
        return found[0] if found[0].startswith(own) else WORDS

    def quoted(found: re.Match[str]) -> str:
        inside = found[0][1:-1]
        return found[0] if inside.startswith(own) or is_lead(inside) else WORDS

    return _FILE.sub(file, _QUOTED.sub(quoted, text))


def with_plain_leads(recording: EcgRecording, asked: tuple[str, ...] = ()) -> EcgRecording:
    """The recording with numbers for its leads that are neither asked for nor known: a header may call a signal anything.

    Parameters
    ----------
    recording : EcgRecording
    asked : tuple of str
        Names that somebody wrote into an option.
    """
    known = {canonical(name) for name in asked}
    leads = tuple(
        name if is_lead(name) or canonical(name) in known else f"signal {number}"
        for number, name in enumerate(recording.leads, 1)
    )
    return recording if leads == recording.leads else replace(recording, leads=leads)
