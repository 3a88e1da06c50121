"""How much of a video to work on at once, so that it fits the memory there is."""

MIN_TILE = 32
"""Cells: smaller tiles show the network too little of the picture."""

_PIXELS_AT_ONCE = 1 << 21
_MOST_FRAMES_AT_ONCE = 8


def frames_at_once(height: int, width: int) -> int:
    """How many frames an image autoencoder should have in work at the same time.

    One where a frame has two million pixels or more, as 1280x2048 has; at most 8, since more would
    not be faster.

    Args:
        height: Pixels of a frame.
        width: Pixels of a frame.
    """
    return max(1, min(_MOST_FRAMES_AT_ONCE, _PIXELS_AT_ONCE // (height * width)))


def choose_tile_size(
    height: int,
    width: int,
    num_frames: int,
    bytes_per_cell: float,
    free_bytes: int | None,
    overlap: int = 0,
) -> int | None:
    """Choose how much of the picture a network should see at once.

    Args:
        height: Cells of a whole frame: the picture as the network sees it.
        width: Cells of a whole frame.
        num_frames: Frames it sees at once.
        bytes_per_cell: Memory that the network takes for every cell of every frame.
        free_bytes: Memory it may take; None: not known.
        overlap: Cells that two tiles share; a tile is larger.

    Returns:
        Side of the largest square tile that fits, a multiple of 8 and at least `MIN_TILE`, even
        where that is too large; None where whole frames fit, or nothing is known.
    """
    if free_bytes is None or height * width * num_frames * bytes_per_cell <= free_bytes:
        return None
    side = int((free_bytes / (num_frames * bytes_per_cell)) ** 0.5) // 8 * 8
    side = max(side, MIN_TILE, (overlap // 8 + 1) * 8)
    return side if side < max(height, width) else None
