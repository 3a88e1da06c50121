"""Bundle the miniature: ``python assets/miniature/bundle.py vae image motion base``.

Names the finished runs in ``runs/miniature`` in the order they were made. The model of the last one
is written beside this file, in float16, and everyone's log into ``logs/``.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT))

from lavie import TextToVideoPipeline  # noqa: E402 - found beside this file's folder


def main() -> None:
    """Replace the bundled weights and add the logs of the runs named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", help="folders in runs/miniature, in order")
    names = parser.parse_args().runs
    runs = ROOT / "runs" / "miniature"
    pipeline = TextToVideoPipeline.from_pretrained(runs / names[-1] / "model")
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.unet):
        part.half()
    with tempfile.TemporaryDirectory() as temporary:
        pipeline.save_pretrained(temporary)
        for config in Path(temporary).rglob("*.json"):
            _forget_its_path(config)
        shutil.copytree(temporary, FOLDER, dirs_exist_ok=True)
    logs = FOLDER / "logs"
    logs.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(runs / name / "metrics.jsonl", logs / f"{name}.jsonl")


def _forget_its_path(config: Path) -> None:
    values = json.loads(config.read_text())
    if isinstance(values, dict) and values.pop("_name_or_path", None) is not None:
        config.write_text(json.dumps(values, indent=2) + "\n")


if __name__ == "__main__":
    main()
