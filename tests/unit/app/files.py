import json
from pathlib import Path

from app.request import effort_of
from app.result import Result
from lavie.pipelines.model_folder import LATER_STAGES, STAGE_PIPELINES
from lavie.types import StageName


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def write_card_files(folder: Path, tokens: list[str]) -> Path:
    """The small JSON files of a model folder that has all stages, without weights."""
    index = {"_class_name": "TextToVideoPipeline", "default_height": 40, "default_width": 64}
    write_json(folder / "model_index.json", {**index, "default_num_inference_steps": 4})
    write_json(folder / "vae" / "config.json", {"block_out_channels": [8, 16, 16]})
    for stage in LATER_STAGES:
        index = {"_class_name": STAGE_PIPELINES[stage], "default_num_inference_steps": 8}
        write_json(folder / stage / "model_index.json", index)
    vocabulary = {token: number for number, token in enumerate(tokens)}
    write_json(folder / "tokenizer" / "tokenizer.json", {"model": {"vocab": vocabulary}})
    return folder


def make_result(folder: Path, stage: StageName = "base", seed: int = 7) -> Result:
    """A result whose files nobody opens."""
    files = {name: folder / f"{stage}.{name}" for name in ("video", "view", "gif", "recipe")}
    return Result(
        stage,
        **files,
        comparison=None if stage == "base" else folder / f"{stage}.comparison",
        metadata={"seed": seed},
        seed=seed,
        effort=effort_of(stage, 3, 16, 40, 64),
        seconds=3.0,
    )
