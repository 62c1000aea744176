"""``python -m pellucid``: the command, where it is not on the path."""

from pellucid.command.main import main

if __name__ == "__main__":
    main()
