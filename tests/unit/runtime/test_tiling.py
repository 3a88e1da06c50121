import pytest
from hypothesis import given
from hypothesis import strategies as st

from lavie.runtime.tiling import MIN_TILE, choose_tile_size, frames_at_once


@pytest.mark.parametrize(
    ("size", "frames"),
    [((160, 256), 8), ((320, 512), 8), ((1024, 640), 3), ((1280, 2048), 1), ((16384, 16384), 1)],
)
def test_the_larger_frames_are_the_fewer_are_decoded_at_once(size, frames):
    assert frames_at_once(*size) == frames


@pytest.mark.parametrize(
    ("free", "tile"),
    [
        (None, None),  # nothing is known
        (320 * 512 * 8 * 100, None),
        (320 * 512 * 8 * 100 - 1, 400),
        (256 * 256 * 8 * 100, 256),
        (256 * 256 * 8 * 100 - 1, 248),
        (0, MIN_TILE),
    ],
)
def test_whole_frames_if_they_fit_else_the_largest_tile(free, tile):
    assert choose_tile_size(320, 512, 8, 100, free) == tile


@given(
    height=st.integers(8, 4096),
    width=st.integers(8, 4096),
    frames=st.integers(1, 64),
    cell=st.integers(1, 10**5),
    free=st.integers(0, 10**11),
    overlap=st.integers(0, 64),
)
def test_a_tile_fits_and_the_next_larger_would_not(height, width, frames, cell, free, overlap):
    tile = choose_tile_size(height, width, frames, cell, free, overlap)
    taken = height * width * frames * cell
    if tile is None:
        least = max(MIN_TILE, overlap + 8)
        assert taken <= free or max(height, width) <= max(least, (free / frames / cell) ** 0.5)
        return
    assert taken > free
    assert tile % 8 == 0
    assert overlap < tile < max(height, width)
    assert tile >= MIN_TILE
    assert (tile + 8) ** 2 * frames * cell > free * (1 - 1e-9)
    if tile > max(MIN_TILE, overlap + 8):
        assert tile**2 * frames * cell <= free * (1 + 1e-9)
