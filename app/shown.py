"""Which files of the results are shown: not those of what was thrown away."""

from pathlib import Path

from app.jobs.store import JobStore
from app.result import Result


def is_shown(file: Path, results: Path, store: JobStore) -> bool:
    """Whether anybody who knows the name of a file may have it.

    The files of a job that was thrown away are kept for a while so that its owner can bring it
    back; until then only those are shown that another job has gone on from.

    Args:
        file: Resolved, inside ``results``.
        results: The folder of all results, resolved.
        store: The jobs.
    """
    day_job_name = file.relative_to(results).parts
    if len(day_job_name) != 3 or day_job_name[1] not in store:
        return False  # half written, or about to be removed
    job_id = day_job_name[1]
    return not store.is_deleted(job_id) or any(
        _is_of(file, result)
        for job in store.that_go_on_from(job_id)
        for result in (*job.results, *job.kept)
    )


def _is_of(file: Path, result: Result) -> bool:
    """Whether a file is one of a result's, or was made from it to be downloaded."""
    own, name = result.video.stem, file.name
    return file.parent.name == result.video.parent.name and name.startswith((f"{own}.", f"{own}-"))
