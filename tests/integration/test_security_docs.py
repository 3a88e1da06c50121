"""The safety checker of docs/security.md, with a tiny network in place of the one on the hub."""

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig

from app.safety import check_frames
from lavie.errors import InputError

pytestmark = pytest.mark.integration

DOCS = Path(__file__).parents[2] / "docs" / "security.md"
FRAMES = np.zeros((6, 40, 64, 3), np.uint8)


@pytest.fixture
def checker(tmp_path):
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    vision |= {"num_attention_heads": 2, "patch_size": 56, "image_size": 224}
    network = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=8))
    torch.nn.init.constant_(network.concept_embeds_weights, 2.0)  # more alike than can be
    network.save_pretrained(tmp_path)
    module = ModuleType("my_checker")
    exec(re.search(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)[1], vars(module))
    module.MODEL = str(tmp_path)
    return module


def test_a_video_that_is_not_flagged_passes(checker):
    check_frames(checker.check, FRAMES)


def test_a_video_with_a_flagged_frame_is_refused(checker):
    torch.nn.init.constant_(checker.load()[0].concept_embeds_weights, -2.0)
    with pytest.raises(InputError, match="may not be shown here"):
        check_frames(checker.check, FRAMES)
