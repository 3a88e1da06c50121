"""A film is gone on with by the model that began it: another one's latents mean other pictures."""

from pathlib import Path

from app.films.parts import read_model_hash
from app.films.request import FilmRequest
from app.model_card import ModelCard
from app.texts import films as texts
from lavie.errors import InputError
from lora.header import model_name


def check_model(request: FilmRequest, card: ModelCard) -> None:
    """See that a film was asked of the model that is loaded now.

    A model counts by its own name, as it may lie elsewhere by now; `check_parts` is exact.

    Args:
        request: The film; one of an earlier version of the studio does not say its model.
        card: Of the model.

    Raises:
        InputError: It was asked of another one.
    """
    if request.model is None:
        return
    name = model_name(request.model)
    if name != model_name(card.name):
        raise InputError(texts.made_with_other_model(name), "job_id")


def check_parts(folder: Path, num_done: int, model_hash: str) -> None:
    """See that the parts that are there were made by the weights that are to go on with them.

    Args:
        folder: Of the film's job.
        num_done: How many parts there are; those of earlier versions do not say who made them.
        model_hash: Of the weights.

    Raises:
        InputError: Others made the last one.
    """
    made_by = read_model_hash(folder, num_done - 1) if num_done else None
    if made_by not in (None, model_hash):
        raise InputError(texts.BEGUN_WITH_OTHER_MODEL, "job_id")
