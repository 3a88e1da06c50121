import torch

from lavie.pipelines.colours import keep_colours_of
from lavie.training.patches import shrink


def test_a_drift_of_colour_is_put_right():
    small = torch.rand(1, 3, 2, 4, 6)
    large = small.repeat_interleave(4, 3).repeat_interleave(4, 4)
    for drifted in (large + 0.3, large - torch.tensor([0.1, 0.2, 0.0]).view(1, 3, 1, 1, 1)):
        torch.testing.assert_close(keep_colours_of(small, drifted), large)


def test_what_shrinks_to_the_small_video_comes_back_unchanged():
    large = torch.rand(2, 3, 3, 8, 12)
    torch.testing.assert_close(keep_colours_of(shrink(large, 4), large), large)


def test_detail_within_a_cell_stays():
    large = torch.zeros(1, 3, 1, 8, 8)
    large[..., ::2, :] = 1.0  # stripes, half of each cell
    stays = keep_colours_of(torch.full((1, 3, 1, 2, 2), 0.5), large)
    torch.testing.assert_close(stays, large)
