"""Settings of training runs that take seconds: a tiny model, small clips on disk, two steps."""

import io

from diffusers import UNet2DConditionModel
from PIL import Image

from lavie.training.stages.base import BaseConfig
from lavie.training.stages.image import ImageConfig
from lavie.training.stages.interpolation import InterpolationConfig
from lavie.training.stages.super_resolution import SuperResolutionConfig
from lavie.training.stages.vae import VAEConfig
from tests.tiny import UNET, VAE, make_tiny_components
from tests.unit.data.media_files import grey_frames, write_captioned, write_picture, write_shard

VIDEO = {
    "num_frames": 3,
    "height": 16,
    "width": 24,
    "fps": 8,
    "num_inference_steps": 1,
    "guidance_scale": 1.0,
}
RUN = {"num_steps": 2, "batch_size": 2, "log_every": 1, "preview_every": 0, "ema_decay": 0.5}


def write_clips(folder, num_clips=3, num_frames=8):
    """A folder of clips with captions."""
    for i in range(num_clips):
        caption = f"a fox number {i}"
        write_captioned(folder, f"fox{i}", 60 * i + 40, num_frames, caption)
    return folder


def write_metadata(folder, num_clips=2):
    """Clips that ``metadata.jsonl`` describes."""
    write_clips(folder, num_clips)
    rows = [f'{{"file_name": "fox{i}.mp4", "text": "a car {i}"}}\n' for i in range(num_clips)]
    (folder / "metadata.jsonl").write_text("".join(rows))
    return folder


def write_tars(folder):
    """A shard of clips, ``clips.tar``, and one of pictures, ``pictures.tar``."""
    folder.mkdir(parents=True, exist_ok=True)
    clip = write_captioned(folder / "source", "panda", level=120).read_bytes()
    members = {f"{i}.{kind}": data for i in range(3) for kind, data in _record("mp4", clip)}
    write_shard(folder / "clips.tar", members)
    picture = io.BytesIO()
    Image.fromarray(grey_frames([200])[0]).save(picture, "PNG")
    members = {
        f"{i}.{kind}": data for i in range(3) for kind, data in _record("png", picture.getvalue())
    }
    write_shard(folder / "pictures.tar", members)
    return folder


def _record(kind, media):
    return [(kind, media), ("txt", b"a panda in the snow")]


def write_pictures(folder, num_pictures=4):
    """A folder of pictures with captions."""
    for i in range(num_pictures):
        write_picture(folder / f"{i}.png", level=60 * i + 30).with_suffix(".txt").write_text(
            "a car"
        )
    return folder


def write_image_model(folder):
    """A folder like Stable Diffusion's, its U-Net diffusers' own."""
    parts = make_tiny_components()
    for name in ("vae", "text_encoder", "tokenizer"):
        parts[name].save_pretrained(folder / name)
    types = {
        "down_block_types": ["CrossAttnDownBlock2D"] * 2,
        "up_block_types": ["CrossAttnUpBlock2D"] * 2,
    }
    UNet2DConditionModel(sample_size=16, **UNET | types).save_pretrained(folder / "unet")
    return folder


def vae_config(output, pictures, **changes):
    stills = {"images": [{"kind": "folder", "path": pictures, "stills": True}]}
    shape = {"height": 16, "width": 24, "vae": VAE}
    return VAEConfig(**{"output": output, **RUN, **shape, **stills, **changes})


def image_config(output, model, pictures, **changes):
    stills = {"images": [{"kind": "folder", "path": pictures, "stills": True}]}
    return ImageConfig(
        **{"output": output, "init_from": model, "video": VIDEO, **RUN, **stills, **changes}
    )


def base_config(output, model, clips, **changes):
    data = {
        "videos": [{"kind": "folder", "path": clips}],
        "images": [{"kind": "folder", "path": clips, "stills": True}],
    }
    run = {**RUN, "num_images": 2, "video": VIDEO}
    return BaseConfig(**{"output": output, "init_from": model, **run, **data, **changes})


def interpolation_config(output, model, clips, **changes):
    data = {"videos": [{"kind": "folder", "path": clips}]}
    run = {**RUN, "video": VIDEO | {"num_frames": 2, "fps": 2}}
    return InterpolationConfig(**{"output": output, "init_from": model, **run, **data, **changes})


def super_resolution_config(output, model, clips, **changes):
    data = {
        "videos": [
            {"kind": "folder", "path": clips},
            {"kind": "folder", "path": clips, "stills": True, "handheld": True},
        ],
        "images": [{"kind": "folder", "path": clips, "stills": True}],
    }
    run = {**RUN, "video": VIDEO | {"height": 32, "width": 48}, "patch_size": 16}
    return SuperResolutionConfig(**{"output": output, "init_from": model, **run, **data, **changes})
