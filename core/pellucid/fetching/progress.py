"""What a person sees while data arrive: a bar on a terminal, a line a file elsewhere."""

from __future__ import annotations

import sys


class Watcher:
    """Told what goes on; this one keeps it to itself."""

    def start(self, name: str, done: int, total: int) -> None:
        """A file of ``total`` bytes is begun, or continued with ``done`` of them."""

    def moved(self, done: int) -> None:
        """So many bytes of it are here."""

    def stop(self) -> None:
        """It has ended, well or not."""

    def say(self, message: str) -> None:
        """Something happened that a person wants to know."""


class Lines(Watcher):
    """One line a message on stderr: for logs and pipes."""

    def say(self, message: str) -> None:
        """Print it."""
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()

    def start(self, name: str, done: int, total: int) -> None:
        """Name the file."""
        from rich.filesize import decimal

        self.say(f"{name}: {decimal(total)}" + (f", going on after {decimal(done)}" if done else ""))


class DownloadBars(Watcher):
    """A bar a file, gone when it ends; messages stay."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        self.progress = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip

    def say(self, message: str) -> None:
        """Print it above the bar."""
        self.progress.console.print(message, highlight=False, markup=False)

    def start(self, name: str, done: int, total: int) -> None:
        """Draw a bar."""
        self.progress.start()
        self.task = self.progress.add_task(name, completed=done, total=total)

    def moved(self, done: int) -> None:
        """Move it on."""
        self.progress.update(self.task, completed=done)

    def stop(self) -> None:
        """Take it away."""
        for task in self.progress.task_ids:
            self.progress.remove_task(task)
        self.progress.stop()


def watching() -> Watcher:
    """Bars on a terminal, lines elsewhere."""
    return DownloadBars() if sys.stderr.isatty() else Lines()
