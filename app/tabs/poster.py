"""What has a video show its poster until its first picture is there."""

from pathlib import Path

POSTER_SCRIPT = (Path(__file__).parents[1] / "poster.js").read_text(encoding="utf-8")
"""For a gr.HTML with what `app.gallery.poster_of` gives."""
