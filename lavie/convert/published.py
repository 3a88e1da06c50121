"""What was published, where, and the numbers its original code adds to it.

Source: the release of LaVie (arXiv:2309.15103) and of SEINE (arXiv:2310.20700).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lavie.types import SchedulerName

NetworkName = Literal["base", "interpolation", "super_resolution", "long_video"]


@dataclass(frozen=True)
class PublishedParts:
    """The Stable Diffusion that a network was made from; its own U-Net's weights are unused.

    It gives the VAE, the text encoder, the tokenizer and the sizes of the network.

    Attributes:
        name: In words.
        repository: Hub repository.
        folder: Its name beside the checkpoints.
        num_bytes: About, in float32, of each part that has weights.
        vae_factor: Pixels that one latent cell is wide.
        vae_scaling_factor: Of the latents; the original code has it as a number, older files lack.
        licence: In words.
    """

    name: str
    repository: str
    folder: str
    num_bytes: Mapping[str, int]
    vae_factor: int
    vae_scaling_factor: float
    licence: str


STABLE_DIFFUSION = PublishedParts(
    name="Stable Diffusion 1.4",
    repository="CompVis/stable-diffusion-v1-4",
    folder="stable-diffusion-v1-4",
    num_bytes={"vae": 335_000_000, "text_encoder": 492_000_000},
    vae_factor=8,
    vae_scaling_factor=0.18215,
    licence="CreativeML OpenRAIL-M",
)

UPSCALER = PublishedParts(
    name="Stable Diffusion x4 upscaler",
    repository="stabilityai/stable-diffusion-x4-upscaler",
    folder="stable-diffusion-x4-upscaler",
    num_bytes={"vae": 222_000_000, "text_encoder": 1_362_000_000},
    vae_factor=4,
    vae_scaling_factor=0.08333,
    licence="CreativeML OpenRAIL++-M",
)


@dataclass(frozen=True)
class PublishedNetwork:
    """One published checkpoint file and what it takes to use it.

    Attributes:
        name: What the command line calls it.
        file: Its file name.
        repositories: Hub repositories that have it, in the order in which they are tried.
        num_bytes: Size of the file; of SEINE's, what its network takes in float32.
        licence: In words, for the person about to download it.
        parts: Where its VAE, text encoder and tokenizer come from.
        unet: Class of its network.
        unet_config: The network's config.
        scheduler_config: Its noise schedule.
        sampler: What the model folder samples with unless asked for another.
        pipeline: Class of the pipeline that a model folder of it is for.
        defaults: What the release was made for, under the pipeline's argument names.
    """

    name: NetworkName
    file: str
    repositories: tuple[str, ...]
    num_bytes: int
    licence: str
    parts: PublishedParts
    unet: str
    unet_config: Mapping[str, Any]
    scheduler_config: Mapping[str, Any]
    pipeline: str
    defaults: Mapping[str, Any]
    sampler: SchedulerName = "dpm++"


UNET_CONFIG: dict[str, Any] = {
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 768,
    "down_block_types": [
        "CrossAttnDownBlock3D",
        "CrossAttnDownBlock3D",
        "CrossAttnDownBlock3D",
        "DownBlock3D",
    ],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-5,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": [
        "UpBlock3D",
        "CrossAttnUpBlock3D",
        "CrossAttnUpBlock3D",
        "CrossAttnUpBlock3D",
    ],
    "use_first_frame": False,
}
"""Stable Diffusion 1.4's U-Net with the block types of LaVie."""

INTERPOLATION_UNET_CONFIG: dict[str, Any] = UNET_CONFIG | {
    "in_channels": 8,
    "use_first_frame": True,
}

SUPER_RESOLUTION_UNET_CONFIG: dict[str, Any] = UNET_CONFIG | {
    "block_out_channels": [256, 512, 512, 1024],
    "cross_attention_dim": 1024,
    "down_block_types": ["DownBlock3D", *["CrossAttnDownBlock3D"] * 3],
    "in_channels": 7,
    "max_noise_level": 350,
    "num_class_embeds": 1000,
    "only_cross_attention": [True, True, True, False],
    "sample_size": 128,
    "up_block_types": [*["CrossAttnUpBlock3D"] * 3, "UpBlock3D"],
    "use_linear_projection": True,
}
"""As shipped with the original code; what it adds in time never varies."""

SCHEDULER_CONFIG: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "trained_betas": None,
    "prediction_type": "epsilon",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
"""Stable Diffusion 1.4's schedule, but with LaVie's betas."""

SUPER_RESOLUTION_SCHEDULER_CONFIG: dict[str, Any] = SCHEDULER_CONFIG | {
    "prediction_type": "v_prediction"
}
"""The x4 upscaler's schedule, but with LaVie's linear betas."""

LOW_RES_SCHEDULER_CONFIG: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
}
"""The x4 upscaler's noise on the small video: scaled-linear betas, on purpose."""

LATENT_RGB_FACTORS: list[list[float]] = [
    [0.298, 0.207, 0.208],
    [0.187, 0.286, 0.173],
    [-0.158, 0.189, 0.264],
    [-0.184, -0.271, -0.473],
]
"""Scaled latents to pixels in [-1, 1], a row per latent channel: a linear fit to the VAE of Stable
Diffusion 1. Source: discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204."""

_LAVIE_REPOSITORIES = ("Vchitect/LaVie", "YaohuiW/LaVie")
_LAVIE_LICENCE = "open for research; free commercial use on application to its authors"
_TEXT_TO_VIDEO_DEFAULTS: dict[str, Any] = {
    "default_height": 320,
    "default_width": 512,
    "default_num_frames": 16,
    "default_fps": 8,
    "latent_rgb_factors": LATENT_RGB_FACTORS,
}

NETWORKS: dict[str, PublishedNetwork] = {
    "base": PublishedNetwork(
        name="base",
        file="lavie_base.pt",
        repositories=_LAVIE_REPOSITORIES,
        num_bytes=3_636_842_083,
        licence=_LAVIE_LICENCE,
        parts=STABLE_DIFFUSION,
        unet="BaseUNet",
        unet_config=UNET_CONFIG,
        scheduler_config=SCHEDULER_CONFIG,
        pipeline="TextToVideoPipeline",
        defaults={
            **_TEXT_TO_VIDEO_DEFAULTS,
            "default_num_inference_steps": 50,
            "default_guidance_scale": 7.5,
        },
    ),
    "interpolation": PublishedNetwork(
        name="interpolation",
        file="lavie_interpolation.pt",
        repositories=_LAVIE_REPOSITORIES,
        num_bytes=3_636_857_733,
        licence=_LAVIE_LICENCE,
        parts=STABLE_DIFFUSION,
        unet="InterpolationUNet",
        unet_config=INTERPOLATION_UNET_CONFIG,
        scheduler_config=SCHEDULER_CONFIG,
        pipeline="InterpolationPipeline",
        defaults={
            "default_num_frames": 16,
            "default_num_inference_steps": 50,
            "default_guidance_scale": 4.0,
            "prompt_suffix": ", 4k.",
            "latent_rgb_factors": LATENT_RGB_FACTORS,
        },
    ),
    "super_resolution": PublishedNetwork(
        name="super_resolution",
        file="lavie_vsr.pt",
        repositories=_LAVIE_REPOSITORIES,
        num_bytes=2_764_614_443,
        licence=_LAVIE_LICENCE,
        parts=UPSCALER,
        unet="SuperResolutionUNet",
        unet_config=SUPER_RESOLUTION_UNET_CONFIG,
        scheduler_config=SUPER_RESOLUTION_SCHEDULER_CONFIG,
        pipeline="SuperResolutionPipeline",
        defaults={
            "default_num_frames": 8,
            "default_num_inference_steps": 50,
            "default_guidance_scale": 5.0,
            "default_noise_level": 50,
            "default_negative_prompt": "blur, worst quality",
        },
    ),
    "long_video": PublishedNetwork(
        name="long_video",
        file="seine.pt",
        repositories=("xinyuanc91/SEINE",),
        num_bytes=3_637_000_000,
        licence="see the model's page; meant for research",
        parts=STABLE_DIFFUSION,
        unet="BaseUNet",
        unet_config={**UNET_CONFIG, "in_channels": 9},
        scheduler_config=SCHEDULER_CONFIG,
        pipeline="LongVideoPipeline",
        defaults={
            **_TEXT_TO_VIDEO_DEFAULTS,
            "default_num_inference_steps": 250,
            "default_guidance_scale": 8.0,
            "prompt_suffix": ", slow motion.",
            "transition_suffix": " smooth transition.",
        },
        sampler="ddpm",
    ),
}

CASCADE = "cascade"
"""What the command line calls the three stages in one model folder."""
