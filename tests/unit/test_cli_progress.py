"""What the command line says while it works, where nobody looks at a bar."""

from lavie.cli import shared
from lavie.types import Progress


def test_long_work_says_now_and_then_how_long_it_takes(monkeypatch, capsys):
    times = iter([0.0, 1.0, 3.5, 4.0, 40.0, 41.0])
    monkeypatch.setattr(shared.time, "monotonic", lambda: next(times))
    draw = shared.draw_bar()
    for step, left in enumerate((300.0, 290.0, 200.0, 190.0, 50.0, 0.0), start=1):
        draw(Progress("interpolation", step, 6, left))
    assert capsys.readouterr().err.splitlines() == [
        "interpolation: 3 of 6, about 3 min left",
        "interpolation: 5 of 6, about 50 s left",
    ]
