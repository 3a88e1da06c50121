"""What was published, where, and the numbers its original code adds to it.

Source: the release of LaVie (arXiv:2309.15103) and of SEINE (arXiv:2310.20700).
"""

from dataclasses import dataclass
from typing import Any, Literal

NetworkName = Literal["base", "long_video"]

STABLE_DIFFUSION = "CompVis/stable-diffusion-v1-4"
STABLE_DIFFUSION_FOLDER = "stable-diffusion-v1-4"
"""Gives the VAE, the text encoder, the tokenizer and two configs; its U-Net weights are unused."""


@dataclass(frozen=True)
class PublishedNetwork:
    """One published checkpoint file and what it takes to use it.

    Attributes:
        name: What the command line calls it.
        file: Its file name.
        repositories: Hub repositories that have it, in the order in which they are tried.
        num_bytes: Size of the file; of SEINE's, what its network takes in float32.
        in_channels: Channels of the network's input.
        pipeline_class: The pipeline that a model folder of it is for.
        num_inference_steps: The release's default.
        guidance_scale: The release's default.
        licence: In words, for the person about to download it.
    """

    name: NetworkName
    file: str
    repositories: tuple[str, ...]
    num_bytes: int
    in_channels: int
    pipeline_class: str
    num_inference_steps: int
    guidance_scale: float
    licence: str

    @property
    def defaults(self) -> dict[str, Any]:
        """What the release was made for, under the pipeline's argument names."""
        return {
            "default_height": 320,
            "default_width": 512,
            "default_num_frames": 16,
            "default_fps": 8,
            "default_num_inference_steps": self.num_inference_steps,
            "default_guidance_scale": self.guidance_scale,
            "latent_rgb_factors": LATENT_RGB_FACTORS,
        }


NETWORKS: dict[str, PublishedNetwork] = {
    "base": PublishedNetwork(
        name="base",
        file="lavie_base.pt",
        repositories=("Vchitect/LaVie", "YaohuiW/LaVie"),
        num_bytes=3_636_842_083,
        in_channels=4,
        pipeline_class="TextToVideoPipeline",
        num_inference_steps=50,
        guidance_scale=7.5,
        licence="open for research; free commercial use on application to its authors",
    ),
    "long_video": PublishedNetwork(
        name="long_video",
        file="seine.pt",
        repositories=("xinyuanc91/SEINE",),
        num_bytes=3_637_000_000,
        in_channels=9,
        pipeline_class="LongVideoPipeline",
        num_inference_steps=250,
        guidance_scale=8.0,
        licence="see the model's page; meant for research",
    ),
}

STABLE_DIFFUSION_LICENCE = "CreativeML OpenRAIL-M"
STABLE_DIFFUSION_BYTES = 826_000_000
"""About: VAE 335 MB, text encoder 492 MB, in float32."""

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

LATENT_RGB_FACTORS: list[list[float]] = [
    [0.298, 0.207, 0.208],
    [0.187, 0.286, 0.173],
    [-0.158, 0.189, 0.264],
    [-0.184, -0.271, -0.473],
]
"""Scaled latents to pixels in [-1, 1], a row per latent channel: a linear fit to the VAE of Stable
Diffusion 1. Source: discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204."""
