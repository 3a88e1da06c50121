"""A text-to-video model with random weights, small enough to run in milliseconds.

The classes are those of the miniature and of the published model; only the widths are tiny.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from lavie.models import BaseUNet, InterpolationUNet, SuperResolutionUNet
from lavie.pipelines.interpolation import InterpolationPipeline
from lavie.pipelines.long_video import LongVideoPipeline
from lavie.pipelines.model_folder import save_stage
from lavie.pipelines.super_resolution import SuperResolutionPipeline
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.training.text import make_tokenizer

WORDS = "a an the fox panda car rocket in over on under snow ocean forest city moving left right up"
LATENT_CHANNELS = 8
TEXT_WIDTH = 32
VAE = {
    "block_out_channels": [8, 8, 8],
    "down_block_types": ["DownEncoderBlock2D"] * 3,
    "up_block_types": ["UpDecoderBlock2D"] * 3,
    "layers_per_block": 1,
    "latent_channels": LATENT_CHANNELS,
    "norm_num_groups": 4,
    "scaling_factor": 1.0,
}
UNET = {
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "down_block_types": ["CrossAttnDownBlock3D", "CrossAttnDownBlock3D"],
    "up_block_types": ["CrossAttnUpBlock3D", "CrossAttnUpBlock3D"],
    "block_out_channels": [32, 64],
    "layers_per_block": 1,
    "attention_head_dim": 1,
    "cross_attention_dim": TEXT_WIDTH,
    "norm_num_groups": 8,
}


def make_tiny_tokenizer(model_max_length: int = 16) -> CLIPTokenizer:
    """A CLIP tokenizer that has `WORDS` as whole tokens and spells the rest in letters."""
    return make_tokenizer(WORDS.split(), model_max_length)


def make_tiny_components(seed: int = 0, model_max_length: int = 16) -> dict:
    """The five parts of a tiny model, in eval mode, with weights drawn from ``seed``."""
    tokenizer = make_tiny_tokenizer(model_max_length)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=TEXT_WIDTH,
                intermediate_size=2 * TEXT_WIDTH,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=model_max_length,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        vae = AutoencoderKL(sample_size=64, **VAE | {"block_out_channels": [8, 16, 16]})
        unet = BaseUNet(sample_size=16, **UNET)
    scheduler = DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        set_alpha_to_one=False,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )
    return {
        "vae": vae.eval(),
        "text_encoder": text_encoder.eval(),
        "tokenizer": tokenizer,
        "unet": unet.eval(),
        "scheduler": scheduler,
    }


def make_tiny_pipeline(seed: int = 0, model_max_length: int = 16) -> TextToVideoPipeline:
    """A whole pipeline: 64x40 pixels, 16 frames, 4 steps by default."""
    pipeline = TextToVideoPipeline(
        **make_tiny_components(seed, model_max_length),
        default_height=40,
        default_width=64,
        default_num_frames=16,
        default_num_inference_steps=4,
        default_guidance_scale=3.0,
        default_fps=8,
        latent_rgb_factors=torch.linspace(-1, 1, LATENT_CHANNELS * 3).view(-1, 3).tolist(),
        latent_rgb_bias=[0.0, 0.1, 0.2],
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def write_tiny_model(folder: Path, seed: int = 0, model_max_length: int = 16) -> Path:
    """Save `make_tiny_pipeline` as a model folder and give the folder."""
    make_tiny_pipeline(seed, model_max_length).save_pretrained(folder)
    return folder


def make_tiny_interpolation(seed: int = 0, **defaults) -> InterpolationPipeline:
    """An interpolation model made of the tiny parts and a network of its own."""
    components = make_tiny_components(seed)
    config = {k: v for k, v in components["unet"].config.items() if not k.startswith("_")}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = InterpolationUNet(**(config | {"in_channels": 2 * LATENT_CHANNELS}))
    pipeline = InterpolationPipeline(**(components | {"unet": unet.eval()}), **defaults)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def make_tiny_super_resolution(seed: int = 0, **defaults) -> SuperResolutionPipeline:
    """A super-resolution model made of the tiny parts and a network of its own."""
    components = make_tiny_components(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = SuperResolutionUNet(
            in_channels=LATENT_CHANNELS + 3,
            out_channels=LATENT_CHANNELS,
            down_block_types=("DownBlock3D", "CrossAttnDownBlock3D"),
            up_block_types=("CrossAttnUpBlock3D", "UpBlock3D"),
            block_out_channels=(64, 64),
            layers_per_block=1,
            attention_head_dim=1,
            cross_attention_dim=TEXT_WIDTH,
            norm_num_groups=8,
            only_cross_attention=(True, False),
        )
    components |= {"unet": unet.eval(), "low_res_scheduler": DDPMScheduler()}
    pipeline = SuperResolutionPipeline(**components, **defaults)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def write_tiny_cascade(folder: Path, seed: int = 0) -> Path:
    """Save all three stages as one model folder, whose later stages borrow the base's parts."""
    write_tiny_model(folder, seed)
    base = make_tiny_pipeline(seed).config
    previews = {name: base[name] for name in ("latent_rgb_factors", "latent_rgb_bias")}
    few = {"default_num_frames": 4, "default_num_inference_steps": 2}
    save_stage(make_tiny_interpolation(seed, **few, **previews), folder)
    save_stage(make_tiny_super_resolution(seed, **few), folder)
    return folder


def make_tiny_long_video(seed: int = 0, **defaults) -> LongVideoPipeline:
    """A long-video model made of the tiny parts and a network that heeds what it is given."""
    components = make_tiny_components(seed)
    unet = BaseUNet.from_base(components["unet"], 2 * LATENT_CHANNELS + 1).eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.nn.init.normal_(unet.conv_in.weight, std=0.1)
    pipeline = LongVideoPipeline(**(components | {"unet": unet}), **defaults)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def write_tiny_film_model(folder: Path, seed: int = 0) -> Path:
    """Save all three stages and the one that goes on from frames as one model folder."""
    write_tiny_cascade(folder, seed)
    size = {"default_height": 16, "default_width": 24, "default_num_frames": 6}
    usual = {"default_num_inference_steps": 1, "default_guidance_scale": 3.0}
    save_stage(make_tiny_long_video(seed, default_num_given=2, **size, **usual), folder)
    return folder
