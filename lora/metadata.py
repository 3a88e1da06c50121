"""What a LoRA file says of itself, in the words that other programs read."""

import base64
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lavie import __version__
from lora.pictures import thumbnail
from lora.settings import PersonalConfig, PersonalRun

_THUMBNAIL_SIDE = 128


def make_metadata(
    config: PersonalConfig, run: PersonalRun, phrase: str, captions: Sequence[Sequence[str]]
) -> dict[str, str]:
    """Describe a LoRA, as text by name.

    Args:
        config: What was asked for.
        run: What that came to.
        phrase: What stands for the new thing in a prompt.
        captions: What was said of each picture.
    """
    counts = {caption: 1 for said in captions for caption in said}
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "lavie-base/lora" if run.is_small else "stable-diffusion-v1/lora",
        "modelspec.implementation": "https://github.com/Vchitect/LaVie",
        "modelspec.title": config.name,
        "modelspec.resolution": f"{run.video.width}x{run.video.height}",
        "modelspec.date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "modelspec.trigger_phrase": phrase,
        "modelspec.prediction_type": run.diffusion.prediction_type.removesuffix("_prediction"),
        "modelspec.thumbnail": thumbnail_uri(config.images[0]),
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


def thumbnail_uri(path: Path) -> str:
    """A small picture as text that pages show."""
    file = io.BytesIO()
    thumbnail(path, _THUMBNAIL_SIDE).convert("RGB").save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _settings(run: PersonalRun) -> dict[str, object]:
    values = run.model_dump(mode="json")
    return {name: value for name, value in values.items() if name != "output"}
