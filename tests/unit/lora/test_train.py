import base64
import importlib.util
import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load, load_file

from lavie.errors import (
    Cancelled,
    ConfigError,
    InputError,
    MemoryBudgetError,
    MissingDependencyError,
)
from lavie.media import read_video
from lavie.models import BaseUNet
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.training.loop import train
from lavie.types import CancelToken, Measured, Preview, Progress
from lora.formats import read_lora
from lora.header import RESULT
from lora.inject import attach, merge
from lora.metadata import thumbnail_of
from lora.train import check_images, make_stage, prepare, train_lora
from tests.unit.lora.personal import (
    assert_equal_runs,
    draw_pictures,
    personal_config,
    steps_of,
    stop_after,
    stop_and_go_on,
)


def weights(path):
    return load_file(path)


def test_what_is_learnt_is_a_file_that_the_model_takes(config, model_folder):
    path = train_lora(config())
    pipeline = TextToVideoPipeline.from_pretrained(model_folder)
    lora = read_lora(path, pipeline.unet, pipeline.text_encoder)
    assert list(lora.embeddings) == ["zog"]
    assert lora.ranks == (2,)
    assert any(layer.up.abs().sum() > 0 for layer in lora.layers["unet"].values())
    assert not any(map(BaseUNet.is_temporal, lora.layers["unet"]))
    attach(pipeline, lora, "mine")
    assert [p.name for p in path.parent.iterdir() if p.name.startswith("lora")] == [path.name]


def test_training_leaves_every_weight_of_the_model_bit_for_bit(config, model_folder):
    before = TextToVideoPipeline.from_pretrained(model_folder)
    run = config(train_text_encoder=True, parts=("attention", "feed_forward", "convolutions"))
    prepared = prepare(run)
    stage = make_stage(run, prepared)
    learning = [name for name, weight in stage.named_parameters() if weight.requires_grad]
    assert not any(map(BaseUNet.is_temporal, learning))
    train(stage)
    for part in ("unet", "text_encoder", "vae"):
        trained = {
            name.replace(".base_layer", "").replace(".known.", "."): weight
            for name, weight in getattr(prepared.pipeline, part).state_dict().items()
        }
        for name, weight in getattr(before, part).state_dict().items():
            assert torch.equal(trained[name], weight), name


def test_layers_that_learn_as_a_whole_come_to_a_file_that_does_the_same(config, model_folder):
    run = config(whole=True, rank=64, ema_decay=0.0, train_text_encoder=True)
    prepared = prepare(run)
    stage = make_stage(run, prepared)
    learning = [name for name, weight in stage.named_parameters() if weight.requires_grad]
    assert not any(map(BaseUNet.is_temporal, learning))
    train(stage)
    trained = dict(prepared.pipeline.unet.named_parameters())
    pipeline = TextToVideoPipeline.from_pretrained(model_folder)
    adapted = {f"{name}.weight" for name in stage.lora().layers["unet"]}
    for name, weight in pipeline.unet.named_parameters():
        assert torch.equal(weight, trained[name]) != (name in adapted), name
    attach(pipeline, stage.lora(), "mine")
    merge(pipeline)
    for name, weight in pipeline.unet.named_parameters():
        torch.testing.assert_close(weight, trained[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("whole", [False, True])
def test_the_file_is_in_half_precision_and_does_the_same_to_three_digits(
    config, model_folder, whole
):
    run = config(whole=whole, train_text_encoder=True, ema_decay=0.0)
    stage = make_stage(run, prepare(run))
    path = train(stage) / RESULT
    assert {tensor.dtype for tensor in weights(path).values()} == {torch.float16}
    pipeline = TextToVideoPipeline.from_pretrained(model_folder)
    read = read_lora(path, pipeline.unet, pipeline.text_encoder)
    for network, layers in stage.lora().layers.items():
        assert layers.keys() == read.layers[network].keys()
        for name, layer in layers.items():
            error = (read.layers[network][name].product() - layer.product()).norm()
            assert error <= 1e-3 * layer.product().norm(), name


def test_a_whole_layer_is_written_in_the_rank_that_was_asked_for(config, model_folder):
    path = train_lora(config(whole=True, rank=3))
    pipeline = TextToVideoPipeline.from_pretrained(model_folder)
    lora = read_lora(path, pipeline.unet, pipeline.text_encoder)
    assert lora.ranks == (3,)
    assert lora.metadata["ss_network_alpha"] == "3"
    assert all(layer.scale == 1 for layer in lora.layers["unet"].values())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"whole": True},
        {"train_text_encoder": True},
        {"gradient_accumulation_steps": 2},
        {"dropout": 0.2, "caption_dropout": 0.5, "schedule": "cosine"},
    ],
    ids=["a LoRA", "whole layers", "the text encoder too", "accumulated", "what is drawn"],
)
@pytest.mark.parametrize("at", [1, 2])
def test_a_run_that_was_stopped_goes_on_with_the_same_numbers(config, at, changes):
    unbroken, stopped = (config(name, **changes) for name in ("unbroken", "stopped"))
    train_lora(unbroken)
    stop_and_go_on(stopped, at)
    assert_equal_runs(stopped.output, unbroken.output)


@pytest.mark.parametrize("at", [1, 2])
def test_a_run_with_a_picture_kept_apart_goes_on_with_the_best_state_so_far(config, at):
    """At this rate the first states are the best, so what was kept before the stop has to stay."""
    changes = {"held_out": True, "evaluate_every": 1, "learning_rate": 0.5}
    unbroken, stopped = (config(name, **changes) for name in ("unbroken", "stopped"))
    train_lora(unbroken)
    stop_and_go_on(stopped, at)
    assert_equal_runs(stopped.output, unbroken.output)
    best, same = (torch.load(c.output / "best.pt", weights_only=True) for c in (unbroken, stopped))
    assert (best["step"], best["loss"]) == (same["step"], same["loss"])
    assert best["step"] <= at + 1


def test_a_kill_loses_only_what_came_after_the_checkpoint(config):
    whole, killed = config("whole"), config("killed", checkpoint_every=2)
    train_lora(whole)

    class Kill(BaseException):
        pass

    def hear(event):
        if isinstance(event, Measured) and event.step == 3:
            raise Kill

    with pytest.raises(Kill):
        train_lora(killed, hear)
    heard = []
    train_lora(killed, heard.append)
    assert_equal_runs(killed.output, whole.output)
    assert steps_of(heard) == [3, 4]
    lines = (killed.output / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [4]


def test_stop_here_and_keep_this_one(config):
    token, steady = CancelToken(), {"schedule": "constant", "warmup_steps": 0}
    early, short = config("early", **steady), config("short", num_steps=3, **steady)
    train_lora(early, stop_after(2, token), finish=token)
    train_lora(short)
    assert_equal_runs(early.output, short.output)


def test_it_tells_of_the_loss_of_samples_and_of_progress(config):
    events = []
    run = config(sample_every=2, num_samples=2, num_steps=2)
    train_lora(run, events.append)
    measured = [event for event in events if isinstance(event, Measured)]
    assert [event.step for event in measured] == [1, 2]
    assert all({"loss", "own_loss", "prior_loss"} <= event.values.keys() for event in measured)
    previews = [event for event in events if isinstance(event, Preview)]
    assert [event.frames.shape for event in previews] == [(16, 16, 24, 3)] * 2
    assert sorted(path.name for path in (run.output / "samples").iterdir()) == [
        "step-00000002-2.mp4",
        "step-00000002.mp4",
    ]
    progress = [event for event in events if isinstance(event, Progress)]
    assert {event.stage for event in progress} == {"prepare", "lora"}
    assert all(event.step <= event.total for event in progress)


def test_the_best_state_on_the_picture_kept_apart_is_what_is_kept(config):
    events = []
    run = config(held_out=True, evaluate_every=1, num_steps=4, learning_rate=0.5)
    path = train_lora(run, events.append)
    losses = {
        event.step: event.values["held_out"] for event in events if isinstance(event, Measured)
    }
    assert sorted(losses) == [1, 2, 3, 4]
    best = min(losses, key=lambda step: losses[step])
    kept = torch.load(run.output / "best.pt", weights_only=True)
    assert kept["step"] == best
    assert kept["loss"] == losses[best]
    down = next(v for k, v in kept["weights"].items() if "attn1.to_q.lora_A" in k)
    assert any(torch.equal(down.half(), tensor) for tensor in weights(path).values())


def test_training_stops_when_the_picture_kept_apart_gets_no_better(config):
    events = []
    run = config(held_out=True, evaluate_every=1, patience=2, num_steps=30, learning_rate=1.0)
    train_lora(run, events.append)
    last = max(event.step for event in events if isinstance(event, Measured))
    assert last < 30
    assert torch.load(run.output / "best.pt", weights_only=True)["step"] == last - 2


def test_pictures_are_needed_once_and_others_make_another_run(config, model_folder, tmp_path):
    images = draw_pictures(tmp_path / "mine")
    run = personal_config(tmp_path / "run", model_folder, images)
    token = CancelToken()
    with pytest.raises(Cancelled):
        train_lora(run, stop_after(1, token), token)
    kept = [run.output / name for name in ("personal.yaml", "examples.safetensors", "run.yaml")]
    before = [path.read_bytes() for path in kept]
    shutil.copyfile(images[0], images[1])
    with pytest.raises(ConfigError, match="was trained on other pictures, .* another --token or "):
        train_lora(personal_config(tmp_path / "run", model_folder, images, name="Other"))
    assert [path.read_bytes() for path in kept] == before


def test_a_finished_run_that_is_called_again_leaves_its_file_as_it_is(config, monkeypatch):
    path = train_lora(config())
    before, later = path.read_bytes(), datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr("lora.metadata.datetime", SimpleNamespace(now=lambda zone: later))
    assert train_lora(config()).read_bytes() == before
    assert not (path.parent / "model").exists()
    train_lora(config().model_copy(update={"name": "Other"}))
    with safe_open(path, "pt") as file:
        assert file.metadata()["modelspec.title"] == "Other"
    path.write_bytes(before[:100])
    train_lora(config())
    assert all(torch.equal(tensor, weights(path)[key]) for key, tensor in load(before).items())


class LooksThatStop(CancelToken):
    """Is set once it was looked at so often."""

    def __init__(self, num_looks):
        super().__init__()
        self.num_left = num_looks

    @property
    def is_cancelled(self):
        self.num_left -= 1
        return self.num_left < 0


def test_stills_of_the_models_own_are_given_up_at_the_next_step(config, images):
    events, run = [], config(num_steps=1)
    token = LooksThatStop(len(images) + 1)
    with pytest.raises(Cancelled, match="at step 0 of 1; start again to resume"):
        train_lora(run, events.append, token)
    assert [event.step for event in events] == list(range(1, len(images) + 1))
    assert train_lora(run).exists()
    (run.output / "examples.safetensors").unlink()
    with pytest.raises(Cancelled, match="at step 1 of 1; start again to resume"):
        train_lora(run, events.append, LooksThatStop(0))


def test_a_sample_is_given_up_at_the_next_step_and_nothing_that_was_learnt(config, caplog):
    whole, stopped, token = config("whole"), config("stopped", sample_every=2), CancelToken()
    train_lora(whole)
    with pytest.raises(Cancelled, match="Stopped at step 3"):
        train_lora(stopped, stop_after(2, token), token)
    assert list((stopped.output / "samples").iterdir()) == []
    assert "failed" not in caplog.text
    heard = []
    train_lora(stopped, heard.append)
    assert_equal_runs(stopped.output, whole.output)
    assert steps_of(heard) == [4]


@pytest.mark.parametrize(
    ("stage", "error"), [("prepare", MemoryError()), ("lora", torch.OutOfMemoryError("CUDA"))]
)
def test_too_little_memory_is_said_in_a_sentence_and_the_run_can_go_on(config, stage, error):
    run = config(num_steps=2)

    def hear(event):
        if isinstance(event, Progress) and event.stage == stage:
            raise error

    with pytest.raises(MemoryBudgetError, match=r"stills of 16x24, 3 a step, .* smaller height"):
        train_lora(run, hear)
    assert train_lora(run).exists()


def test_other_faults_are_not_taken_for_too_little_memory(config):
    def hear(event):
        raise RuntimeError("a fault of ours")

    with pytest.raises(RuntimeError, match="a fault of ours"):
        train_lora(config(num_steps=1), hear)


@pytest.mark.parametrize("height", [16, 128])
def test_the_file_names_its_model_without_its_place_and_by_its_size(config, model_folder, height):
    path = train_lora(config(num_steps=1, height=height, width=16))
    with safe_open(path, "pt") as file:
        about = file.metadata()
    assert about["lavie.base_model"] == about["ss_sd_model_name"] == model_folder.name
    assert about["modelspec.architecture"] == "lavie-base/lora"
    assert not any(str(model_folder.parent) in text for text in about.values())
    assert not any(str(path.parent.parent) in text for text in about.values())


def test_the_file_says_what_it_is(config):
    path = train_lora(config(num_steps=1, class_word="fox"))
    with safe_open(path, "pt") as file:
        about = file.metadata()
    assert about["modelspec.title"] == "My thing"
    assert about["lavie.trigger_word"] == about["modelspec.trigger_phrase"] == "zog"
    assert about["lavie.class_word"] == "fox"
    assert about["ss_network_dim"] == "2"
    assert json.loads(about["lavie.settings"])["num_steps"] == 1
    assert len(about["lavie.base_model_hash"]) == 16


def metadata_of(path):
    with safe_open(path, "pt") as file:
        return file.metadata()


@pytest.mark.parametrize("tells_captions", [False, True])
def test_captions_are_told_to_others_on_purpose_alone(config, tells_captions):
    captions = ("zog in a secret place", "", "", "")
    run = config(num_steps=1, captions=captions[: len(config().images)])
    run = run.model_copy(update={"tells_captions": tells_captions})
    about = metadata_of(train_lora(run))
    assert ("secret" in json.dumps(about)) == tells_captions
    assert "a photo of a zog" in about["ss_tag_frequency"]


def test_the_picture_of_a_file_shows_what_it_makes_and_none_that_it_learnt_from(config):
    run = config(num_steps=1, sample_every=1)
    about = metadata_of(train_lora(run))
    text = about["modelspec.thumbnail"].removeprefix("data:image/jpeg;base64,")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"), float)
    frames = read_video(run.output / "samples" / "step-00000001.mp4").frames
    assert np.abs(shown - frames[len(frames) // 2]).mean() < 12
    without = config("without", num_steps=1, sample_every=0)
    assert "modelspec.thumbnail" not in metadata_of(train_lora(without))


def test_the_picture_of_a_file_is_of_a_video_that_may_be_shown_or_there_is_none(config):
    run, looks, events = config(num_steps=2, sample_every=1), [], []

    def is_first(frames):
        looks.append(frames)
        return len(looks) == 1

    about = metadata_of(train_lora(run, events.append, may_show=is_first))
    assert [path.name for path in (run.output / "samples").iterdir()] == ["step-00000001.mp4"]
    assert len(looks) == 2
    assert [event.step for event in events if isinstance(event, Preview)] == [1]
    first = thumbnail_of(run.output / "samples" / "step-00000001.mp4")
    assert about["modelspec.thumbnail"] == first["modelspec.thumbnail"]
    none = config("none", num_steps=1, sample_every=1)
    assert "modelspec.thumbnail" not in metadata_of(train_lora(none, may_show=lambda _: False))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"token": "Zog"}, "token"),
        ({"token": "two words"}, "token"),
        ({"token": "fox"}, "token"),
        ({"token": "../x"}, "token"),
        ({"train_embedding": False}, "train_embedding"),
    ],
)
def test_what_cannot_be_learnt_is_refused_before_anything_is_written(config, changes, field):
    run = config(**changes)
    with pytest.raises(InputError) as error:
        train_lora(run)
    assert error.value.field == field
    assert not run.output.exists()


@pytest.mark.parametrize("side", ["height", "width"])
def test_a_size_that_the_model_cannot_have_is_refused_before_anything_is_written(config, side):
    run = config(**{side: 18})
    with pytest.raises(ConfigError, match=f"{side} 18 is not a multiple of .* Use 16 or 20"):
        train_lora(run)
    assert not run.output.exists()


@pytest.mark.parametrize("token", ["tinbot", "toyboat", "mypanda", "zog"])
def test_the_miniature_learns_every_new_word_also_one_with_pieces_it_knows(images, tmp_path, token):
    config = personal_config(tmp_path / "run", "miniature", images, token=token)
    assert prepare(config).run.train_embedding


def test_a_picture_that_cannot_be_used_is_refused_by_name(images, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"<svg></svg>")
    with pytest.raises(InputError, match="'bad.png' is an SVG"):
        check_images([*images, bad])


def test_efforts_differ_in_steps_and_what_is_given_wins(config):
    steps = {
        effort: prepare(config(effort=effort, num_steps=None)).run.num_steps
        for effort in ("quick", "normal", "thorough")
    }
    assert steps["quick"] < steps["normal"] < steps["thorough"]
    assert prepare(config(num_steps=7)).run.num_steps == 7


def test_a_model_has_the_same_hash_in_every_precision(config):
    hashes = {
        prepare(config(mixed_precision=precision)).run.base for precision in ("no", "fp16", "bf16")
    }
    assert len(hashes) == 1


def test_what_does_not_learn_may_be_in_half_precision(config):
    run = config(mixed_precision="bf16", gradient_checkpointing=True, train_text_encoder=True)
    prepared = prepare(run)
    stage = make_stage(run, prepared)
    train(stage)
    for name, weight in stage.named_parameters():
        assert weight.dtype == (torch.float32 if weight.requires_grad else torch.bfloat16), name
    layers = stage.lora().layers["unet"].values()
    assert all(layer.up.isfinite().all() for layer in layers)
    assert any(layer.up.abs().sum() > 0 for layer in layers)


def test_an_8_bit_optimizer_that_is_not_installed_is_asked_for_by_name(config):
    if importlib.util.find_spec("bitsandbytes") is not None:
        pytest.skip("bitsandbytes is installed")
    with pytest.raises(MissingDependencyError, match="pip install bitsandbytes"):
        train_lora(config(optimizer_8bit=True))
