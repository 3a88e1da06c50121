"""The studio for programs: named endpoints for gradio_client, curl and assistants (MCP)."""

from collections.abc import AsyncIterator, Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from app import texts
from app.batch import read_batch
from app.exports import export
from app.plain_text import clean_text
from app.request import FIELDS, LORAS, SCHEDULERS, STEP_FIELDS, Range
from app.restore import form_values, read_recipe
from app.schema import job_json
from app.service import Service
from app.visitors import Visitors
from lavie.errors import InputError
from lavie.pipelines.limits import check_choice

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")

_MAX_LISTED = 200


def told(function: Callable[_Arguments, _Answer]) -> Callable[_Arguments, _Answer]:
    """What is wrong with the input reaches the caller as a sentence, and is no fault in the log."""

    @wraps(function)
    def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        try:
            return function(*args, **kwargs)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return call


class Api:
    """The endpoints, but `submit`, whose defaults are the model's.

    Args:
        service: Does the work.
        visitors: Tells to whom what is made belongs.
    """

    def __init__(self, service: Service, visitors: Visitors) -> None:
        self._service = service
        self._visitors = visitors

    @told
    def submit_stage(
        self,
        request: gr.Request,
        job_id: str,
        stage: str,
        num_steps: int | None = None,
        made_by: str = "",
    ) -> dict:
        """Smooth or upscale a video that is there: queues a new job and returns it.

        Args:
            job_id: The job that has the video.
            stage: interpolation (four times the frames) or super_resolution (four times the size).
            num_steps: Denoising steps; left out, the model's own number.
            made_by: Go on from what this stage made; left out, from the latest result.
        """
        job = self._service.find_to_use(_id(job_id))
        check_choice(stage, tuple(STEP_FIELDS), "stage")
        if not job.results:
            raise InputError(texts.NO_SUCH_RESULT, "job_id")
        steps = self._service.card.ranges[STEP_FIELDS[stage]].default  # type: ignore[index]
        new = self._service.submit_next(
            job.id,
            made_by or job.results[-1].stage,
            stage,  # type: ignore[arg-type]  # checked above
            steps if num_steps is None else num_steps,
            *self._visitors.visitor(request),
        )
        return self._json(new.id)

    @told
    def status(self, request: gr.Request, job_id: str) -> dict:
        """Say how a job is: its state, place in the queue, stage, step, seconds left, results.

        Args:
            job_id: The id that submit gave.
        """
        job = self._service.find(_id(job_id), self._visitors.owner(request))
        return job_json(self._service.status(job))

    async def follow(self, request: gr.Request, job_id: str) -> AsyncIterator[dict]:
        """Tell each change of a job until it is over. The last answer is the finished job.

        Args:
            job_id: The id that submit gave.
        """
        try:
            job = self._service.find(_id(job_id), self._visitors.owner(request))
            async for status in self._service.follow(job.id):
                yield job_json(status)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    @told
    def cancel(self, request: gr.Request, job_id: str) -> dict:
        """Stop a job: at once if it waits, within a step if it runs. Finished stages are kept.

        Args:
            job_id: The id that submit gave.
        """
        return self._json(self._service.cancel(_id(job_id), self._visitors.owner(request)).id)

    @told
    def retry(self, request: gr.Request, job_id: str) -> dict:
        """Queue a job again that failed, was cancelled or interrupted. Finished stages are kept.

        Args:
            job_id: The id that submit gave.
        """
        visitor = self._visitors.visitor(request)
        return self._json(self._service.retry(_id(job_id), *visitor).id)

    @told
    def history(
        self,
        request: gr.Request,
        search: str = "",
        limit: int = 50,
        before: str = "",
        only_starred: bool = False,
    ) -> list[dict]:
        """List what was made, newest first.

        Args:
            search: Words that the prompt has to contain.
            limit: At most so many, 1 to 200.
            before: The id of a job; only older ones.
            only_starred: Only those that were starred.
        """
        if not isinstance(search, str) or len(search) > 1000:
            raise InputError(texts.NOT_A_SEARCH, "search")
        number = int(Range(1, _MAX_LISTED, 50).check(limit, "limit"))
        before_id = _id(before) if before else None
        starred = _switch(only_starred)
        owner = self._visitors.owner(request)
        jobs = self._service.history(owner, clean_text(search), number, before_id, starred)
        return [job_json(self._service.status(job)) for job in jobs]

    @told
    def queue(self, request: gr.Request) -> list[dict]:
        """List the jobs that run and those that wait, in their order."""
        owner = self._visitors.owner(request)
        return [job_json(status) for status in self._service.queue(owner)]

    @told
    def star(self, request: gr.Request, job_id: str, is_starred: bool = True) -> dict:
        """Mark a job to find it again, or no longer.

        Args:
            job_id: The id that submit gave.
            is_starred: Whether it is to be marked.
        """
        owner = self._visitors.owner(request)
        return self._json(self._service.star(_id(job_id), _switch(is_starred), owner).id)

    @told
    def delete(self, request: gr.Request, job_id: str, undo: bool = False) -> dict:
        """Throw a job and its files away, or bring it back within an hour.

        Args:
            job_id: The id that submit gave.
            undo: Bring it back instead.
        """
        job_id = _id(job_id)
        change = self._service.undelete if _switch(undo) else self._service.delete
        return self._json(change(job_id, self._visitors.owner(request)).id)

    @told
    def files(self, job_id: str, format: str = "mp4", made_by: str = "") -> str:  # noqa: A002
        """Download a result.

        Args:
            job_id: The id that submit gave.
            format: mp4 (true size), large (the MP4 as the page shows it), webm, gif, frames (PNG
                files in a zip) or zip (everything).
            made_by: The stage whose result it is; left out, the latest.
        """
        job = self._service.find_to_use(_id(job_id))
        result = job.result_of(made_by) if made_by else next(reversed(job.results), None)
        if result is None:
            raise InputError(texts.NO_SUCH_RESULT, "job_id")
        return str(export(result, format))

    @told
    def restore(self, request: gr.Request, file: str) -> dict:
        """Read the settings of a video made here, from its MP4 or recipe: values for submit.

        Args:
            file: An MP4, WebM or MKV made here, or the JSON beside it.
        """
        loras = self._service.shelf.list(self._visitors.owner(request))
        values, notes = form_values(read_recipe(_file(file)), self._service.card, loras)
        return {"values": values, "notes": notes}

    @told
    def batch(self, request: gr.Request, file: str) -> dict:
        """Queue many videos, or none if a row is wrong: returns the ids of the jobs.

        Args:
            file: CSV whose first line names the fields of submit, or JSONL. Only prompt is needed.
        """
        defaults = _defaults(self._service)
        rows = [{**defaults, **row} for row in read_batch(_file(file))]
        jobs = self._service.submit_all(rows, *self._visitors.visitor(request))
        return {"ids": [job.id for job in jobs]}

    def submit(self, request: gr.Request, values: Mapping[str, object]) -> dict[str, Any]:
        """Queue a video; see `_submit_for`."""
        return self._json(self._service.submit(values, *self._visitors.visitor(request)).id)

    def _json(self, job_id: str) -> dict[str, Any]:
        return job_json(self._service.status(self._service.get(_id(job_id))))


def add_api(service: Service, visitors: Visitors) -> None:
    """Offer the endpoints on the page that is being built.

    Args:
        service: Does the work.
        visitors: Tells to whom what is made belongs.
    """
    api = Api(service, visitors)
    endpoints = (
        _submit_for(service, api),
        api.submit_stage,
        api.status,
        api.follow,
        api.cancel,
        api.retry,
        api.history,
        api.queue,
        api.star,
        api.delete,
    )
    for endpoint in endpoints:
        gr.api(endpoint, api_name="list" if endpoint == api.history else endpoint.__name__)
    with gr.Row(visible=False):  # Gradio moves files only through components
        given, answer, found = gr.File(label="file"), gr.JSON(), gr.File(label="result")
        job_id, made_by = gr.Textbox(label="job_id"), gr.Textbox("", label="made_by")
        kind = gr.Textbox("mp4", label="format")
        start = gr.Button()
    start.click(api.restore, given, answer, api_name="restore")
    start.click(api.batch, given, answer, api_name="batch")
    start.click(api.files, [job_id, kind, made_by], found, api_name="files")


def _submit_for(service: Service, api: Api) -> Callable[..., dict[str, Any]]:
    """The endpoint whose defaults are those of the model."""
    own: dict[str, Any] = _defaults(service)

    @told
    def submit(
        request: gr.Request,
        prompt: str,
        negative_prompt: str = "",
        seed: int | None = None,
        num_inference_steps: int = own["num_inference_steps"],
        guidance_scale: float = own["guidance_scale"],
        scheduler: str = own["scheduler"],
        width: int = own["width"],
        height: int = own["height"],
        num_frames: int = own["num_frames"],
        smooth: bool = False,
        upscale: bool = False,
        smoothing_steps: int = own["smoothing_steps"],
        upscaling_steps: int = own["upscaling_steps"],
        loras: list | str | None = None,
    ) -> dict:
        """Queue a video and return its job at once; ask for its id with status or follow.

        Args:
            prompt: What to show, in a sentence.
            negative_prompt: What to keep out.
            seed: The same seed gives the same video; left out, a new one is drawn.
            num_inference_steps: Denoising steps of the video.
            guidance_scale: How closely to keep to the prompt.
            scheduler: How noise is taken away: dpm++, ddim or another of the page's.
            width: Pixels.
            height: Pixels.
            num_frames: Length in frames.
            smooth: Also make four times as many frames.
            upscale: Also make it four times as large.
            smoothing_steps: Denoising steps of the smoothing.
            upscaling_steps: Denoising steps of the upscaling.
            loras: Those to make it with, as [{"id": "...", "weight": 1.0}].
        """
        given = locals()
        return api.submit(request, {field: given[field] for field in FIELDS})

    return submit


def _defaults(service: Service) -> dict[str, object]:
    """A value for each field of a request, the prompt and the seed being empty."""
    return {
        "prompt": "",
        "negative_prompt": "",
        **{name: limits.default for name, limits in service.card.ranges.items()},
        "scheduler": SCHEDULERS[0],
        "smooth": False,
        "upscale": False,
        LORAS: None,
    }


def _id(job_id: object) -> str:
    if not isinstance(job_id, str):
        raise InputError(texts.NOT_A_JOB_ID, "job_id")
    return clean_text(job_id)


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise InputError(texts.NOT_A_SWITCH)
    return value


def _file(path: object) -> Path:
    if not isinstance(path, str):
        raise InputError(texts.NO_FILE_GIVEN, "file")
    return Path(path)
