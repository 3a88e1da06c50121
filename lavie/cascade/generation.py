"""A finished video, and the recipe that makes it again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from lavie.types import Frames, StageName


@dataclass(frozen=True)
class Generation:
    """A finished video.

    Args:
        frames: uint8 ``(F, H, W, 3)``; none of them (F is 0) where they left for ``on_frames``.
        fps: Frames per second.
        seed: The one seed of all stages.
        metadata: The recipe: everything needed to make the video again, JSON-serialisable.
            ``stages`` in the order in which they ran, ``settings`` of each, ``model_hashes`` of
            each; ``fps`` is what the first of them made or got.
        seconds: Wall-clock seconds per stage.
        previous: What the last stage made this video from, where that was a stage's result.
    """

    frames: Frames
    fps: float
    seed: int
    metadata: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)
    previous: "Generation | None" = None

    @property
    def results(self) -> dict[str, "Generation"]:
        """What every stage made, in their order; this video is the last."""
        earlier = {} if self.previous is None else self.previous.results
        stages = self.metadata["stages"]
        return earlier | ({stages[-1]: self} if stages else {})

    def then(
        self,
        stage: StageName,
        frames: Frames,
        fps: float,
        settings: Mapping[str, Any],
        model_hash: str,
        seconds: float,
    ) -> Self:
        """The generation that a stage has made from this one.

        Args:
            stage: Which.
            frames: What it made.
            fps: Frames per second.
            settings: All that decided the result besides the prompt and the seed of the recipe.
            model_hash: Of the stage's weights.
            seconds: It took.
        """
        old = self.metadata
        recipe = old | {
            "stages": [*old["stages"], stage],
            "settings": old["settings"] | {stage: dict(settings)},
            "model_hashes": old["model_hashes"] | {stage: model_hash},
        }
        return replace(
            self,
            frames=frames,
            fps=fps,
            metadata=recipe,
            seconds=self.seconds | {stage: seconds},
            previous=self if old["stages"] else None,
        )
