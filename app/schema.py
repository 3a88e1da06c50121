"""A job as JSON: the one form in which programs get to see it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app.exports import FORMATS
from app.films.check import NUMBER_FIELDS
from app.films.request import FilmRequest
from app.line import Status
from app.loras.choice import told
from app.loras.request import LoraTrainingRequest
from app.loras.use import LoraUse
from app.request import FIELDS, LORAS, SWITCHES, Request, TextToVideoRequest
from lavie.pipelines.story import story_json

if TYPE_CHECKING:
    from lora.registry import Entry

_TOLD_OF_LORAS = ("id", "name", "token", "kind", "base_model", "rank", "num_bytes", "sha256")
_TRAINING_SETTINGS = ("name", "token", "class_word", "effort", "num_pictures", "keeps_pictures")
_FILM_SETTINGS = ("negative_prompt", *(name for name in NUMBER_FIELDS if name != "overlap"))


def job_json(status: Status) -> dict[str, Any]:
    """Tell all about a job that a program needs; paths of this computer are not among it.

    Args:
        status: The job, and what comes before it.

    Returns:
        Only what JSON can hold; docs/api.md explains each name.
    """
    job, progress = status.job, status.job.progress
    request = job.request
    return {
        "id": job.id,
        "state": job.state,
        "created": job.created.isoformat(),
        "prompt": request.prompt,
        "seed": request.seed,
        "stages": list(request.stages),
        "settings": _settings(request),
        "stage": progress.stage if progress else None,
        "step": progress.step if progress else None,
        "total": progress.total if progress else None,
        "seconds_left": progress.seconds_left if progress else None,
        "place": status.num_ahead if job.state == "queued" else None,
        "seconds_ahead": status.seconds_ahead,
        "error": job.error,
        "note": job.note,
        "is_starred": job.is_starred,
        "is_deleted": job.deleted is not None,
        "results": [
            {
                "stage": result.stage,
                "seed": result.seed,
                "seconds": result.seconds,
                **{name: asdict(result.effort)[name] for name in ("num_frames", "width", "height")},
                "formats": list(FORMATS),
            }
            for result in job.results
        ],
    }


def lora_json(entry: "Entry") -> dict[str, Any]:
    """Tell of a LoRA what a program needs; paths of this computer are not among it."""
    return {
        **{name: getattr(entry, name) for name in _TOLD_OF_LORAS},
        "tags": list(entry.tags),
        "created": entry.created.isoformat(),
        "is_deleted": entry.deleted is not None,
    }


def _settings(request: Request) -> dict[str, Any] | None:
    """What the endpoint that asked for it was told."""
    if isinstance(request, TextToVideoRequest):
        return {field: getattr(request, field) for field in FIELDS} | _loras(request.loras)
    if isinstance(request, LoraTrainingRequest):
        return {
            **{name: getattr(request, name) for name in _TRAINING_SETTINGS},
            "kind": request.lora_kind,
            "num_steps": request.training.num_steps,
            "prompt": request.sample_prompt,
        }
    if not isinstance(request, FilmRequest):
        return None
    return {
        **{name: getattr(request, name) for name in (*SWITCHES, *_FILM_SETTINGS)},
        "story": story_json(request.story),
        "overlap": request.num_given,
        **_loras(request.loras),
        "parts": [
            {
                "line": part.line,
                "prompt": part.prompt,
                "seed": part.seed,
                "num_frames": part.num_new,
            }
            for part in request.parts
        ],
    }


def _loras(loras: Sequence[LoraUse]) -> dict[str, Any]:
    """As the endpoints take them."""
    return {LORAS: told(loras)}
