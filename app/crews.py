"""Which workers a server keeps: that depends on where it runs."""

import sys

from app.jobs.crew import Crew, ProcessCrew, ThreadCrew
from app.runner import CascadeRunner
from app.zero_gpu import ZeroRunner, is_zero_gpu
from lavie.runtime.profiles import AUTO, ProfileName


def choose_crew(
    model: str,
    num_workers: int,
    redis: str | None,
    safety: str | None = None,
    profile: ProfileName = AUTO,
) -> Crew:
    """Workers in processes of their own, or on ZeroGPU in this one, which it forks for each job.

    Args:
        model: What `lavie.Cascade.from_pretrained` takes.
        num_workers: Processes; 0 where others on the same Redis do the work.
        redis: Address of a Redis, for workers on other machines too.
        safety: Name of a checker that every video has to pass: see `app.safety`.
        profile: What the workers do about memory, unless a job says.

    Raises:
        LaVieError: On ZeroGPU, which needs the model at once, it cannot be loaded.
    """
    if not is_zero_gpu():
        command = [sys.executable, "-m", "app.jobs", "--model", model, "--profile", profile]
        command += ["--safety", safety] if safety else []
        return ProcessCrew(command, num_workers, redis or "sqlite:")
    import spaces  # pyright: ignore[reportMissingImports] # only there; before torch

    runner = ZeroRunner(CascadeRunner(model, safety, profile), spaces.GPU)
    runner.prepare()  # ZeroGPU takes the weights over when the page is launched
    return ThreadCrew(runner)
