"""What a personal LoRA learns from: stills as latents, of the new thing and of the model's own."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import reduce, repeat
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lavie.data.sources import derive_generator
from lavie.data.world import MOTIONS, PLACES
from lavie.data.world.clips import Pose, motion_path
from lavie.data.world.drawing import place_background
from lavie.errors import CheckpointError
from lavie.media import frames_to_pixels
from lavie.models.latents import encode_pixels
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.types import CancelToken
from lora.crops import make_clips, make_crops
from lora.cutouts import cut_out, cut_oval, is_cutout
from lora.opening import WORKING_SIDE, open_picture
from lora.settings import PersonalRun

logger = logging.getLogger(__name__)

Report = Callable[[int, int], None]

_TENSORS = ("latents", "focus", "prior", "places", "motions")
_DECIDE = {
    *("pictures", "base", "seed", "kind", "places", "motions"),
    *("num_variants", "num_prior_images", "shift", "zoom", "mirror"),
}
_ZOOM = 6  # pixels of a picture for one of a still, at most
_AT_ONCE = 8  # stills that the model makes together; of clips, each is told of
_STEPS_OF_CLIPS = 8  # enough for what noise is added to, and from which the model has to tell


@dataclass(frozen=True, eq=False)
class Examples:
    """All stills of a run, or clips, encoded once.

    Args:
        latents: ``(P, V, C, F, h, w)``: V crops of P pictures, F frames of each; 1 of stills.
        focus: ``(P, V, 1, F, h, w)`` in [0, 1], where their subject is.
        prior: ``(N, C, F, h, w)``: what the model has made of its own; N may be 0.
        places: Whole numbers ``(P, V)``: which place of the run's each crop shows, or -1.
        motions: Likewise which motion.
    """

    latents: Tensor
    focus: Tensor
    prior: Tensor
    places: Tensor
    motions: Tensor

    def caption(self, run: PersonalRun, said: str, picture: int, crop: int) -> str:
        """What is said of a picture, and what one of its crops shows besides.

        Args:
            run: Its settings.
            said: Of the picture.
            picture: Its number.
            crop: The crop's.
        """
        motion, place = int(self.motions[picture, crop]), int(self.places[picture, crop])
        words = [said]
        words += [MOTIONS[run.motions[motion]][0]] if motion >= 0 else []
        words += [PLACES[run.places[place]][0]] if place >= 0 else []
        return " ".join(words)


@dataclass(frozen=True)
class StillBatch:
    """Stills of one step, or clips: those of the new thing first, then the model's own.

    Args:
        latents: ``(B, C, F, h, w)``.
        weight: ``(B, 1, F, h, w)``, how much each cell counts.
        captions: What is said of each.
        num_prior: How many of them, at the end, are the model's own.
    """

    latents: Tensor
    weight: Tensor
    captions: list[str]
    num_prior: int


def prepare_examples(
    run: PersonalRun,
    pipeline: TextToVideoPipeline,
    images: Sequence[Path],
    captions: Sequence[str],
    prior_captions: Sequence[str],
    report: Report | None = None,
    cancel: CancelToken | None = None,
) -> Examples:
    """Encode the pictures and let the model make its own stills; kept in the run's folder.

    So a run that resumes learns from the very same numbers, and needs no time for them.

    Args:
        run: Its settings.
        pipeline: The model, as it was before it learns.
        images: The pictures.
        captions: What a person says of each; empty: nothing.
        prior_captions: Of the model's own stills.
        report: Told how much is done.
        cancel: Looked at before every still, and at every step of making one.

    Raises:
        BadPicture: One can't be used.
        Cancelled: ``cancel`` was set.
    """
    path = run.output / "examples.safetensors"
    if (found := _read(path, key := _key(run))) is not None:
        return found
    total, done = len(images) + len(prior_captions), 0
    encoded: list[tuple[Tensor, ...]] = []
    prior: list[Tensor] = []
    for index, image in enumerate(images):
        encoded.append(_encode(run, pipeline, image, index, is_told=bool(captions[index])))
        done = _tell(done, total, report, cancel)
    num_together = 1 if run.motions else _AT_ONCE
    for start in range(0, len(prior_captions), num_together):
        some = prior_captions[start : start + num_together]
        prior.append(_imagine(run, pipeline, some, start, cancel))
        done = _tell(done + len(some) - 1, total, report, cancel)
    latents, focus, *shown = (torch.stack(parts) for parts in zip(*encoded, strict=True))
    examples = Examples(latents, focus, torch.cat(prior) if prior else latents[0][:0], *shown)
    _write(examples, path, key)
    return examples


def draw_batches(
    run: PersonalRun,
    examples: Examples,
    captions: Sequence[Sequence[str]],
    prior_captions: Sequence[str],
    start: int,
    rank: int,
) -> Iterator[StillBatch]:
    """Batches without end; batch k depends on the seed, the process and k alone.

    Every picture comes as often as the others.

    Args:
        run: Its settings.
        examples: What to draw from.
        captions: All that is said of each picture.
        prior_captions: What is said of each of the model's own stills.
        start: Batches to leave out.
        rank: Number of this process.
    """
    num_pictures, num_crops = examples.latents.shape[:2]
    for number in _count(start):
        generator = derive_generator(run.seed, "stills", rank, number)
        rows: list[tuple[Tensor, Tensor, str]] = []
        for index in range(number * run.batch_size, (number + 1) * run.batch_size):
            order = derive_generator(run.seed, "order", rank, index // num_pictures)
            picture = int(torch.randperm(num_pictures, generator=order)[index % num_pictures])
            crop = int(torch.randint(num_crops, (1,), generator=generator))
            said = captions[picture]
            drawn = int(torch.randint(len(said), (1,), generator=generator))
            is_moving = bool(examples.motions[picture, crop] >= 0)  # no "photo of" a clip
            words = examples.caption(run, said[0 if is_moving else drawn], picture, crop)
            focus = examples.focus[picture, crop]
            rows.append((examples.latents[picture, crop], focus, words))
        step = number // run.gradient_accumulation_steps
        sees_prior = len(examples.prior) and step % run.prior_every == 0
        num_prior = run.prior_rows if sees_prior else 0
        for _ in range(num_prior):
            index = int(torch.randint(len(examples.prior), (1,), generator=generator))
            nowhere = torch.zeros_like(rows[0][1])
            rows.append((examples.prior[index], nowhere, prior_captions[index]))
        latents, seen, words = zip(*rows, strict=True)
        yield StillBatch(
            torch.stack(latents),
            1 + run.focus_weight * torch.stack(seen),
            list(words),
            num_prior,
        )


def _encode(
    run: PersonalRun, pipeline: TextToVideoPipeline, image: Path, index: int, is_told: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Latents ``(V, C, F, h, w)`` of a picture's crops, where its subject is, places and motions.

    What stands before a plain ground is taken off it, and for clips an oval out of what does not,
    unless a person says what is to be seen: that stays whole, and stands still in clips.
    """
    video = run.video
    side = _ZOOM * max(video.height, video.width)  # more is not seen, and takes its time
    picture = open_picture(image, min(side, WORKING_SIDE))
    if run.kind != "style" and not is_told:
        picture = cut_out(picture)
        if run.motions and not is_cutout(picture):
            picture = cut_oval(picture)
    generator = derive_generator(run.seed, "crops", index)
    grounds = () if is_told else [place_background(place) for place in run.places]
    numbers = [-1] * run.num_variants
    if run.motions and not is_told:
        count = len(run.motions)  # beside as many places: each motion before all of them in turn
        numbers = [(each + each // count + index) % count for each in range(run.num_variants)]
        paths = [_path(run, number, generator) for number in numbers]
        crops = make_clips(picture, video.height, video.width, paths, grounds, run.mirror)
        frames, focus = crops.frames, crops.focus
    else:
        crops = make_crops(
            picture,
            video.height,
            video.width,
            run.num_variants,
            generator,
            run.shift,
            run.zoom,
            run.mirror,
            grounds,
        )
        frames, focus = (
            repeat(part, "V ... -> V F ...", F=run.num_frames)
            for part in (crops.frames, crops.focus)
        )
    pixels = frames_to_pixels(frames).to(pipeline.vae.device)
    latents = encode_pixels(pipeline.vae, pixels).cpu()
    size = video.height // latents.shape[-2]
    cells = reduce(torch.from_numpy(focus), "V F (h s) (w t) -> V 1 F h w", "mean", s=size, t=size)
    return latents, cells, torch.tensor(crops.grounds), torch.tensor(numbers)


def _path(run: PersonalRun, motion: int, generator: torch.Generator) -> list[Pose]:
    """One of the ways on which the world's own subjects do this."""
    seed = int(torch.randint(2**31, (1,), generator=generator))
    return motion_path(run.motions[motion], run.num_frames, np.random.default_rng(seed))


def _imagine(
    run: PersonalRun,
    pipeline: TextToVideoPipeline,
    captions: Sequence[str],
    start: int,
    cancel: CancelToken | None,
) -> Tensor:
    """Latents ``(N, C, F, h, w)`` that the model makes, nothing temporal in stills."""
    numbers = range(start, start + len(captions))
    output: Any = pipeline(
        list(captions),
        height=run.video.height,
        width=run.video.width,
        num_frames=run.num_frames,
        num_inference_steps=_STEPS_OF_CLIPS if run.motions else None,
        generator=[derive_generator(run.seed, "prior", number) for number in numbers],
        network=pipeline.unet if run.motions else partial(pipeline.unet, num_images=1),
        output_type="latent",
        cancel=cancel,
    )
    return output.frames.float().cpu()


def _tell(done: int, total: int, report: Report | None, cancel: CancelToken | None) -> int:
    if report is not None:
        report(done + 1, total)
    if cancel is not None:
        cancel.raise_if_cancelled()
    return done + 1


def _count(start: int) -> Iterator[int]:
    while True:
        yield start
        start += 1


def _key(run: PersonalRun) -> str:
    """What decides the examples: of other settings, others are made."""
    settings = run.model_dump(mode="json", include=_DECIDE) | {"size": run.video.model_dump()}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _write(examples: Examples, path: Path, key: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    tensors = {name: getattr(examples, name).contiguous() for name in _TENSORS}
    save_file(tensors, str(temporary), {"key": key})
    temporary.replace(path)


def _read(path: Path, key: str) -> Examples | None:
    """What an earlier start has written with these settings; None: nothing."""
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as archive:
            file: Any = archive
            if (file.metadata() or {}).get("key") != key:
                return None
            return Examples(*(file.get_tensor(name) for name in _TENSORS))
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}). Delete it, or use another output."
        ) from error
