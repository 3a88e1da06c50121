import os

import pytest
import torch
from diffusers import AutoencoderKL
from torch import nn

from lavie.runtime.benchmark import (
    Speed,
    count_flops,
    in_fresh_process,
    measure_peak,
    measure_seconds,
    measure_speed,
    with_random_weights,
    without_weights,
)
from lavie.runtime.memory import peak_memory
from tests.tiny import VAE

CPU = torch.device("cpu")


def test_operations_of_a_product_are_counted_without_doing_it():
    with torch.device("meta"):
        layer = nn.Linear(30, 50, bias=False)
    assert count_flops(layer, {"input": torch.empty(7, 30)}) == 2 * 7 * 30 * 50


def test_the_twin_without_weights_has_the_same_shapes():
    vae = AutoencoderKL(**VAE)
    twin = without_weights(vae)
    assert {tensor.device.type for tensor in twin.parameters()} == {"meta"}
    assert [p.shape for p in twin.parameters()] == [p.shape for p in vae.parameters()]
    revived = with_random_weights(twin, CPU)
    assert all(tensor.isfinite().all() for tensor in revived.parameters())


def test_warm_up_is_done_but_not_counted():
    calls = []
    assert len(measure_seconds(lambda: calls.append(1), CPU, num_repeats=3, num_warmup=2)) == 3
    assert len(calls) == 5


def test_a_share_of_the_peak_by_hand():
    assert Speed(flops=30, seconds=2, fastest=1, peak_flops=60).share_of_peak == 0.25


def test_small_products_reach_a_part_of_the_peak():
    peak = measure_peak(CPU, torch.float32, side=256)
    left = torch.randn(64, 64)
    speed = measure_speed(lambda: left @ left, 2 * 64**3, peak, CPU, num_repeats=3)
    assert speed.share_of_peak > 0
    assert speed.fastest <= speed.seconds


@pytest.mark.integration
def test_a_fresh_process_has_memory_of_its_own():
    held = torch.ones(1 << 28)  # a gigabyte
    assert held.sum() > 0
    assert in_fresh_process(os.getpid) != os.getpid()
    own, fresh = peak_memory(), in_fresh_process(peak_memory)
    if own is not None:
        assert fresh < own - held.nbytes / 2
