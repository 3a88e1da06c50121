"""What is asked for, checked against the model: a form, a list of videos, one more stage."""

import random
from collections.abc import Mapping, Sequence

from app import texts
from app.jobs.job import Job
from app.loras.choice import FindLora, choose_loras
from app.loras.use import LoraUse
from app.mistakes import Mistakes
from app.model_card import ModelCard
from app.request import (
    LORAS,
    MAX_SEED,
    STEP_FIELDS,
    SWITCHES,
    StageRequest,
    TextToVideoRequest,
    check_request,
    effort_of,
    next_stages,
)
from app.result import Effort
from lavie.errors import InputError
from lavie.types import StageName

COST_FIELDS = ("num_frames", "height", "width", "smoothing_steps", "upscaling_steps", "smooth")
"""What of a form tells how long the later stages take."""


def check_form(
    values: Mapping[str, object], card: ModelCard, find: FindLora
) -> TextToVideoRequest | list[InputError]:
    """Turn the values of a form into a request, or into everything wrong with them.

    An empty seed asks for a new one; a prompt needs at least one word that the model or one of the
    LoRAs knows, and the model has to have the stages that are switched on.

    Args:
        values: As typed.
        card: Of the model.
        find: Gives a LoRA by its id.
    """
    values = dict(values)
    if values.get("seed") in (None, ""):
        values["seed"] = random.randint(0, MAX_SEED)
    wrong = Mistakes()
    loras: tuple[LoraUse, ...] = (
        wrong.checked(choose_loras, values.get(LORAS), find, card.name, card.model_hash) or ()
    )
    request = check_request(values, card.ranges, loras)
    if isinstance(request, list):
        return [*request, *wrong]
    if wrong:
        return wrong
    errors = [
        InputError(texts.no_such_stage(stage), switch)
        for switch, stage in SWITCHES.items()
        if stage in request.stages and stage not in card.stages
    ]
    if card.with_words(use.token for use in loras).knows_nothing_of(request.prompt):
        errors.insert(0, InputError(texts.NO_KNOWN_WORD, "prompt"))
    return errors or request


def check_rows(
    rows: Sequence[Mapping[str, object]], card: ModelCard, find: FindLora
) -> list[TextToVideoRequest]:
    """Turn the rows of a list of videos into requests.

    Args:
        rows: The values of each, as `check_form` takes them.
        card: Of the model.
        find: Gives a LoRA by its id.

    Raises:
        InputError: Something is wrong with a row, with a sentence for every such row.
    """
    requests: list[TextToVideoRequest] = []
    sentences: list[str] = []
    for number, row in enumerate(rows, 1):
        outcome = check_form(row, card, find)
        if isinstance(outcome, list):
            sentences.append(texts.bad_row(number, str(outcome[0])))
        else:
            requests.append(outcome)
    if sentences:
        raise InputError(texts.bad_rows(sentences), "file")
    return requests


def check_next_stage(
    job: Job, made_by: str, stage: StageName, num_inference_steps: object, card: ModelCard
) -> StageRequest:
    """Turn the wish for one more stage into a request.

    Args:
        job: The job that has the video.
        made_by: Which of its versions: its name, or the stage that made it.
        stage: What to do with it.
        num_inference_steps: Denoising steps of the stage, as typed.
        card: Of the model.

    Raises:
        InputError: There is no such result, the stage makes no sense for it, the model lacks it,
            or the steps are wrong.
    """
    result = job.result_of(made_by)
    if result is None:
        raise InputError(texts.NO_SUCH_RESULT, "job_id")
    if stage not in card.stages:
        raise InputError(texts.no_such_stage(stage), "stage")
    if stage not in next_stages(result.stage):
        raise InputError(texts.stage_makes_no_sense(stage), "stage")
    field = STEP_FIELDS[stage]
    steps = card.ranges[field].check(num_inference_steps, field)
    return StageRequest(job.chain_of(result), stage, int(steps))


def later_efforts(values: Mapping[str, object], card: ModelCard) -> tuple[Effort, Effort]:
    """What a form would ask of the stages after the first, wanted or not.

    Args:
        values: One value for each of `COST_FIELDS`, as typed.
        card: Of the model.

    Raises:
        InputError: The first number that is wrong.
    """
    frames, height, width, smoothing_steps, upscaling_steps = (
        int(card.ranges[field].check(values.get(field), field)) for field in COST_FIELDS[:-1]
    )
    smoothing = effort_of("interpolation", smoothing_steps, frames, height, width)
    if values.get("smooth"):
        frames = smoothing.num_frames
    return smoothing, effort_of("super_resolution", upscaling_steps, frames, height, width)
