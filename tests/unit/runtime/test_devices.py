"""Networks that take turns: they live on the meta device here, which any machine has."""

import pytest
import torch
from torch import nn

from lavie.runtime.devices import TakingTurns, num_bytes

META, CPU = torch.device("meta"), torch.device("cpu")


class Network(nn.Linear):
    """1 MB; without values, since the meta device keeps none."""

    def __init__(self):
        super().__init__(512, 512, bias=False, device=CPU)

    def to(self, device):
        return self.to_empty(device=device)

    @property
    def place(self):
        return self.weight.device.type


def turns(low_memory=None, free=None):
    return TakingTurns(META, low_memory, free=lambda _: free)


def test_weights_are_counted():
    assert num_bytes(Network()) == 2**20


@pytest.mark.parametrize(
    ("low_memory", "free", "place"),
    [
        (True, None, "cpu"),
        (False, 0, "meta"),
        (None, None, "meta"),  # the device does not say
        (None, 2**20, "cpu"),  # nothing would be left to compute in
        (None, 2**21, "meta"),
    ],
)
def test_the_other_waits_where_asked_or_where_it_would_not_fit(low_memory, free, place):
    first, second, shared = Network(), Network(), Network()
    stages = turns(low_memory, free)
    networks = [first, second, shared]
    stages.begin([first, shared], networks)
    stages.begin([second, shared], networks)
    assert (first.place, second.place, shared.place) == (place, "meta", "meta")
    stages.begin([first, shared], networks)
    assert (first.place, second.place, shared.place) == ("meta", place, "meta")


def test_what_both_need_does_not_move():
    shared, moves = Network(), []
    shared.to = lambda device: moves.append(device) or Network.to(shared, device)
    first, second = Network(), Network()
    stages = turns(low_memory=True)
    for network in (first, second, first):
        stages.begin([network, shared], [first, second, shared])
    assert set(moves) == {META}


def test_what_is_there_already_needs_no_room():
    first, second = Network(), Network()
    stages = turns(free=2**22)
    stages.begin([first], [first, second])
    stages.begin([second], [first, second])
    full = turns(free=0)
    full.begin([first], [first, second])
    assert (first.place, second.place) == ("meta", "meta")


def test_on_the_cpu_nothing_moves():
    network = Network()
    network.to = None  # would fail if it were called
    TakingTurns(CPU, low_memory=True).begin([network], [network])
