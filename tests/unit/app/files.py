import json
from pathlib import Path

from app.films.request import FilmRequest, Windows
from app.request import STAGE_ORDER, effort_of, next_stages
from app.result import Result
from lavie.pipelines.model_folder import LATER_STAGES, STAGE_PIPELINES
from lavie.pipelines.story import StoryLine
from lavie.types import StageName

STORY = (StoryLine("a panda", 2.0, None),)
A_FILM = FilmRequest(STORY, "", 7, 4, 9, 3.0, False, False, 1, 1, Windows(8.0, 16, 40, 64))


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


def make_result(
    folder: Path,
    stage: StageName = "base",
    seed: int = 7,
    stages: tuple[StageName, ...] | None = None,
) -> Result:
    """A result whose files nobody opens; of all stages up to its own if it is not said."""
    stages = stages or STAGE_ORDER[: STAGE_ORDER.index(stage) + 1]
    names = ("video", "view", "poster", "thumbnail", "recipe")
    files = {name: folder / f"{stage}.{name}" for name in names}
    return Result(
        stage,
        **files,
        comparison=None if stage == "base" else folder / f"{stage}.comparison",
        frames=folder / f"{stage}.frames" if next_stages(stage) else None,
        metadata={"seed": seed, "prompt": "a panda", "stages": list(stages)},
        seed=seed,
        effort=effort_of(stage, 3, 16, 40, 64),
        seconds=3.0,
    )
