"""What has a video show its poster until its first picture is there."""

from app.tabs.scripts import script

POSTER_SCRIPT = script("poster.js")
"""For a gr.HTML with what `app.gallery.poster_of` gives."""
