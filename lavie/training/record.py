"""A run's folder belongs to one set of settings, which it keeps for the reader and for resuming."""

import logging
from pathlib import Path

from lavie import __version__
from lavie.config import dump_config, load_config
from lavie.errors import ConfigError
from lavie.training.checkpoint import (
    CHECKPOINTS,
    Progressed,
    list_checkpoints,
    load_checkpoint,
)
from lavie.training.config import RunConfig

logger = logging.getLogger(__name__)

RECORD = "run.yaml"

FREE_TO_CHANGE = frozenset(
    [
        "output",
        "num_steps",
        "num_data_threads",
        "log_every",
        "checkpoint_every",
        "keep_checkpoints",
        "evaluate_every",
        "preview_every",
    ]
)
"""Settings that leave the steps already done what they are."""


def check_record(stage: str, config: RunConfig) -> None:
    """Raise if the run's folder holds a run with other settings, or one that has done more steps.

    Args:
        stage: Name of the stage.
        config: What is about to run.

    Raises:
        ConfigError: It does, or its record is broken.
        CheckpointError: Its newest checkpoint is broken.
    """
    path = config.output / RECORD
    if not path.exists():
        return
    other_run = f"Folder {config.output} holds another run"
    if (found := _stage_of(path)) != stage:
        raise ConfigError(f"{other_run}, of stage '{found}'. Use another output.")
    try:
        before = load_config(type(config), file=path).model_dump()
    except ConfigError as error:
        raise ConfigError(f"{other_run}: {error} Use another output.") from error
    for key, value in config.model_dump().items():
        if key not in FREE_TO_CHANGE and value != before[key]:
            if key in config.made_of:
                raise ConfigError(f"Folder {config.output} {config.made_of[key]}")
            raise ConfigError(
                f"{other_run}: its {key} is {before[key]}, not {value}. "
                "Use another output, or the same settings to resume."
            )
    if found := list_checkpoints(config.output / CHECKPOINTS):
        done, _ = load_checkpoint(found[-1], [])
        if done.step > config.num_steps:
            raise ConfigError(
                f"num_steps {config.num_steps} is less than the {done.step} steps already done in "
                f"{config.output}. Use more, or another output."
            )


def warn_of_other_processes(done: Progressed, num_processes: int) -> None:
    """Say so if a run goes on with another number of processes.

    Args:
        done: What the newest checkpoint says.
        num_processes: How many share the work now.
    """
    if done.num_processes not in (0, num_processes):
        logger.warning(
            "%d processes before, %d now: the data goes on in another order.",
            done.num_processes,
            num_processes,
        )


def write_record(stage: str, config: RunConfig, weights: str, command: str) -> None:
    """Write the resolved settings into the run's folder, as a file that ``--config`` takes.

    Args:
        stage: Name of the stage.
        config: What is about to run.
        weights: Hash of the weights that the run starts from.
        command: What resumes the run, with places for ``{stage}``, ``{path}`` and
            ``{folder}``.
    """
    config.output.mkdir(parents=True, exist_ok=True)
    path = config.output / RECORD
    title = f"# stage: {stage}\n# lavie: {__version__}\n# weights at the start: {weights}\n"
    temporary = path.with_suffix(".tmp")
    resume = command.format(stage=stage, path=path, folder=path.parent)
    temporary.write_text(f"{title}# {resume}\n{dump_config(config)}")
    temporary.replace(path)


def _stage_of(path: Path) -> str:
    return path.read_text().partition("\n")[0].removeprefix("# stage: ")
