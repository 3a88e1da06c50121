"""Trainings among other jobs: in the queue, as JSON, of a visitor among others."""

import json
from dataclasses import replace

import pytest

from app import queue_view, screen
from app.costs import work_weights
from app.films.service import Films
from app.jobs.crew import ThreadCrew
from app.loras import learning
from app.loras.files import training_folder
from app.loras.service import Loras
from app.loras.use import LoraUse
from app.model_card import read_model_card
from app.policy import Policy
from app.request import efforts_left, efforts_of
from app.runner import CascadeRunner
from app.schema import job_json
from app.service import Service
from lavie.errors import InputError
from lavie.types import Progress
from tests.tiny import write_tiny_film_model
from tests.unit.app.films.test_films_service import values as film_form
from tests.unit.app.loras.files import write_lora

LONG = 120  # seconds to wait at most
ANNA, BERT = "visitor:anna", "visitor:bert"


@pytest.fixture
def loras(service) -> Loras:
    service.pause(True)
    return Loras(service)


@pytest.fixture
def public(card, runner, tmp_path):
    service = Service(card, ThreadCrew(runner), tmp_path / "public", Policy(is_public=True))
    yield Loras(service)
    service._store.close()


def test_the_queue_shows_a_training_by_its_name(loras, service, training):
    job = loras.submit({**training, "name": "My <b>zog</b>"})
    html = queue_view.queue(service.queue(), "")
    assert "My &lt;b&gt;zog&lt;/b&gt;" in html
    assert "A LoRA of 3 pictures, quick" in html
    assert 'data-action="edit"' not in html
    with pytest.raises(InputError, match="cannot be changed"):
        service.edit(job.id, form(service))
    assert "Getting ready to train" in screen.bar(service.status(replace(job, state="running")))


def form(service) -> dict[str, object]:
    usual = {name: limits.default for name, limits in service.card.ranges.items()}
    words = {"prompt": "a panda", "negative_prompt": "", "scheduler": "dpm++", "seed": "7"}
    return {**usual, **words, "smooth": False, "upscale": False}


def test_programs_are_told_what_was_asked_for(loras, service, training):
    told = job_json(service.status(loras.submit(training)))
    json.dumps(told)
    assert (told["prompt"], told["seed"], told["stages"]) == ("My zog", 3, ["base"])
    settings = {"name": "My zog", "token": "zog", "kind": "thing", "num_pictures": 3}
    assert settings.items() <= told["settings"].items()
    assert "pictures" not in told["settings"]


def test_what_is_left_of_a_training_is_reckoned_from_where_it_is(loras, training):
    request = loras.check(training)
    both = [effort.stage for effort in efforts_of(request, ())]
    assert both == ["lora", "base"]
    for stage, left in (("prepare", both), ("lora", both), ("base", ["base"])):
        efforts = efforts_left(request, (), Progress(stage, 1, 2))
        assert [effort.stage for effort in efforts] == left


def test_how_long_a_training_takes_is_guessed_from_videos(loras, service, training):
    assert loras.estimate("quick") is None
    assert work_weights({"base": 2.0})["lora"] == 3.0
    assert work_weights({}) == {}
    service._costs.learn(next(iter(efforts_of(service.check(form(service)), ()))), 10.0)
    quick, thorough = loras.estimate("quick"), loras.estimate("thorough")
    assert 0 < quick < thorough
    with pytest.raises(InputError, match="no amount of training"):
        loras.estimate("x")


def test_one_training_of_a_visitor_waits_at_a_time(public, training):
    first = public.submit(training, ANNA)
    with pytest.raises(InputError, match="A training of yours is waiting already"):
        public.submit(training, ANNA)
    public.submit(training, BERT)
    public._service.submit(form(public._service), ANNA)  # a video may wait all the same
    public.pause(first.id, ANNA)
    again = public.submit(training, ANNA)
    with pytest.raises(InputError, match="A training of yours is waiting already"):
        public._service.retry(first.id, ANNA)
    public.pause(again.id, ANNA)
    assert public._service.retry(first.id, ANNA).state == "queued"


def test_a_training_is_its_owners_alone(public, training):
    job = public.submit(training, ANNA)
    for change in (public.pause, public.finish, public.discard):
        with pytest.raises(InputError, match="somebody else's"):
            change(job.id, BERT)
    assert public._service.queue(BERT) == []
    assert len(public.view(job, ANNA).pictures) == 3
    assert public.view(job, BERT).pictures == public.view(job).pictures == ()


@pytest.mark.parametrize(
    ("stage", "said"),
    [("prepare", "Getting ready to train"), ("lora", "Learning: step 2 of 8"), ("base", "video")],
)
def test_learning_is_said_only_while_it_learns(loras, service, training, stage, said):
    job = replace(loras.submit(training), state="running", progress=Progress(stage, 2, 8))
    html = learning.progress(service.status(job), loras.view(job))
    assert said in html
    assert ("Learning" in html) == (stage == "lora")


@pytest.mark.parametrize(
    ("state", "keeps_pictures", "left"),
    [("done", False, 2), ("done", True, 5), ("cancelled", False, 7)],
)
def test_what_a_server_that_died_left_of_a_training_is_swept_up(
    loras, service, training, state, keeps_pictures, left
):
    job = loras.submit({**training, "keeps_pictures": keeps_pictures})
    folder = training_folder(service.data / job.folder)
    (folder / "checkpoints" / "step-00000006").mkdir(parents=True)
    for name in ("metrics.jsonl", "entry.txt", "personal.yaml"):
        (folder / name).write_text("")
    unknown = training_folder(folder.parents[1] / "unknown")
    (unknown / "checkpoints").mkdir(parents=True)
    service._store.update(job.id, state=state)  # and then it was killed
    service._dispatcher._sweeper.sweep()
    assert len(list(folder.iterdir())) == left
    assert (unknown / "checkpoints").exists()


def test_a_cancelled_training_leaves_no_picture_at_once(loras, service, training):
    other = loras.submit({**training, "pictures": training["pictures"][:1]})
    job = loras.submit({**training, "keeps_pictures": True, "captions": ["a secret", "", ""]})
    gone = loras.discard(job.id)
    assert (gone.request.pictures, gone.request.captions) == ((), ())
    assert not (service.data / job.folder).exists()
    (left,) = other.request.pictures
    assert list((service.data / "given").iterdir()) == [left.file]  # another learns from it too
    with pytest.raises(InputError, match="nothing left to do"):
        service.retry(job.id)
    service._store.update(other.id, state="done")
    with pytest.raises(InputError, match="over already"):
        loras.discard(other.id)


def test_what_is_no_training_is_neither_paused_nor_finished_as_one(loras, service):
    job = service.submit(form(service))
    for change in (loras.pause, loras.finish, loras.discard):
        with pytest.raises(InputError, match="no training"):
            change(job.id)
    assert loras.view(job) is None


def test_a_film_is_made_with_loras_and_redone_with_ones_own_alone(tmp_path):
    model = str(write_tiny_film_model(tmp_path / "model"))
    policy = Policy(is_public=True)
    crew = ThreadCrew(CascadeRunner(model))
    service = Service(read_model_card(model), crew, tmp_path / "data", policy)
    service.start()
    films = Films(service)
    file = write_lora(tmp_path / "a.safetensors", 32, lavie_trigger_word="zog")
    entry = Loras(service).import_file(str(file), "Mine", ANNA)
    chosen = json.dumps([{"id": entry.id, "weight": 2.0}])
    job = films.submit(film_form(service, story="zog | 0.75", loras=chosen), ANNA)
    job = service.wait(job.id, LONG)
    assert (job.state, job.error) == ("done", None)
    (told,) = job.results[0].metadata["loras"]
    assert (told["name"], told["weight"], told["sha256"]) == ("Mine", 2.0, entry.sha256)
    assert isinstance(job.request.loras[0], LoraUse)
    with pytest.raises(InputError, match="There is no LoRA"):
        films.redo(job.id, 0, owner=BERT)
    assert films.redo(job.id, 0, owner=ANNA).request.loras == job.request.loras
    errors = films.check(film_form(service, loras=chosen), BERT)
    assert [error.field for error in errors] == ["loras"]
    service.stop()
