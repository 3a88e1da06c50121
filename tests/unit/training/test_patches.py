import torch

from lavie.data.joint import JointBatch
from lavie.training.patches import cut_patches, shrink


def numbered(num_rows=2):
    """A batch whose colours say where in the picture they are."""
    rows, columns = torch.meshgrid(torch.arange(12.0), torch.arange(16.0), indexing="ij")
    pixels = torch.stack([rows, columns, rows * 0])[None, :, None].expand(num_rows, -1, 3, -1, -1)
    return JointBatch(pixels, [["a fox"]] * num_rows, 0, pixels[:, 0])


def test_a_patch_is_the_same_square_in_all_frames_at_a_multiple():
    places = set()
    for seed in range(60):
        patch = cut_patches(numbered(), 8, 4, torch.Generator().manual_seed(seed))
        assert patch.pixels.shape == (2, 3, 3, 8, 8)
        for pixels, focus in zip(patch.pixels, patch.focus, strict=True):
            assert torch.equal(pixels[0], focus)
            top, left = int(pixels[0, 0, 0, 0]), int(pixels[1, 0, 0, 0])
            assert torch.equal(pixels[0], (top + torch.arange(8.0))[None, :, None].expand(3, 8, 8))
            places.add((top, left))
    assert places == {(top, left) for top in (0, 4) for left in (0, 4, 8)}


def test_no_size_keeps_whole_pictures():
    batch = numbered()
    assert cut_patches(batch, None, 4, torch.Generator()) is batch


def test_shrinking_takes_the_mean():
    small = shrink(numbered().pixels, 4)
    assert small.shape == (2, 3, 3, 3, 4)
    assert small[0, 0, 0, :, 0].tolist() == [1.5, 5.5, 9.5]
    assert small[0, 1, 0, 0].tolist() == [1.5, 5.5, 9.5, 13.5]
