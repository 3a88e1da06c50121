"""Captioned clips and stills for training, all behind one interface."""

from lavie.data.config import SourceConfig
from lavie.data.joint import JointBatch, joint_batch, load_batches
from lavie.data.mixing import Mixture
from lavie.data.opening import open_mixture, open_source
from lavie.data.report import SkipReport
from lavie.data.sources import Sample, VideoSource

__all__ = [
    "JointBatch",
    "Mixture",
    "Sample",
    "SkipReport",
    "SourceConfig",
    "VideoSource",
    "joint_batch",
    "load_batches",
    "open_mixture",
    "open_source",
]
