"""Personal LoRAs that train in seconds: a tiny model, small pictures, two steps."""

import numpy as np
from PIL import Image

from lora.settings import PersonalConfig

QUICK = {
    "num_steps": 4,
    "batch_size": 2,
    "whole": False,
    "rank": 2,
    "num_variants": 3,
    "num_prior_images": 2,
    "prior_rows": 1,
    "sample_every": 0,
    "checkpoint_every": 1,
    "learning_rate": 1e-2,
    "ema_decay": 0.5,
    "height": 16,
    "width": 24,
}


def draw_pictures(folder, count=3, size=(24, 16)):
    """Red squares at other places of grey grounds."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(count):
        pixels = np.full((size[1] * 4, size[0] * 4, 3), 120 + 30 * index, np.uint8)
        left = 8 + 16 * index
        pixels[16:44, left : left + 28] = (220, 30 + 20 * index, 20)
        pixels[20:26, left + 6 : left + 12] = 0
        paths.append(folder / f"{index}.png")
        Image.fromarray(pixels).save(paths[-1])
    return tuple(paths)


def personal_config(output, model, images, **changes):
    named = {"output": output, "model": str(model), "images": images, "name": "My thing"}
    return PersonalConfig(**{**named, "token": "zog", **QUICK, **changes})
