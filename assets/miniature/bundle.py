"""Bundle the miniature: ``python assets/miniature/bundle.py base vae image motion base``.

Names a stage and the finished runs in ``runs/miniature`` that made it, in their order. The model of
the last one, or the mean of the last ones, is written into this folder, in float16, and everyone's
log into ``logs/``.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT))

from lavie import (  # noqa: E402 - found beside this file's folder
    InterpolationPipeline,
    LongVideoPipeline,
    SuperResolutionPipeline,
    TextToVideoPipeline,
)
from lavie.pipelines.model_folder import forget_paths, save_stage  # noqa: E402

PIPELINES = {
    "base": TextToVideoPipeline,
    "long_video": LongVideoPipeline,
    "interpolation": InterpolationPipeline,
    "super_resolution": SuperResolutionPipeline,
}


def main() -> None:
    """Replace the bundled weights of a stage and add the logs of the runs named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=PIPELINES)
    parser.add_argument("runs", nargs="+", help="folders in runs/miniature, in order")
    parser.add_argument("--mean", type=int, default=1, help="average the networks of so many runs")
    arguments = parser.parse_args()
    runs = ROOT / "runs" / "miniature"
    pipelines = [
        PIPELINES[arguments.stage].from_pretrained(runs / name / "model")
        for name in arguments.runs[-arguments.mean :]
    ]
    for pipeline in pipelines:
        for part in pipeline.components.values():
            if isinstance(part, nn.Module):
                part.half()
    pipeline = pipelines[-1]
    if len(pipelines) > 1:
        average([each.unet for each in pipelines])
    if arguments.stage == "base":
        with tempfile.TemporaryDirectory() as temporary:
            pipeline.save_pretrained(temporary)
            forget_paths(Path(temporary))
            shutil.copytree(temporary, FOLDER, dirs_exist_ok=True)
    else:
        save_stage(pipeline, FOLDER)
    logs = FOLDER / "logs"
    logs.mkdir(exist_ok=True)
    for name in arguments.runs:
        shutil.copy(runs / name / "metrics.jsonl", logs / f"{name}.jsonl")


def average(networks: list[nn.Module]) -> None:
    """Put the mean of all into the last one: a model soup (arXiv:2203.05482)."""
    own = networks[-1].state_dict()
    for name, weight in own.items():
        every = torch.stack([network.state_dict()[name].float() for network in networks])
        weight.copy_(every.mean(dim=0))


if __name__ == "__main__":
    main()
