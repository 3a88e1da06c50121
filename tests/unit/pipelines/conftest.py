import pytest
import torch

from tests.tiny import make_tiny_pipeline


@pytest.fixture(scope="session")
def pipeline():
    """Shared: tests that change anything make their own."""
    return make_tiny_pipeline()


@pytest.fixture
def small():
    """The least a tiny model can be asked for."""
    return {"height": 16, "width": 32, "num_frames": 2, "num_inference_steps": 2}


@pytest.fixture
def generator():
    return lambda seed: torch.Generator().manual_seed(seed)
