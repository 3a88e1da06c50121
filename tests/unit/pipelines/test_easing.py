import pytest
import torch

from lavie.pipelines.easing import SHARE, ease_in

GIVEN, EASED = 4, 3


def jump(height=4, width=6):
    """Nothing moves but that everything is 1 more from the first new frame on."""
    window = torch.zeros(2, 3, 10, height, width)
    window[:, :, GIVEN:] = 1
    return window


def test_what_stands_still_changes_step_by_step():
    eased = ease_in(jump(), GIVEN, EASED)
    assert torch.equal(eased[:, :, :GIVEN], jump()[:, :, :GIVEN])
    assert torch.equal(eased[:, :, GIVEN + EASED :], jump()[:, :, GIVEN + EASED :])
    steps = eased[0, 0, GIVEN - 1 : GIVEN + EASED + 1, 0, 0]
    expected = [0, 1 - SHARE, 1 - SHARE * 2 / 3, 1 - SHARE / 3, 1]
    torch.testing.assert_close(steps, torch.tensor(expected))
    assert (eased.amax((1, 3, 4)) == eased.amin((1, 3, 4))).all()


def test_what_moves_is_left_alone():
    window = jump(4, 16)
    for frame in range(10):
        window[:, :, frame, :, :4] += 2 * frame
    eased = ease_in(window, GIVEN, EASED)
    assert torch.equal(eased[..., :3], window[..., :3])
    assert not torch.equal(eased[..., 6:], window[..., 6:])


@pytest.mark.parametrize(
    ("num_given", "num_eased"), [(0, EASED), (1, EASED), (GIVEN, 0), (9, EASED), (10, EASED)]
)
def test_where_nothing_can_be_told_nothing_changes(num_given, num_eased):
    window = torch.randn(1, 3, 10, 4, 6)
    assert torch.equal(ease_in(window, num_given, num_eased), window)


def test_a_window_is_eased_no_further_than_it_goes():
    window = jump()
    assert torch.equal(ease_in(window, 8, 99), ease_in(window, 8, 2))
    assert window.equal(jump())
