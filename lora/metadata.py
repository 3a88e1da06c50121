"""What a LoRA file says of itself, in the words that other programs read."""

import base64
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from lavie import __version__
from lavie.errors import LaVieError
from lavie.media import read_video
from lora.settings import PersonalConfig, PersonalRun

DATE = "modelspec.date"
"""When a file was written, as it says of itself."""

_THUMBNAIL_SIDE = 128


def make_metadata(
    config: PersonalConfig, run: PersonalRun, phrase: str, captions: Sequence[Sequence[str]]
) -> dict[str, str]:
    """Describe a LoRA, as text by name.

    Args:
        config: What was asked for.
        run: What that came to.
        phrase: What stands for the new thing in a prompt.
        captions: What is told of each picture.
    """
    counts = {caption: 1 for said in captions for caption in said}
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "lavie-base/lora" if run.is_small else "stable-diffusion-v1/lora",
        "modelspec.implementation": "https://github.com/Vchitect/LaVie",
        "modelspec.title": config.name,
        "modelspec.resolution": f"{run.video.width}x{run.video.height}",
        DATE: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "modelspec.trigger_phrase": phrase,
        "modelspec.prediction_type": run.diffusion.prediction_type.removesuffix("_prediction"),
        "ss_base_model_version": "lavie",
        "ss_sd_model_name": Path(config.model).name,
        "ss_sd_model_hash": run.base,
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(run.rank),
        "ss_network_alpha": f"{run.alpha:g}",
        "ss_learning_rate": f"{run.optimizer.learning_rate:g}",
        "ss_max_train_steps": str(run.num_steps),
        "ss_num_train_images": str(len(config.images)),
        "ss_resolution": f"({run.video.width}, {run.video.height})",
        "ss_seed": str(run.seed),
        "ss_tag_frequency": json.dumps({config.token: counts}),
        "lavie.version": __version__,
        "lavie.trigger_word": config.token,
        "lavie.class_word": config.class_word,
        "lavie.kind": config.kind,
        "lavie.base_model": Path(config.model).name,
        "lavie.base_model_hash": run.base,
        "lavie.settings": json.dumps(_settings(run)),
    }


def thumbnail_of(video: Path) -> dict[str, str]:
    """What a LoRA makes, as a small picture in text that pages show: the middle of a sample video.

    Never one of the pictures that it learnt from: a file is passed on, and they are not.

    Args:
        video: A sample.

    Returns:
        One more entry of the metadata; none if the video cannot be read.
    """
    try:
        frames = read_video(video).frames
    except LaVieError:
        return {}
    small = Image.fromarray(frames[len(frames) // 2])
    small.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=80)
    return {"modelspec.thumbnail": _data_uri(file.getvalue())}


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _settings(run: PersonalRun) -> dict[str, object]:
    values = run.model_dump(mode="json")
    return {name: value for name, value in values.items() if name != "output"}
