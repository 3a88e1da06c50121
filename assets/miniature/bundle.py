"""Bundle the miniature's finished base stage: ``python assets/miniature/bundle.py``.

Writes the weights in float16 beside this file, with the logs of the stages that made them.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
STAGES = ("vae", "image", "motion", "base")
sys.path.insert(0, str(ROOT))

from lavie import TextToVideoPipeline  # noqa: E402 - found beside this file's folder


def main() -> None:
    """Replace the bundled weights and logs by those of ``runs/miniature``."""
    runs = ROOT / "runs" / "miniature"
    pipeline = TextToVideoPipeline.from_pretrained(runs / "base" / "model")
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.unet):
        part.half()
    with tempfile.TemporaryDirectory() as temporary:
        pipeline.save_pretrained(temporary)
        for config in Path(temporary).rglob("*.json"):
            _forget_its_path(config)
        shutil.copytree(temporary, FOLDER, dirs_exist_ok=True)
    logs = FOLDER / "logs"
    logs.mkdir(exist_ok=True)
    for stage in STAGES:
        shutil.copy(runs / stage / "metrics.jsonl", logs / f"{stage}.jsonl")


def _forget_its_path(config: Path) -> None:
    values = json.loads(config.read_text())
    if isinstance(values, dict) and values.pop("_name_or_path", None) is not None:
        config.write_text(json.dumps(values, indent=2) + "\n")


if __name__ == "__main__":
    main()
