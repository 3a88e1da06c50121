"""Has a network learned motion? One call at the last timestep answers, long before samples do.

There the input is pure noise, so what is predicted comes from the words alone. The noise is the
same for every motion word: where predictions differ, the network has understood the difference.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from diffusers.utils.torch_utils import randn_tensor
from einops import rearrange

from lavie.data.world import MOTIONS, compose_caption
from lavie.evaluation.judge import Judge, judge_clips
from lavie.media import pixels_to_frames
from lavie.models.latents import decode_latents
from lavie.pipelines.schedulers import predict_clean_latents
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.types import Frames


@dataclass(frozen=True)
class MotionReading:
    """What a network foresees for each motion.

    Args:
        motions: The words, in order.
        distances: ``(M, M)``, rms difference of the predicted clean latents over all frames.
        distances_by_frame: ``(M, M, F)``, the same frame by frame.
        scale: Rms of the predictions about their mean over all frames and places.
        frames: The predictions, decoded: uint8 ``(M, F, H, W, 3)``; smudges, as an average is.
        read_as: The motion that the judge reads from each, None where it is unclear.
    """

    motions: tuple[str, ...]
    distances: np.ndarray
    distances_by_frame: np.ndarray
    scale: float
    frames: Frames
    read_as: tuple[str | None, ...]


@torch.no_grad()
def read_motions(
    pipeline: TextToVideoPipeline,
    judge: Judge,
    subject: str = "panda",
    place: str = "snow",
    seed: int = 0,
) -> MotionReading:
    """Ask a network for the same subject in the same place, doing each motion.

    Args:
        pipeline: A model of the world.
        judge: In eval mode.
        subject: A word of the world.
        place: A word of the world.
        seed: Of the noise.

    Raises:
        InputError: A word is not of the world.
    """
    captions = [compose_caption(subject, place, motion) for motion in MOTIONS]
    embeds = pipeline.encode_prompt(captions)
    sampler = copy.deepcopy(pipeline.scheduler)
    sampler.set_timesteps(1)
    shape = pipeline.latent_shape(pipeline.check_settings())
    noise = randn_tensor((1, *shape), torch.Generator().manual_seed(seed), pipeline.device)
    noise = noise.expand(len(captions), -1, -1, -1, -1) * sampler.init_noise_sigma
    noise = sampler.scale_model_input(noise, sampler.timesteps[0])
    output = pipeline.unet(
        noise.to(pipeline.unet.dtype), sampler.timesteps[0], encoder_hidden_states=embeds
    ).sample.float()
    latents = predict_clean_latents(sampler, output, 0, noise)
    frames = pixels_to_frames(decode_latents(pipeline.vae, latents))

    gap = rearrange(latents, "M C F h w -> M 1 F (C h w)") - rearrange(
        latents, "M C F h w -> 1 M F (C h w)"
    )
    by_frame = gap.square().mean(-1)  # (M, M, F)
    about_mean = latents - latents.mean(dim=(2, 3, 4), keepdim=True)
    return MotionReading(
        motions=tuple(MOTIONS),
        distances=by_frame.mean(-1).sqrt().cpu().numpy(),
        distances_by_frame=by_frame.sqrt().cpu().numpy(),
        scale=float(about_mean.square().mean().sqrt()),
        frames=frames,
        read_as=tuple(verdict.motion for verdict in judge_clips(judge, frames)),
    )


def motion_table(reading: MotionReading) -> list[str]:
    """A reading in lines of text: distances over the scale, and what the judge makes of each."""
    lines = [f"{'':8}" + "".join(f"{motion:>8}" for motion in reading.motions) + "   read as"]
    for i, motion in enumerate(reading.motions):
        cells = "".join(f"{value / reading.scale:8.2f}" for value in reading.distances[i])
        lines.append(f"{motion:8}{cells}   {reading.read_as[i] or 'unclear'}")
    lines.append(f"Distances are over the scale of the predictions, {reading.scale:.2f}.")
    return lines
