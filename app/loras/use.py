"""A LoRA that a video is made with."""

from dataclasses import dataclass

from app.result import DataFile


@dataclass(frozen=True)
class LoraUse:
    """A LoRA that a video is made with.

    Args:
        id: Of its entry in the registry.
        weight: How much it counts; 1 is as trained.
        name: What its owner calls it.
        token: Its trigger word; empty if it has none.
        sha256: Of its file: the same file, wherever it is.
        file: Where that is.
    """

    id: str
    weight: float
    name: str
    token: str
    sha256: str
    file: DataFile
