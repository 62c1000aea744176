"""Checkpoints: everything that an interrupted training needs to go on as if nothing had happened."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from pellucid.errors import RunError
from pellucid.files import writing
from pellucid.training.averaging import RunningMean


@dataclass
class Progress:
    """How far a training has come.

    Parameters
    ----------
    epoch : int
        Epochs that are complete.
    best_epoch : int
        Epoch with the lowest validation loss, from 1; 0 before the first. The last, where there are no validation samples.
    best_loss : float
    training, validation : list of float
        Mean loss of each epoch; the latter is empty where there are no validation samples.
    done : bool
        Whether the training has ended, by its last epoch or early.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    done: bool = False


class Checkpoint:
    """One file that holds a module, its best state so far, its running mean, its optimizer and the progress.

    Chance needs no place in it: the loop draws its seed anew for every epoch.

    Parameters
    ----------
    path : Path
    about : dict
        Settings that must agree when the training goes on.
    """

    def __init__(self, path: Path, about: dict[str, object]) -> None:
        self.path, self.about = path, about

    def save(
        self, module: nn.Module, best: dict[str, Tensor], optimizer: torch.optim.Optimizer, progress: Progress,
        mean: RunningMean | None = None,
    ) -> None:  # fmt: skip
        """Write all of it atomically."""
        from safetensors.torch import save

        tensors = {f"now/{k}": v.detach().contiguous().clone() for k, v in module.state_dict().items()}
        tensors |= {f"best/{k}": v.contiguous() for k, v in best.items()}
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{k}": torch.as_tensor(v).contiguous() for k, v in state.items()}
        if mean is not None:
            tensors |= {f"mean/{k}": v.contiguous() for k, v in mean.values.items()}
            tensors["added"] = torch.tensor(mean.added)
        header = {"progress": json.dumps(asdict(progress)), "about": json.dumps(self.about, sort_keys=True)}
        with writing(self.path) as temporary:
            temporary.write_bytes(save(tensors, header))

    def load(
        self, module: nn.Module, optimizer: torch.optim.Optimizer, mean: RunningMean | None = None
    ) -> tuple[Progress, dict[str, Tensor]] | None:
        """Put module, optimizer and mean back; gives the progress and the best state, or None where there is no file.

        Raises
        ------
        RunError
            If the file was written with other settings or cannot be read.
        """
        if not self.path.exists():
            return None
        tensors, header = self._read()
        if header["about"] != json.dumps(self.about, sort_keys=True):
            raise RunError(f"{self.path} was written with other settings; delete it, or choose another --out")
        module.load_state_dict(_under(tensors, "now/"))
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _under(tensors, "optimizer/").items():
            index, _, key = name.partition("/")
            state.setdefault(int(index), {})[key] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        if mean is not None:
            mean.continued(_under(tensors, "mean/"), int(tensors["added"]))
        return Progress(**json.loads(header["progress"])), _under(tensors, "best/")

    def _read(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, framework="pt") as file:
                return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118 - no dict
        except (SafetensorError, OSError) as error:
            raise RunError(
                f"{self.path} cannot be read as a checkpoint ({error}); delete it to train this part anew"
            ) from error


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
