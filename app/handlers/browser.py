"""What the browser does by itself after an event: JavaScript, made here."""

import json


def press(button_id: str) -> str:
    """Press a download button once the page has given it its new file."""
    return f"() => setTimeout(() => document.getElementById({json.dumps(button_id)}).click(), 50)"


def bring_into_view(element_id: str, focus: str = "") -> str:
    """Scroll to where something has just happened, if it is out of sight.

    Args:
        element_id: What to show; nothing happens while it is hidden.
        focus: CSS selector of what gets the focus; empty: it stays where it is.
    """
    return (
        "() => setTimeout(() => {"
        f" const element = document.getElementById({json.dumps(element_id)});"
        " if (!element?.offsetParent) return;"
        f" const target = {json.dumps(focus)} && document.querySelector({json.dumps(focus)});"
        " if (target) target.focus({ preventScroll: true });"
        " const { top, bottom } = element.getBoundingClientRect();"
        " const isLarge = bottom - top > innerHeight;"
        " if (top >= 0 && (isLarge ? top < innerHeight / 2 : bottom <= innerHeight)) return;"
        " const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;"
        " element.scrollIntoView({ behavior: isCalm ? 'auto' : 'smooth', block: 'start' });"
        " }, 100)"
    )
