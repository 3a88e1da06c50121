"""Films on a tiny model: each part is on disk at once, and what is there is gone on from."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from app.files import make_small
from app.films.parts import FilmFrames, count_done, part_files, read_latents
from app.films.redo import redo_from
from app.films.request import FilmRequest, GivenFile, KeptParts, Windows
from app.jobs.worker import Task
from app.long_results import MANY_FRAMES
from app.request import StageRequest
from app.runner import CascadeRunner
from lavie import Cascade
from lavie.errors import Cancelled, InputError
from lavie.media import LOSSLESS, read_metadata, read_video, write_video
from lavie.pipelines.story import StoryLine
from lavie.types import CancelToken, Progress
from tests.tiny import write_tiny_cascade, write_tiny_film_model

STORY = (StoryLine("a fox", 0.75), StoryLine("a panda", 0.5))
WINDOWS = Windows(8, 6, 16, 24)
FILM = FilmRequest(STORY, "", 3, 2, 1, 3.0, False, False, 1, 1, WINDOWS)
NUM_PARTS, NUM_FRAMES = 2, 10
STEPS_OF_BASE = 4  # whose own they are, as those that are asked for are the windows' own


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_tiny_film_model(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def runner(model):
    return CascadeRunner(model)


@pytest.fixture(scope="module")
def whole(model):
    lines = [{"prompt": line.prompt, "seconds": line.seconds} for line in STORY]
    film = Cascade.from_pretrained(model, device="cpu").film(
        lines, seed=3, num_inference_steps=1, guidance_scale=3.0, num_given=2
    )
    return film.make().frames


def run(runner, request, folder, results=(), cancel=None, on_event=lambda _: None):
    return list(runner.run(Task(request, results, folder), on_event, cancel or CancelToken()))


class StopAt:
    """Cancels at a step."""

    def __init__(self, step: int) -> None:
        self.cancel = CancelToken()
        self._step = step

    def hear(self, event) -> None:
        if isinstance(event, Progress) and event.step == self._step:
            self.cancel.cancel()


def stop(runner, request, folder, step):
    stopper, results = StopAt(step), []
    stream = runner.run(Task(request, (), folder), stopper.hear, stopper.cancel)
    with pytest.raises(Cancelled):
        results.extend(stream)  # what came before it is kept
    return results


def test_a_film_is_the_one_that_the_cascade_makes_with_its_recipe(runner, whole, tmp_path):
    assert [part.num_new for part in FILM.parts] == [6, 4]
    assert FILM.shape == (NUM_FRAMES, 16, 24)
    (result,) = run(runner, FILM, tmp_path / "job")
    video = read_video(result.frames)
    assert np.array_equal(video.frames, whole)
    recipe = json.loads(result.recipe.read_text())
    assert recipe == read_metadata(result.video) == result.metadata
    assert [line["prompt"] for line in recipe["story"]] == ["a fox", "a panda"]
    assert [part["num_frames"] for part in recipe["parts"]] == [6, 4]
    assert [part["seed"] for part in recipe["parts"]] == [part.seed for part in FILM.parts]
    assert result.stage == "long_video"
    assert result.worked.num_frames == 12  # two calls of the network
    assert not result.is_partial


def test_every_part_is_on_disk_as_soon_as_it_is_done(runner, whole, tmp_path):
    folder, there = tmp_path / "job", []

    def look(event) -> None:
        if isinstance(event, Progress):
            there.append(count_done(folder))

    run(runner, FILM, folder, on_event=look)
    assert there == [0] * STEPS_OF_BASE + [1]
    first = part_files(folder, 0)
    assert np.array_equal(read_video(first.frames).frames, whole[:6])
    assert read_video(first.video).frames.shape[1:] == (320, 480, 3)
    with Image.open(first.poster) as poster:
        assert poster.size == (312, 208)
        seen = np.asarray(poster.convert("RGB")).astype(int)
    later = (np.abs(seen - frame) for frame in make_small(whole[:6]))
    assert np.argmin([difference.mean() for difference in later]) == 4  # in its second half
    assert read_latents(folder, 0).shape[2] == 2


def test_a_stopped_film_is_kept_so_far_and_gone_on_with(runner, whole, tmp_path):
    folder = tmp_path / "job"
    (result,) = stop(runner, FILM, folder, step=STEPS_OF_BASE + 1)
    assert result.is_partial
    assert np.array_equal(read_video(result.frames).frames, whole[:6])
    (done,) = run(runner, FILM, folder)
    assert np.array_equal(read_video(done.frames).frames, whole)
    assert done.worked.num_frames == 6
    assert done.video != result.video


def test_a_film_stopped_in_its_first_part_leaves_nothing(runner, tmp_path):
    assert stop(runner, FILM, tmp_path / "job", step=1) == []
    assert not list(tmp_path.rglob("part-*"))


def test_a_new_film_keeps_the_beginning_of_another(runner, whole, tmp_path):
    run(runner, FILM, tmp_path / "old")
    story = (replace(STORY[0], seed=3), replace(STORY[1], prompt="a car"))
    kept = KeptParts(1, part_files(tmp_path / "old", 0).latents)
    request = replace(FILM, story=story, seed=11, kept=kept)
    (result,) = run(runner, request, tmp_path / "new")
    frames = read_video(result.frames).frames
    assert np.array_equal(frames[:6], whole[:6])
    assert not np.array_equal(frames[6:], whole[6:])
    assert [part["seed"] for part in result.metadata["parts"]] == [3, request.parts[1].seed]


def test_a_video_is_gone_on_from_and_stands_before_the_film(runner, tmp_path):
    clip = np.random.default_rng(0).integers(0, 256, (9, 16, 24, 3), dtype=np.uint8)
    write_video(tmp_path / "clip.mp4", clip, 16)
    given = GivenFile(tmp_path / "clip.mp4", "video", "clip.mp4")
    request = replace(FILM, start=given, num_before=5, num_at_first=2)
    (result,) = run(runner, request, tmp_path / "job")
    assert request.shape[0] == result.effort.num_frames == 5 + NUM_FRAMES
    assert result.metadata["source"]["file"] == "clip.mp4"
    assert result.metadata["num_given_frames"] == 5
    assert FilmFrames(tmp_path / "job", 2).lengths[0] == 5


def test_pictures_are_the_first_and_the_last_frame(runner, tmp_path):
    Image.new("RGB", (48, 32), "red").save(tmp_path / "red.png")
    Image.new("RGB", (48, 32), "blue").save(tmp_path / "blue.png")
    start, end = (GivenFile(tmp_path / f"{name}.png", "picture", name) for name in ("red", "blue"))
    request = replace(FILM, story=STORY[:1], start=start, end=end, num_at_first=1)
    (result,) = run(runner, request, tmp_path / "job")
    assert request.shape[0] == result.effort.num_frames
    assert result.metadata["settings"]["long_video"]["ends_with"] == "picture"
    shown = read_video(result.frames).frames
    pictures = [np.full((32, 48, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255))]
    cascade = Cascade.from_pretrained(runner._model, device="cpu")
    story = [{"prompt": STORY[0].prompt, "seconds": STORY[0].seconds}]
    own = {"seed": 3, "num_inference_steps": 1, "guidance_scale": 3.0, "num_given": 2}
    made = cascade.film(story, pictures[0], pictures[1], **own).make().frames
    assert np.array_equal(shown, made)
    turned = cascade.film(story, pictures[1], pictures[0], **own).make().frames
    assert not np.array_equal(shown[0], turned[0])
    assert not np.array_equal(shown[-1], turned[-1])


def test_the_network_that_goes_on_may_be_another_models(model, whole, tmp_path):
    alone = str(write_tiny_cascade(tmp_path / "alone"))
    runner = CascadeRunner(alone, stages={"long_video": model})
    (result,) = run(runner, FILM, tmp_path / "job")
    assert result.stage == "long_video"
    assert np.array_equal(read_video(result.frames).frames, whole)


def test_a_film_that_begins_with_a_picture_is_made_again_from_its_second_part(runner, tmp_path):
    Image.new("RGB", (48, 32), "red").save(tmp_path / "red.png")
    start = GivenFile(tmp_path / "red.png", "picture", "red.png")
    request = replace(FILM, start=start, num_at_first=1)
    (old,) = run(runner, request, tmp_path / "old")
    (new,) = run(runner, redo_from(request, tmp_path / "old", 1, 11), tmp_path / "new")
    before, after = (read_video(result.frames).frames for result in (old, new))
    assert np.array_equal(before[:6], after[:6])
    assert not np.array_equal(before[6:], after[6:])
    assert before.shape == after.shape


def test_a_film_is_smoothed_and_upscaled_as_any_video(runner, tmp_path):
    request = replace(FILM, smooth=True, upscale=True)
    film, smooth, large = run(runner, request, tmp_path / "job")
    assert smooth.metadata["stages"] == ["long_video", "interpolation"]
    assert large.effort.num_frames == smooth.effort.num_frames == 4 * NUM_FRAMES - 3
    (later,) = run(
        runner, StageRequest((film,), "interpolation", 1), tmp_path / "later", results=(film,)
    )
    assert np.array_equal(read_video(later.frames).frames, read_video(smooth.frames).frames)


@pytest.mark.parametrize("stage", ["interpolation", "super_resolution"])
def test_a_long_film_goes_through_a_later_stage_without_being_held_in_memory(
    runner, tmp_path, monkeypatch, stage
):
    assert MANY_FRAMES > 61  # what the first tab makes stays in memory
    request = replace(FILM, smooth=stage == "interpolation", upscale=stage == "super_resolution")
    film, whole = run(runner, request, tmp_path / "job")
    monkeypatch.setattr("app.long_results.MANY_FRAMES", 4)
    monkeypatch.setattr("lavie.media.read_video", None)  # which reads all of it
    (again,) = run(runner, StageRequest((film,), stage, 1), tmp_path / "again", results=(film,))
    assert again.effort.num_frames == whole.effort.num_frames
    monkeypatch.undo()
    difference = read_video(again.video).frames.astype(int) - read_video(whole.video).frames
    assert np.abs(difference).mean() < 1  # decoded in other slices, then encoded
    assert again.comparison is not None
    assert not list(tmp_path.glob("*.part"))


@pytest.fixture
def going_on(tmp_path):
    clip = np.random.default_rng(0).integers(0, 256, (40, 16, 24, 3), dtype=np.uint8)
    write_video(tmp_path / "clip.mkv", clip, 8, format=LOSSLESS)
    given = GivenFile(tmp_path / "clip.mkv", "video", "clip.mkv")
    return replace(FILM, start=given, num_before=40, num_at_first=2)


@pytest.fixture
def checked(runner, monkeypatch):
    def check_with(checker):
        monkeypatch.setattr(runner, "_checker", checker)
        monkeypatch.setattr(runner, "_safety", "checker:check")
        return runner

    return check_with


def test_what_may_not_be_shown_is_not_written(checked, going_on, tmp_path):
    with pytest.raises(InputError, match="not kept"):
        run(checked(lambda frames: "No."), FILM, tmp_path / "job")
    with pytest.raises(InputError, match="not kept"):
        run(checked(lambda frames: "No."), going_on, tmp_path / "second")
    assert not list(tmp_path.rglob("*.mp4"))
    assert not list(tmp_path.rglob("part-*"))


def test_a_checker_sees_what_a_film_goes_on_from_too(checked, going_on, tmp_path):
    seen = []
    (result,) = run(checked(seen.append), going_on, tmp_path / "job")
    assert np.array_equal(np.concatenate(seen), read_video(result.frames).frames)


def test_a_film_is_stopped_while_what_it_goes_on_from_is_read(checked, going_on, tmp_path):
    cancel, looks = CancelToken(), []

    def look(frames):
        looks.append(frames)
        cancel.cancel()

    with pytest.raises(Cancelled):
        run(checked(look), going_on, tmp_path / "job", cancel=cancel)
    assert len(looks) == 1
    assert not list(tmp_path.rglob("part-*"))
