"""Names of weights."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lavie.models.fingerprint import hash_weights


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 40, 3), nn.BatchNorm2d(40), nn.Linear(2, 4))


def test_the_same_weights_have_one_name_in_any_precision():
    name = hash_weights(network())
    assert hash_weights(network()) == name
    assert hash_weights(network().half()) == name
    assert hash_weights(network().half().float()) == name
    assert hash_weights(network().to(memory_format=torch.channels_last)) == name
    assert len(name) == 16


@settings(max_examples=10, deadline=None)
@given(place=st.integers(0, 3 * 40 * 9 - 1))
def test_one_changed_weight_changes_the_name(place):
    changed = network()
    with torch.no_grad():
        changed[0].weight.view(-1)[place] += 0.01
    assert hash_weights(changed) != hash_weights(network())


def test_both_namings_of_clip_have_one_name():
    now = nn.ModuleDict({"embeddings": nn.Linear(2, 3), "final_layer_norm": nn.LayerNorm(3)})
    before = nn.ModuleDict({"text_model": now})
    assert list(before.state_dict()) != list(now.state_dict())
    assert hash_weights(before) == hash_weights(now)
    within = nn.ModuleDict({"text_encoder": before}), nn.ModuleDict({"text_encoder": now})
    assert hash_weights(within[0]) == hash_weights(within[1])
    assert hash_weights(nn.ModuleDict({"my_text_model": now})) != hash_weights(now)


def test_other_weights_shapes_or_orders_have_other_names():
    first, second = network(0), network(1)
    names = [
        hash_weights(first),
        hash_weights(second),
        hash_weights(first, second),
        hash_weights(second, first),
        hash_weights(nn.Linear(4, 2)),
        hash_weights(),
    ]
    assert len(set(names)) == len(names)
