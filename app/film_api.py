"""Films for programs: the endpoints for stories."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from app.api import told
from app.films.check import film_ranges
from app.films.service import Films
from app.schema import job_json
from app.service import Service
from app.texts import films as texts
from app.uploads import PICTURE, VIDEO
from app.visitors import Visitors
from lavie.errors import InputError


class FilmApi:
    """The endpoints.

    Args:
        service: Keeps the jobs.
        visitors: Tells to whom what is made belongs.
    """

    def __init__(self, service: Service, visitors: Visitors) -> None:
        self._service = service
        self._films = Films(service)
        self._visitors = visitors
        self._own = {name: limits.default for name, limits in film_ranges(service.card).items()}

    def film_endpoint(self) -> Callable[..., dict[str, Any]]:
        """The endpoint whose defaults are those of the model."""
        own: dict[str, Any] = self._own

        @told
        def film(
            request: gr.Request,
            story: str,
            go_on_from: str = "",
            negative_prompt: str = "",
            seed: int | None = None,
            overlap: int = own["overlap"],
            num_inference_steps: int = own["num_inference_steps"],
            guidance_scale: float = own["guidance_scale"],
            smooth: bool = False,
            upscale: bool = False,
            smoothing_steps: int = own["smoothing_steps"],
            upscaling_steps: int = own["upscaling_steps"],
            loras: list | str | None = None,
        ) -> dict:
            """Queue a long video of a story and return its job at once.

            Args:
                story: One line for each part, as "a panda moving left | 4": what to show, and
                    behind a bar for how many seconds.
                go_on_from: The id of a job whose video it goes on from.
                negative_prompt: What to keep out.
                seed: The same seed gives the same film; left out, a new one is drawn.
                overlap: How many of the last frames a part is given of the one before.
                num_inference_steps: Denoising steps of each part.
                guidance_scale: How closely to keep to the story.
                smooth: Also make four times as many frames.
                upscale: Also make it four times as large.
                smoothing_steps: Denoising steps of the smoothing.
                upscaling_steps: Denoising steps of the upscaling.
                loras: Those to make it with, as [{"id": "...", "weight": 1.0}].
            """
            values = {
                "story": story,
                "negative_prompt": negative_prompt,
                "seed": seed,
                "overlap": overlap,
                "num_inference_steps": num_inference_steps,
                "guidance_scale": guidance_scale,
                "smooth": smooth,
                "upscale": upscale,
                "smoothing_steps": smoothing_steps,
                "upscaling_steps": upscaling_steps,
                "loras": loras,
            }
            if go_on_from:
                video = self._films.video_of(str(go_on_from))
                return self._submit(request, {**values, "begin": "video", "video": video})
            return self._submit(request, {**values, "begin": "nothing"})

        return film

    @told
    def film_from(
        self,
        request: gr.Request,
        start: str,
        story: str,
        seed: str = "",
        end: str | None = None,
        settings: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Queue a long video that begins with a picture, or goes on from a video.

        Args:
            start: A PNG, JPEG, WebP, MP4, WebM or MKV.
            story: One line for each part, as for film.
            seed: The same seed gives the same film; left out, a new one is drawn.
            end: A picture that the film comes to.
            settings: What else film takes, by name, as {"smooth": true}.
        """
        usual = {"smooth": False, "upscale": False, "negative_prompt": "", "loras": None}
        usual |= {name: value for name, value in self._own.items() if name != "seed"}
        asked = settings or {}
        if not isinstance(asked, dict) or not asked.keys() <= usual.keys():
            raise InputError(texts.no_such_settings(usual), "settings")
        kind = _kind_of(start)
        values = {**usual, **asked, "story": story, "seed": seed, "begin": kind, kind: start}
        if end is not None:
            values |= {"ends": True, "end_picture": end}
        return self._submit(request, values)

    @told
    def redo(
        self,
        request: gr.Request,
        job_id: str,
        part: int,
        story: str = "",
        seed: int | None = None,
    ) -> dict:
        """Make a film again from one of its parts on: queues a new job and returns it.

        Args:
            job_id: The job that has the film.
            part: The first part that is made anew, from 0; what is before it is kept.
            story: All lines as they are to be now, of which those from there on are used; left
                out, the film's own.
            seed: Of what is made anew; left out, a new one is drawn.
        """
        visitor = self._visitors.visitor(request)
        number = part if type(part) is int else -1
        job = self._films.redo(str(job_id), number, story or None, seed, *visitor)
        return job_json(self._service.status(job))

    def _submit(self, request: gr.Request, values: dict[str, object]) -> dict[str, Any]:
        visitor = self._visitors.visitor(request)
        job = self._films.submit(values, *visitor)
        return job_json(self._service.status(job))


def _kind_of(start: object) -> str:
    if isinstance(start, str):
        name = start.lower()
        if name.endswith(PICTURE.suffixes):
            return "picture"
        if name.endswith(VIDEO.suffixes):
            return "video"
    raise InputError(texts.FILE_IS_NO_START, "start")


def add_film_api(service: Service, visitors: Visitors) -> None:
    """Offer the endpoints on the page that is being built."""
    api = FilmApi(service, visitors)
    gr.api(api.film_endpoint(), api_name="film")
    gr.api(api.redo, api_name="redo")
    with gr.Row(visible=False):  # Gradio moves files only through components
        start, end, answer = gr.File(label="start"), gr.File(label="end"), gr.JSON()
        story, seed = gr.Textbox(label="story"), gr.Textbox("", label="seed")
        settings = gr.JSON(label="settings")
        button = gr.Button()
    given = [start, story, seed, end, settings]
    button.click(api.film_from, given, answer, api_name="film_from")
