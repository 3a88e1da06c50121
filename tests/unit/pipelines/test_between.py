import torch

from lavie.pipelines.between import cross_fade, neighbouring_latents, repeat_given_latents


def given(*values):
    return torch.tensor(values).view(1, 1, -1, 1, 1)


def test_a_cross_fade_goes_in_quarters_and_meets_the_given_frames():
    faded = cross_fade(given(0.0, 4.0, 2.0)).flatten()
    assert faded.tolist() == [0, 1, 2, 3, 4, 3.5, 3, 2.5, 2]


def test_a_part_of_a_cross_fade_is_that_part():
    frames = torch.randn(2, 3, 5, 2, 2)
    whole = cross_fade(frames)
    assert whole.shape[2] == 17
    for start, stop in ((0, 1), (3, 9), (12, 17), (16, 17)):
        assert torch.equal(cross_fade(frames, start, stop), whole[:, :, start:stop])


def test_given_latents_lie_around_the_frames_that_they_are():
    assert repeat_given_latents(given(0.0, 1.0, 2.0)).flatten().tolist() == [
        *[0, 0, 0],
        *[1, 1, 1, 1],
        *[2, 2],
    ]


def test_neighbours_are_the_given_frames_before_and_after():
    before, after = neighbouring_latents(given(0.0, 1.0, 2.0))[0].squeeze()
    assert before.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert after.tolist() == [1, 1, 1, 1, 2, 2, 2, 2, 2]
