"""Reading numpydoc docstrings: a component's card is what its author wrote in the code."""

from __future__ import annotations

import inspect
import re

_RULE = re.compile(r"^(?P<title>[A-Z][A-Za-z ]+)\n-{3,}$", re.MULTILINE)


def sections(doc: str | None) -> dict[str, str]:
    """Sections of a docstring by title; the text above the first stands under ``""``.

    Examples
    --------
    >>> sections("Sums up.\\n\\nReferences\\n----------\\nNewton (1687).")
    {'': 'Sums up.', 'References': 'Newton (1687).'}
    """
    text = inspect.cleandoc(doc or "")
    found = list(_RULE.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    parts = {"": text[: found[0].start()] if found else text}
    parts |= {match["title"]: text[match.end() : end] for match, end in zip(found, ends, strict=False)}
    return {title: body.strip() for title, body in parts.items()}


def parameters(doc: str | None) -> dict[str, str]:
    """What a docstring's ``Parameters`` section says of each parameter, on one line.

    Examples
    --------
    >>> parameters("Adds.\\n\\nParameters\\n----------\\nleft, right : int\\n    What to add.\\nmore : int")
    {'left': 'What to add.', 'right': 'What to add.', 'more': ''}
    """
    found: dict[str, str] = {}
    names: list[str] = []
    for line in sections(doc).get("Parameters", "").splitlines():
        if line and not line[0].isspace():
            names = [name.strip() for name in line.partition(" :")[0].split(",")]
            found |= dict.fromkeys(names, "")
        elif line.strip():
            found |= {name: f"{found[name]} {line.strip()}".strip() for name in names}
    return found
