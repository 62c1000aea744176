"""Progress on a terminal: a bar a training, a line where there is no terminal."""

from __future__ import annotations

import math
import sys
import time

from pellucid.training.loop import Watcher


def bars(*, visible: bool = True) -> Watcher:
    """Bars on a terminal, a plain line for each message elsewhere, nothing if not visible."""
    if not visible:
        return Watcher()
    return TrainingBars() if sys.stderr.isatty() else Lines()


class Lines(Watcher):
    """One line a message, on stderr: for logs and pipes."""

    def __init__(self) -> None:
        self.begun = time.monotonic()

    def say(self, message: str) -> None:
        """Print it with the seconds since the beginning."""
        sys.stderr.write(f"[{time.monotonic() - self.begun:6.1f} s] {message}\n")
        sys.stderr.flush()

    def start(self, what: str, epochs: int) -> None:
        """Say what is trained."""
        self.say(what)


class TrainingBars(Watcher):
    """A bar for each training, gone when it ends; messages stay."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(), console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self.task: object = None

    def say(self, message: str) -> None:
        """Print it above the bar."""
        self.progress.console.print(message, highlight=False)

    def start(self, what: str, epochs: int) -> None:
        """Draw a bar."""
        self.progress.start()
        self.task = self.progress.add_task(what, total=epochs, loss="")

    def epoch(self, done: int, training: float, validation: float) -> None:
        """Move it on."""
        loss = f"loss {training:.4g}" + ("" if math.isnan(validation) else f", validation {validation:.4g}")
        self.progress.update(self.task, completed=done, loss=loss)  # type: ignore[arg-type]

    def stop(self) -> None:
        """Take it away."""
        if self.task is not None:
            self.progress.remove_task(self.task)  # type: ignore[arg-type]
        self.progress.stop()
        self.task = None
