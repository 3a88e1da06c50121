import pytest
import torch

from lora.weights import nearest_layer

SHAPES = [(6, 9), (9, 6), (6, 4, 3, 3), (7, 5, 1, 1)]


def some_change(shape, rank=None):
    generator = torch.Generator().manual_seed(0)
    change = torch.randn(shape, generator=generator)
    if rank is None:
        return change
    up, down = torch.randn(shape[0], rank), torch.randn(rank, change[0].numel())
    return (up @ down).reshape(shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_change_of_no_more_than_the_rank_is_kept_whole(shape):
    change = some_change(shape, rank=2)
    layer = nearest_layer(change, 3)
    assert layer.rank == 3
    torch.testing.assert_close(layer.product(), change, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_lost_of_any_change_are_the_smallest_singular_values(shape):
    change = some_change(shape)
    lost = (nearest_layer(change, 2).product() - change).square().sum()
    values = torch.linalg.svdvals(change.flatten(1))
    torch.testing.assert_close(lost, values[2:].square().sum(), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_more_rank_is_written_than_a_layer_has(shape):
    change = some_change(shape)
    layer = nearest_layer(change, 64)
    assert layer.rank == min(shape[0], change[0].numel())
    assert layer.up.shape[2:] == (1,) * (len(shape) - 2)
    assert layer.down.shape[1:] == shape[1:]
    torch.testing.assert_close(layer.product(), change, atol=1e-4, rtol=1e-4)


def test_a_layer_that_did_not_change_stays_as_it_is():
    assert nearest_layer(torch.zeros(6, 9), 2).product().abs().max() == 0
