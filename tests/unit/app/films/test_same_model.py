"""What was begun is gone on with only by the model that began it, and checked like what is new."""

import json
from dataclasses import replace

import pytest
from safetensors.torch import save_file

from app.films.check import check_film, film_ranges
from app.films.parts import part_files, read_latents
from app.films.request import FilmRequest, Windows
from app.films.service import Films
from app.jobs.document import Document
from app.jobs.worker import Task
from app.runner import CascadeRunner
from lavie.errors import Cancelled, InputError
from lavie.pipelines.story import StoryLine
from lavie.types import CancelToken, Progress
from tests.tiny import write_tiny_film_model
from tests.unit.app.files import A_FILM


@pytest.fixture
def films(service):
    service.pause(True)
    return Films(service)


@pytest.fixture
def stopped(films, service):
    """A film that was stopped after its first part."""

    def stopped(**changes):
        job = service.add(replace(A_FILM, story=(StoryLine("a fox", 4.0),), **changes))
        latents = part_files(service.data / job.folder, 0).latents
        latents.parent.mkdir(parents=True, exist_ok=True)
        latents.touch()
        return service.cancel(job.id).id

    return stopped


def test_a_film_notes_its_model(card, tmp_path):
    values = {name: limits.default for name, limits in film_ranges(card).items()}
    values |= {"story": "a fox", "begin": "nothing", "smooth": False, "upscale": False}
    request = check_film({**values, "negative_prompt": ""}, card, tmp_path)
    assert isinstance(request, FilmRequest)
    assert request.model == card.name


@pytest.mark.parametrize("part", [0, 1])
def test_a_film_of_another_model_is_neither_redone_nor_gone_on_with(films, service, stopped, part):
    job_id = stopped(model="/models/other")
    sentence = "This film was made with the model “other”. Use that one to go on with it"
    with pytest.raises(InputError, match=sentence):
        films.redo(job_id, part)
    with pytest.raises(InputError, match=sentence):
        service.retry(job_id)
    assert service.get(job_id).state == "cancelled"


@pytest.mark.parametrize("model", ["elsewhere/model", None])
def test_a_model_may_lie_elsewhere_and_old_films_do_not_say_theirs(films, service, stopped, model):
    assert service.card.name.endswith("/model")
    job_id = stopped(model=model)
    assert films.redo(job_id, 1).request.kept.num_parts == 1
    assert service.retry(job_id).state == "queued"


def test_a_film_that_was_stored_before_models_were_noted_is_read(tmp_path):
    documents = Document(FilmRequest, tmp_path)
    stored = json.loads(documents.write(A_FILM))
    del stored["model"]
    assert documents.read(json.dumps(stored)) == A_FILM


def test_new_lines_are_checked_as_for_a_new_film(films, service, card, stopped):
    job_id = stopped(model=card.name)
    with pytest.raises(InputError, match="Line 2 of the story: This small model knows none"):
        films.redo(job_id, 1, "a fox | 4\ndragons | 2")
    assert service.queue() == []
    assert films.redo(job_id, 1, "a fox | 4\na panda | 2").request.story[-1].prompt == "a panda"


def test_a_film_at_once_is_not_made_longer_than_it_can_be(films, service, card, stopped):
    job_id = stopped(model=card.name, num_given=0)
    service._card = replace(card, stages=("base",))
    with pytest.raises(InputError, match="at once, of at most 32 seconds"):
        films.redo(job_id, 0, "a fox | 40")
    assert films.redo(job_id, 0, "a fox | 30").request.shape[0] == 240


FILM = FilmRequest(
    (StoryLine("a fox", 0.75), StoryLine("a panda", 0.5)),
    *("", 3, 2, 1, 3.0, False, False, 1, 1),
    Windows(8, 6, 16, 24),
)


def test_other_weights_do_not_go_on_with_the_parts_that_are_there(tmp_path):
    one, other = (
        CascadeRunner(str(write_tiny_film_model(tmp_path / name / "model", seed)))
        for seed, name in enumerate(("one", "other"))
    )
    task, cancel = Task(FILM, (), tmp_path / "job"), CancelToken()

    def stop_in_the_second(event):
        if isinstance(event, Progress) and event.step == 5:  # the base network took four
            cancel.cancel()

    with pytest.raises(Cancelled):
        list(one.run(task, stop_in_the_second, cancel))
    with pytest.raises(InputError, match="begun with another model than this"):
        list(other.run(task, lambda _: None, CancelToken()))
    latents = {"latents": read_latents(task.folder, 0)}
    assert not part_files(task.folder, 1).latents.exists()
    save_file(latents, part_files(task.folder, 0).latents)  # as it was before weights were noted
    (result,) = other.run(task, lambda _: None, CancelToken())
    assert not result.is_partial
