"""Whether published models can be fetched: asked once and quickly, before a library tries again and again."""

from __future__ import annotations

from pellucid.errors import StudyError

PATIENCE_S = 5.0
"""For an answer of the hub."""

GIVE = "Give a folder with config.json, tokenizer.json and model.safetensors"


def refuse_unreachable(name: str, revision: str) -> None:
    """Ask the hub once for a model that is not on this machine.

    What the library ``huggingface_hub`` is told by its own variables (``HF_HUB_OFFLINE``, ``HF_ENDPOINT``, ``HF_TOKEN``) holds here too.

    Raises
    ------
    StudyError
        If the hub does not answer, has no such model, or does not give it to everybody.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    here = f"text model {name!r} is not on this machine"
    try:
        HfApi().model_info(name, revision=revision, timeout=PATIENCE_S)
    except HFValidationError:
        raise StudyError(f"text model {name!r} is neither a folder nor a name that a hub could have. {GIVE}") from None
    except GatedRepoError:
        raise StudyError(f"{here}, and the hub gives it to those alone who have accepted its terms. {GIVE}") from None
    except RevisionNotFoundError:
        raise StudyError(f"{here}, and the hub has no revision {revision!r} of it; name one that it has") from None
    except RepositoryNotFoundError:
        raise StudyError(f"{here}, and the hub has none of this name, or not for everybody. {GIVE}") from None
    except Exception as error:  # noqa: BLE001
        # Of whatever library the hub's own one speaks with: each has its errors, and all mean that nothing can be fetched.
        told = str(error).strip().partition("\n")[0] or type(error).__name__
        raise StudyError(
            f"{here}, and the hub cannot be reached ({told}). {GIVE}, or run it once where there is a network: what was fetched is kept"
        ) from None
