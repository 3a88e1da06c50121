"""What the studio can do with films for anyone who asks. No web page in here."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.films.check import (
    check_film,
    check_kept_video,
    check_story,
    film_ranges,
    read_form_story,
    read_known_story,
    windows_of,
)
from app.films.redo import redo_from
from app.films.request import FilmRequest, GivenFile
from app.films.same_model import check_model
from app.films.view import FilmView, view_film
from app.jobs.job import Job
from app.loras.choice import choose_loras, told
from app.request import MAX_SEED
from app.service import Service
from app.texts import films as texts
from lavie.errors import InputError

_STAND_INS = {kind: GivenFile(Path(), kind, "") for kind in ("picture", "video")}


@dataclass(frozen=True)
class FilmCost:
    """What a film will take.

    Args:
        num_parts: Calls of the network.
        film_seconds: How long it will be, without what it goes on from.
        seconds: To make it on this computer, if that is known.
    """

    num_parts: int
    film_seconds: float
    seconds: float | None


class Films:
    """Checks, queues and shows films.

    Args:
        service: Keeps the jobs.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def check(
        self, values: Mapping[str, object], owner: str = ""
    ) -> FilmRequest | list[InputError]:
        """Turn the values of a form into a request, or into everything wrong with them."""
        service = self._service
        return check_film(values, service.card, service.data, service.shelf.finder(owner))

    def submit(self, values: Mapping[str, object], owner: str = "", address: str = "") -> Job:
        """Queue a film.

        Args:
            values: Of `FILM_FIELDS`, as typed.
            owner: Who asks.
            address: From where, if that is known.

        Raises:
            InputError: The first thing that is wrong with the values; the queue or the disk is
                full, or a public server was asked for too much.
        """
        request = self.check(values, owner)
        if isinstance(request, list):
            raise request[0]
        return self._service.add(request, owner, address)

    def redo(
        self,
        job_id: str,
        part: int,
        story: object = None,
        seed: object = None,
        owner: str = "",
        address: str = "",
    ) -> Job:
        """Queue a film that keeps the beginning of another.

        Args:
            job_id: The job that has the parts of the film.
            part: The first one that is made anew, from 0.
            story: As a form holds it; its lines from there on are used. None: the film's own.
            seed: Of what is made anew; None or empty: a new one.
            owner: Who asks.
            address: From where, if that is known.

        Raises:
            InputError: There is no such film or part, another model made it, the story breaks a
                rule, or it cannot be queued.
        """
        card = self._service.card
        job = self._service.find_to_use(job_id)
        if not isinstance(job.request, FilmRequest):
            raise InputError(texts.NO_SUCH_FILM, "job_id")
        check_model(job.request, card)
        if part and not card.goes_on_from_frames:
            raise InputError(texts.NO_NETWORK, "part")
        find = self._service.shelf.finder(owner)
        given = told(job.request.loras)  # may be another's
        loras = choose_loras(given, find, card.name, card.model_hash)
        known = card.with_words(use.token for use in loras)
        lines = read_known_story(story, known) if story else None
        drawn = random.randint(0, MAX_SEED) if seed in (None, "") else seed
        number = int(film_ranges(card)["seed"].check(drawn, "seed"))
        folder = self._service.data / job.folder
        request = redo_from(job.request, folder, part, number, lines)
        check_story(request, card)
        return self._service.add(request, owner, address)

    def video_of(self, job_id: str) -> GivenFile:
        """The video of a job, for a film to go on from: as it was before anything was done to it.

        Raises:
            InputError: There is no such job, or its exact frames are gone.
        """
        job = self._service.find_to_use(job_id)
        exact = next((result.frames for result in job.results if result.frames is not None), None)
        if exact is None:
            raise InputError(texts.NOT_A_FILM, "video")
        given = check_kept_video(exact)
        return GivenFile(given.file, "video", job.request.prompt[:100])

    def estimate(
        self,
        story: object,
        overlap: object,
        steps: object,
        begin: object = "nothing",
    ) -> FilmCost:
        """Say how long a film of a story becomes, and what it takes on this computer.

        Args:
            story: As a form holds it; likewise the others.
            overlap: Frames that a window is given.
            steps: Of each window.
            begin: What it begins with: a video is taken to have frames enough to go on from.

        Raises:
            InputError: The first thing that is wrong.
        """
        card = self._service.card
        lines, ranges, windows = read_form_story(story), film_ranges(card), windows_of(card)
        num_given = int(ranges["overlap"].check(overlap, "overlap"))
        num_steps = int(ranges["num_inference_steps"].check(steps, "num_inference_steps"))
        num_given = num_given if card.goes_on_from_frames else 0
        request = FilmRequest(
            story=lines,
            negative_prompt="",
            seed=0,
            num_given=num_given,
            num_inference_steps=num_steps,
            guidance_scale=1.0,
            smooth=False,
            upscale=False,
            smoothing_steps=1,
            upscaling_steps=1,
            windows=windows,
            start=_STAND_INS.get(str(begin)),
            num_at_first={"video": num_given, "picture": 1}.get(str(begin), 0),
        )
        seconds = self._service.seconds_for(request.effort)
        return FilmCost(len(request.parts), request.shape[0] / windows.fps, seconds)

    def view(self, job: Job) -> FilmView | None:
        """The film that a job makes, or goes on from, as far as it is."""
        return view_film(job, self._service.data)
