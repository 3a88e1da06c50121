import pytest
import torch
from torch import nn

from lavie.errors import CheckpointError, ConfigError
from lavie.training.checkpoint import (
    Progressed,
    list_checkpoints,
    load_checkpoint,
    load_trainable_weights,
    save_checkpoint,
    trainable_weights,
)


def save(folder, step, keep=2):
    states = {"weights": {"a": torch.full((2,), float(step))}}
    return save_checkpoint(folder, Progressed(step, 10 * step), states, keep)


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    progress = Progressed(3, 30, 1.5, 2, ({"loss": 0.25},))
    path = save_checkpoint(tmp_path, progress, {"weights": {"a": torch.arange(3.0)}}, keep=1)
    again, states = load_checkpoint(path, ["weights"])
    assert (again.step, again.samples, again.seconds, again.num_processes) == (3, 30, 1.5, 2)
    assert list(again.rows) == [{"loss": 0.25}]
    assert torch.equal(states["weights"]["a"], torch.arange(3.0))


def test_the_newest_checkpoints_are_kept(tmp_path):
    for step in (5, 10, 15):
        save(tmp_path, step)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-00000010", "step-00000015"]
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_kill_left_half_written_is_no_checkpoint_and_goes_away(tmp_path):
    save(tmp_path, 5)
    half = tmp_path / ".step-00000010.tmp"
    half.mkdir()
    (half / "weights.pt").write_bytes(b"half")
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-00000005"]
    save(tmp_path, 10)
    assert not half.exists()


@pytest.mark.parametrize("damage", [b"", b"half a file", None])
def test_a_broken_checkpoint_is_named_with_the_way_out(tmp_path, damage):
    path = save(tmp_path, 5)
    if damage is None:
        (path / "weights.pt").unlink()
    else:
        (path / "weights.pt").write_bytes(damage)
    with pytest.raises(CheckpointError, match="step-00000005 cannot be read.*Delete it"):
        load_checkpoint(path, ["weights"])


def test_checkpoints_hold_data_and_no_code(tmp_path):
    path = save(tmp_path, 5)
    torch.save(nn.Linear(1, 1), path / "weights.pt")
    with pytest.raises(CheckpointError):
        load_checkpoint(path, ["weights"])


def test_only_weights_that_learn_are_saved_and_must_fit():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    network[0].requires_grad_(False)
    weights = {name: torch.ones_like(w) for name, w in trainable_weights(network).items()}
    assert sorted(weights) == ["1.bias", "1.weight"]
    load_trainable_weights(network, weights)
    assert torch.equal(network[1].weight, torch.ones(2, 2))
    with pytest.raises(ConfigError, match="other weights"):
        load_trainable_weights(network, {**weights, "1.bias": torch.ones(3)})
