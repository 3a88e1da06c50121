"""LoRAs on a model for as long as a stage runs."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

import lora.use
from app.loras.attaching import loras_on
from app.loras.use import LoraUse
from lavie.errors import MemoryBudgetError
from tests.unit.app.loras.files import write_lora


@pytest.fixture
def uses(tmp_path):
    file = write_lora(tmp_path / "zog.safetensors")
    return (LoraUse("0123456789abcdef", 1.0, "Zog", "zog", "", file),)


@pytest.fixture
def cascade():
    """A model without a network: nothing here looks at one."""
    return SimpleNamespace(loaded={"base": None}, goes_on_from_frames=False, model_hash="")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA"), MemoryError()])
def test_too_little_memory_for_loras_is_said_in_a_sentence(cascade, uses, monkeypatch, error):
    @contextmanager
    def too_large(*_):
        raise error
        yield

    monkeypatch.setattr(lora.use, "with_loras", too_large)
    with pytest.raises(MemoryBudgetError, match="LoRAs do not fit .* Use fewer"):
        with loras_on(cascade, uses, "base"):
            pytest.fail("the stage ran")


def test_what_happens_while_a_stage_runs_is_its_own_to_say(cascade, uses, monkeypatch):
    left = []

    @contextmanager
    def on(*_):
        try:
            yield
        finally:
            left.append(True)

    monkeypatch.setattr(lora.use, "with_loras", on)
    with pytest.raises(MemoryError), loras_on(cascade, uses, "base"):
        raise MemoryError
    assert left == [True]
