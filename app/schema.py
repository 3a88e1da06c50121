"""A job as JSON: the one form in which programs get to see it."""

from dataclasses import asdict
from typing import Any

from app.exports import FORMATS
from app.request import FIELDS, TextToVideoRequest
from app.service import Status


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
        "settings": {field: getattr(request, field) for field in FIELDS}
        if isinstance(request, TextToVideoRequest)
        else None,
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
