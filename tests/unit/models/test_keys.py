import torch

from lavie.models.keys import compare_keys


def meta(**shapes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def test_equal_keys_and_shapes_fit():
    report = compare_keys(meta(a=(2, 3), b=(4,)), meta(b=(4,), a=(2, 3)))
    assert report.fits
    assert report.summary() == "all 2 keys and shapes agree"
    assert report.lines()[-1] == "all names and shapes agree"


def test_every_kind_of_difference_is_reported():
    report = compare_keys(
        meta(conv_in_weight=(8, 4), norm=(8,), gone=(1,)),
        meta(conv_in_weights=(8, 4), norm=(9,)),
    )
    assert not report.fits
    assert report.missing == ("conv_in_weight", "gone")
    assert report.unexpected == (("conv_in_weights", "conv_in_weight"),)
    assert report.wrong_shape == (("norm", (8,), (9,)),)


def test_summary_is_one_line_with_an_example_of_each_kind():
    summary = compare_keys(meta(a=(1,), b=(2,)), meta(c=(1,), b=(3,))).summary()
    assert "\n" not in summary
    assert "1 missing (as 'a')" in summary
    assert "1 unexpected (as 'c')" in summary
    assert "'b': (3,), not (2,)" in summary


def test_long_reports_are_counted_not_flooded():
    report = compare_keys(meta(**{f"key_{i}": (1,) for i in range(500)}), meta(other=(1,)))
    assert len(report.lines()) < 20
    assert "  … and 488 more" in report.lines()


def test_lines_name_the_nearest_key():
    report = compare_keys(meta(attn_temp=(1,)), meta(attn_tmp=(1,)))
    assert "  attn_tmp   (nearest: attn_temp)" in report.lines()
