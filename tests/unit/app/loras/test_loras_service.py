"""LoRAs as jobs: trained, paused, gone on with after a restart, ended early, used in videos."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from app.loras.choice import picks_text
from app.loras.files import learnt_file, metrics_file, training_folder
from app.loras.pictures import keep_pictures
from app.loras.request import LoraTrainingRequest
from app.loras.shelf import LORAS_FOLDER
from app.policy import Policy
from app.texts import lora_rules
from lavie.errors import Cancelled, InputError
from lavie.media import read_video
from tests.unit.app.loras.conftest import LONG, form

pytestmark = pytest.mark.integration  # each trains, if only a tiny model


def make(studio, **changes):
    job = studio.service.submit(form(studio.service, **changes))
    job = studio.service.wait(job.id, LONG)
    assert (job.state, job.error) == ("done", None)
    return job


def frames(job) -> np.ndarray:
    return read_video(job.results[0].frames).frames


def test_a_training_leaves_a_lora_a_video_and_no_pictures(studio, training, wait_until):
    job = studio.train(training)
    assert (job.state, job.error) == ("done", None)
    assert job.request.prompt == "My zog"
    (result,) = job.results
    assert (result.stage, result.worked.stage, result.worked.num_steps) == ("base", "lora", 6)
    (entry,) = studio.loras.list()
    (told,) = json.loads(result.recipe.read_text())["loras"]
    assert told == {"name": "My zog", "token": "zog", "weight": 1.0, "sha256": entry.sha256}
    assert (entry.name, entry.token, entry.kind, entry.owner) == ("My zog", "zog", "thing", "")
    view = studio.loras.view(job)
    assert view.entry_id == entry.id
    assert (view.step, view.num_steps, view.is_paused, view.can_finish) == (6, 6, False, False)
    assert view.points
    assert [sample.step for sample in view.samples] == [6]
    assert all(studio.service.is_shown(sample.video.resolve()) for sample in view.samples)
    wait_until(lambda: not list((studio.service.data / "given").iterdir()))
    left = {file.name for file in training_folder(studio.folder(job)).iterdir()}
    assert left == {"metrics.jsonl", "entry.txt"}
    assert job.request.pictures == ()
    assert studio.loras.view(job).pictures == []
    assert studio.service.history()[0].id == job.id
    assert studio.service.seconds_for(job.request.training) is not None  # learnt


def test_a_sample_that_is_refused_is_nowhere_to_be_seen(
    studio, training, cascade_runner, monkeypatch
):
    looks = []

    def refuses_the_first(frames):
        looks.append(frames)
        return "No." if len(looks) == 1 else None

    monkeypatch.setattr(cascade_runner, "_checker", refuses_the_first)
    monkeypatch.setattr(cascade_runner, "_safety", "checkers:refuses_the_first")
    job = studio.train(training)
    assert (job.state, len(looks)) == ("done", 2)  # the sample, and the video at the end
    assert studio.loras.view(job).samples == []
    (entry,) = studio.loras.list()
    assert entry.thumbnail is None
    with safe_open(entry.file, "np") as file:
        assert "modelspec.thumbnail" not in file.metadata()


def test_pictures_given_to_two_trainings_go_with_the_last_one(
    studio, training, monkeypatch, wait_until
):
    monkeypatch.setattr("app.loras.pictures._SECONDS_TO_BE_QUEUED", 0.0)
    studio.service.pause(True)
    first, second = (studio.loras.submit(training) for _ in range(2))
    studio.loras.discard(second.id)
    given = studio.service.data / "given"
    assert len(list(given.iterdir())) == 3
    studio.service.pause(False)
    assert studio.service.wait(first.id, LONG).state == "done"
    wait_until(lambda: not list(given.iterdir()))


def test_a_trigger_word_is_known_and_it_is_said_where_its_lora_is_not_chosen(knows_zog):
    (entry,) = knows_zog.loras.list()
    service = knows_zog.service
    service._card = replace(service.card, vocabulary=frozenset({"a"}))
    assert service.card_for().unknown_words("a zog") == []
    for named in ([{"id": entry.id, "weight": 1}], picks_text([(entry.id, 1)])):
        assert service.trigger_hints(["a Zog, moving left"], named) == []
        assert service.trigger_hints(["a zogling", "a"], named) == [
            lora_rules.say_trigger("My zog", "zog")
        ]
        assert service.trigger_hints([" "], named) == []
    for named in (None, ""):
        assert service.trigger_hints(["a", "a zog"], named) == [
            lora_rules.tick_lora("My zog", "zog")
        ]
        assert service.trigger_hints(["a zogling"], named) == []
    for named in ("[", picks_text([("nothing", 1)])):  # said beside the field
        assert service.trigger_hints(["a zog"], named) == []


def test_a_lora_for_another_model_is_not_offered_by_its_word(knows_zog):
    card = replace(knows_zog.service.card, name="other", vocabulary=frozenset({"a"}))
    assert len(card.model_hash) == 16
    knows_zog.service._card = card  # the same weights in another folder
    assert knows_zog.service.card_for().unknown_words("a zog") == []
    knows_zog.service._card = replace(card, model_hash="f" * 16)
    assert knows_zog.service.trigger_hints(["a zog"], "") == []
    assert knows_zog.service.card_for().unknown_words("a zog") == ["zog"]


def test_a_lora_made_on_other_weights_of_this_model_is_told(knows_zog):
    (entry,), card = knows_zog.loras.list(), knows_zog.service.card
    assert not knows_zog.loras.is_of_other_weights(entry)
    for name, model_hash, expected in (
        (card.name, "f" * 16, True),
        ("other", "f" * 16, False),  # not for this model, which is said when it is chosen
    ):
        knows_zog.service._card = replace(card, name=name, model_hash=model_hash)
        assert knows_zog.loras.is_of_other_weights(entry) is expected


def test_the_same_is_not_learnt_twice_at_once(studio, training):
    studio.service.pause(True)
    same = {**training, "seed": ""}
    first = studio.loras.submit(same)
    with pytest.raises(InputError, match="being learnt already"):
        studio.loras.submit(same)
    others = [studio.loras.submit({**same, **other}) for other in ({"name": "Zag"}, {"seed": "3"})]
    for job in (first, *others):
        studio.loras.discard(job.id)
    studio.loras.discard(studio.loras.submit(same).id)


def test_a_lora_with_a_word_of_its_own_is_not_offered_as_peft_has_it(knows_zog, tmp_path):
    (entry,) = knows_zog.loras.list()
    assert knows_zog.loras.formats(entry) == ("kohya", "diffusers")
    layers = {n: t for n, t in load_file(entry.file).items() if n.startswith("lora_unet")}
    with safe_open(entry.file, "np") as file:
        save_file(layers, tmp_path / "plain.safetensors", file.metadata())
    plain = knows_zog.loras.import_file(tmp_path / "plain.safetensors", "plain")
    assert knows_zog.loras.formats(plain) == ("kohya", "diffusers", "peft")
    with knows_zog.loras.export(plain.id, "peft") as file:
        assert file.suffix == ".zip"
    plain.file.write_bytes(b"broken")
    assert knows_zog.loras.formats(plain) == ()


def test_pictures_are_kept_on_purpose(studio, training):
    job = studio.train(training, keeps_pictures=True)
    assert len(job.request.pictures) == 3
    assert all(picture.file.exists() for picture in job.request.pictures)
    assert len(studio.loras.view(job).pictures) == 3
    studio.service._dispatcher._sweeper.sweep()
    assert all(picture.file.exists() for picture in job.request.pictures)


def test_what_lies_in_the_folder_of_a_training_is_not_served(studio, training):
    studio.service.pause(True)
    job = studio.loras.submit(training)
    small = training_folder(studio.folder(job)) / "picture-000.webp"
    assert small.exists()
    assert not studio.service.is_shown(small.resolve())
    assert len(studio.loras.view(job).pictures) == 3


def test_a_paused_training_goes_on_after_a_restart_as_if_it_never_stopped(
    running, training, wait_until
):
    training |= {"num_steps": 12}
    with running() as studio:
        job = studio.loras.submit(training)
        wait_until(lambda: studio.loras.view(studio.service.get(job.id)).step > 2, LONG)
        studio.loras.pause(job.id)
        job = studio.service.wait(job.id, LONG)
        assert job.state == "cancelled"
        view = studio.loras.view(job)
        assert view.is_paused
        assert view.can_finish
        assert 2 < view.step < 12
        assert studio.service._dispatcher._has_begun(job)
    with running() as studio:
        assert studio.service.get(job.id).request == job.request
        studio.service.retry(job.id)
        job = studio.service.wait(job.id, LONG)
        assert (job.state, job.error) == ("done", None)
        whole = studio.train(training)
        new, old = studio.loras.list()
        assert whole.state == "done"
        weights, others = load_file(new.file), load_file(old.file)
        assert weights.keys() == others.keys()
        assert all(np.array_equal(weights[name], others[name]) for name in weights)


def test_a_running_training_is_ended_early_and_kept(studio, training, wait_until):
    job = studio.loras.submit({**training, "num_steps": 5000})
    waiting = studio.loras.submit(training)
    with pytest.raises(InputError, match="Nothing was learnt yet"):
        studio.loras.finish(waiting.id)
    studio.service.cancel(waiting.id)
    wait_until(lambda: studio.loras.view(studio.service.get(job.id)).step > 2, LONG)
    assert studio.loras.finish(job.id).is_finish_requested
    job = studio.service.wait(job.id, LONG)
    assert (job.state, job.error) == ("done", None)
    view = studio.loras.view(job)
    assert view.step == view.num_steps < 5000
    assert [entry.id for entry in studio.loras.list()] == [view.entry_id]
    with pytest.raises(InputError, match="over already"):
        studio.loras.finish(job.id)


def test_a_paused_training_is_ended_early_and_kept(studio, training, wait_until):
    job = studio.loras.submit({**training, "num_steps": 5000})
    wait_until(lambda: studio.loras.view(studio.service.get(job.id)).step > 2, LONG)
    studio.loras.pause(job.id)
    before = studio.loras.view(studio.service.wait(job.id, LONG)).step
    assert studio.loras.finish(job.id).state == "queued"
    job = studio.service.wait(job.id, LONG)
    assert (job.state, job.error) == ("done", None)
    assert before <= studio.loras.view(job).step <= before + 1


def test_a_discarded_training_leaves_the_list(studio, training, wait_until):
    job = studio.loras.submit({**training, "num_steps": 5000})
    wait_until(lambda: studio.service.get(job.id).progress is not None, LONG)
    assert studio.loras.discard(job.id).deleted
    assert studio.loras.list() == []


def test_a_training_stopped_at_its_very_end_leaves_nothing_on_the_shelf_until_it_goes_on(
    studio, training, monkeypatch
):
    runner = studio.service._dispatcher._crew._runner
    run = runner.run

    def run_and_stop(*asked):
        yield from run(*asked)
        raise Cancelled

    monkeypatch.setattr(runner, "run", run_and_stop)
    job = studio.train(training)
    assert job.state == "cancelled"
    assert studio.loras.list() == []
    monkeypatch.undo()
    studio.service.retry(job.id)
    job = studio.service.wait(job.id, LONG)
    assert (job.state, job.error) == ("done", None)
    assert [entry.id for entry in studio.loras.list()] == [studio.loras.view(job).entry_id]


def test_a_lora_that_cannot_be_put_on_the_shelf_is_not_lost(studio, training):
    in_the_way = studio.service.data / LORAS_FOLDER
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.touch()
    job = studio.train(training)
    assert (job.state, job.can_go_on) == ("failed", True)
    assert job.id in job.error
    in_the_way.unlink()
    studio.service.retry(job.id)
    assert studio.service.wait(job.id, LONG).state == "done"
    assert [entry.name for entry in studio.loras.list()] == ["My zog"]


def test_a_lora_whose_file_is_broken_is_made_once_more_from_what_was_learnt(
    studio, training, monkeypatch
):
    runner = studio.service._dispatcher._crew._runner
    run = runner.run

    def run_and_lose_power(task, *asked):
        yield from run(task, *asked)
        learnt_file(task.folder).write_bytes(b"")

    monkeypatch.setattr(runner, "run", run_and_lose_power)
    job = studio.train(training)
    assert (job.state, job.can_go_on) == ("failed", True)
    assert studio.has_learnt(job)
    monkeypatch.undo()
    studio.service.retry(job.id)
    job = studio.service.wait(job.id, LONG)
    assert (job.state, job.error) == ("done", None)
    assert [entry.name for entry in studio.loras.list()] == ["My zog"]


def test_a_lora_is_shelved_once_also_if_the_server_was_killed_before_it_could_say_so(
    studio, training
):
    job = studio.train(training, keeps_pictures=True)
    dispatcher = studio.service._dispatcher
    with dispatcher._lock:
        dispatcher._end(studio.service._store.update(job.id, state="running"), "done", None)
    assert studio.service.get(job.id).state == "done"
    assert len(studio.loras.list()) == 1


def test_videos_are_made_with_loras_and_without_as_before(knows_zog, training):
    studio = knows_zog
    before = frames(make(studio))
    studio.train({**training, "name": "Other", "token": "zig", "seed": "4"})
    other, zog = (entry.id for entry in studio.loras.list())
    with_zog = make(studio, loras=[{"id": zog, "weight": 1.5}])
    assert not np.array_equal(frames(with_zog), before)
    assert with_zog.results[0].metadata["loras"][0]["weight"] == 1.5
    mixed = make(studio, loras=json.dumps([{"id": zog, "weight": 1.5}, {"id": other}]))
    assert not np.array_equal(frames(mixed), frames(with_zog))
    assert np.array_equal(
        frames(make(studio, loras=[{"id": zog, "weight": 1.5}])), frames(with_zog)
    )
    after = make(studio)
    assert np.array_equal(frames(after), before)
    assert "loras" not in after.results[0].metadata


def test_a_trigger_word_is_known_once_its_lora_is_chosen(knows_zog):
    (entry,) = knows_zog.loras.list()
    alone = form(knows_zog.service, prompt="zog")
    (error,) = knows_zog.service.check(alone)
    assert error.field == "prompt"
    request = knows_zog.service.check({**alone, "loras": [{"id": entry.id}]})
    assert [use.token for use in request.loras] == ["zog"]
    assert request.loras[0].weight == 1.0


def test_a_lora_that_is_gone_is_told_by_its_name(knows_zog):
    (entry,) = knows_zog.loras.list()
    knows_zog.service.pause(True)
    job = knows_zog.service.submit(form(knows_zog.service, loras=[{"id": entry.id}]))
    entry.file.unlink()
    knows_zog.service.pause(False)
    job = knows_zog.service.wait(job.id, LONG)
    assert job.state == "failed"
    assert "“My zog” was deleted" in job.error
    assert make(knows_zog).state == "done"


def test_training_can_be_switched_off_while_loras_can_be_used(knowing, training):
    with knowing(Policy(has_training=False)) as studio:
        assert "not trained on this studio" in studio.loras.why_not
        (error,) = studio.loras.check(training)
        assert str(error) == studio.loras.why_not
        with pytest.raises(InputError, match="not trained"):
            studio.loras.submit(training)
        make(studio, loras=[{"id": studio.loras.list()[0].id}])


def test_a_training_that_runs_out_of_memory_is_tried_with_no_other_model(studio, training):
    runner = studio.service._dispatcher._crew._runner
    request = studio.loras.check(training)
    assert isinstance(request, LoraTrainingRequest)
    files = [picture.file for picture in request.pictures]
    request = replace(request, pictures=keep_pictures(files, studio.service.data))
    assert runner._cascade is not None or runner.prepare()
    job = studio.service._store.add(request)
    studio.service._store.update(job.id, is_memory_short=True)
    assert studio.service.wait(job.id, LONG).state == "done"


def test_trainings_that_stopped_long_ago_are_given_up(studio, training, monkeypatch):
    studio.service.pause(True)
    job = studio.loras.submit(training)
    studio.loras.pause(job.id)
    give_up = studio.service._dispatcher._sweeper.give_up_trainings
    give_up()
    assert studio.service.get(job.id).deleted is None
    long_ago = job.created.replace(year=2020)
    studio.service._store.update(job.id, created=long_ago)
    give_up()
    assert studio.service.get(job.id).deleted is not None


def test_old_jobs_still_load(studio):
    job = studio.service.submit(form(studio.service))
    documents = studio.service._store._documents
    told = json.loads(documents.write(job))
    del told["request"]["loras"], told["is_finish_requested"]
    assert documents.read(json.dumps(told)) == job


def test_the_metrics_may_end_half_written(knows_zog):
    (job,) = knows_zog.service.history()
    file = metrics_file(knows_zog.folder(job))
    file.write_text(file.read_text() + '{"step": 7, "lo')
    assert knows_zog.loras.view(job).step == 6
