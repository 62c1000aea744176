"""Where the command ``pellucid`` begins: what it raises on purpose becomes one message, and listing is quick."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pellucid.errors import PellucidError


def main() -> None:
    """Run the command line; a :class:`~pellucid.errors.PellucidError` is printed on stderr, with exit code 2."""
    try:
        match sys.argv[1:]:
            # Listing does not wait for typer: recent versions import pydantic to read any argument, which takes longer than
            # the listing itself. Other ways to write it (--kind=head, --help) go through typer like everything else.
            case ["list"]:
                _overview(None)
            case ["list", "--kind", kind]:
                _overview(kind)
            case ["list", kind] if not kind.startswith("-"):
                _overview(kind)
            case ["list", kind, *choices] if not kind.startswith("-") and (where := _conditions(choices)) is not None:
                _overview(kind, where)
            case _:
                from pellucid.command.commands import app

                app()
    except PellucidError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(2)
    except BrokenPipeError:
        # The reader (head, less) has seen enough; without this Python complains once more when it flushes at exit.
        sys.stderr.close()
        sys.exit(1)


def _conditions(arguments: list[str]) -> list[str] | None:
    """What stands behind each ``--where``; None where there is anything else."""
    pairs = list(zip(arguments[::2], arguments[1::2], strict=False))
    return [value for _, value in pairs] if arguments == [one for _, v in pairs for one in ("--where", v)] else None


def _overview(kind: str | None, where: Sequence[str] = ()) -> None:
    from pellucid.command.component_tables import show_installed

    show_installed(kind, where)
