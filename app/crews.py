"""Which workers a server keeps: that depends on where it runs."""

import sys
from collections.abc import Mapping

from app.jobs.crew import Crew, ProcessCrew, ThreadCrew
from app.runner import CascadeRunner
from app.zero_gpu import ZeroRunner, is_zero_gpu
from lavie.cli.shared import as_stage_flags
from lavie.runtime.profiles import AUTO, ProfileName
from lavie.types import StageName


def choose_crew(
    model: str,
    num_workers: int,
    redis: str | None,
    safety: str | None = None,
    profile: ProfileName = AUTO,
    stages: Mapping[StageName, str] | None = None,
) -> Crew:
    """Workers in processes of their own, or on ZeroGPU in this one, which it forks for each job.

    Args:
        model: What `lavie.Cascade.from_pretrained` takes.
        num_workers: Processes; 0 where others on the same Redis do the work.
        redis: Address of a Redis, for workers on other machines too.
        safety: Name of a checker that every video has to pass: see `app.safety`.
        profile: What the workers do about memory, unless a job says.
        stages: Models that later stages are loaded from instead.

    Raises:
        LaVieError: On ZeroGPU, which needs the model at once, it cannot be loaded.
    """
    if not is_zero_gpu():
        command = [sys.executable, "-m", "app.jobs", "--model", model, "--profile", profile]
        command += ["--safety", safety] if safety else []
        command += as_stage_flags(stages or {})
        return ProcessCrew(command, num_workers, redis or "sqlite:")
    import spaces  # pyright: ignore[reportMissingImports] # only there; before torch

    runner = ZeroRunner(CascadeRunner(model, safety, profile, stages), spaces.GPU)
    runner.prepare()  # ZeroGPU takes the weights over when the page is launched
    return ThreadCrew(runner)
