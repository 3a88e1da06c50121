"""The look of the page: a projection room. Ink and film amber, on paper by day.

Text and background are chosen in pairs that keep a contrast of 4.5 to 1; `tests/ui/test_looks.py`
measures them on the page.
"""

import base64
from pathlib import Path

import gradio as gr
from gradio.themes.utils.colors import Color
from gradio.themes.utils.fonts import Font

LOOKS = Path(__file__).parent / "looks"
FAVICON = LOOKS / "favicon.svg"

_FONTS = ("ui-sans-serif", "system-ui", "Segoe UI", "Roboto", "sans-serif")
_MONO = ("ui-monospace", "Cascadia Mono", "Consolas", "monospace")

_PAPER = Color(
    "#fffdf8",
    "#f6f1e7",
    "#eae2d3",
    "#d9cdb9",
    "#b8aa98",
    "#85786a",
    "#62574b",
    "#4a4038",
    "#2f2720",
    "#1e1813",
    "#14100d",
    name="paper",
)
_FILM = Color(
    "#fff7e6",
    "#ffebc2",
    "#ffdb91",
    "#ffc75c",
    "#ffb02e",
    "#f09a0c",
    "#c47500",
    "#8f5200",
    "#6e3f00",
    "#472900",
    "#2b1800",
    name="film",
)


class _EmbeddedFont(Font):
    """A typeface that comes with the theme itself, so that nothing else is fetched for it."""

    def __init__(self, name: str, file: Path) -> None:
        super().__init__(name)
        self._file = file

    def stylesheet(self) -> dict[str, str | None]:
        """The typeface as a rule of CSS."""
        data = base64.b64encode(self._file.read_bytes()).decode()
        rule = (
            f"@font-face {{ font-family: '{self.name}'; font-weight: 400 800; font-display: swap; "
            f"src: url(data:font/woff2;base64,{data}) format('woff2'); }}"
        )
        return {"url": None, "css": rule}


def studio_theme() -> gr.themes.Base:
    """The theme, for light and dark pages."""
    theme = gr.themes.Base(
        primary_hue=_FILM,
        secondary_hue=_PAPER,
        neutral_hue=_PAPER,
        radius_size=gr.themes.sizes.radius_md,
        spacing_size=gr.themes.sizes.spacing_md,
        font=[_EmbeddedFont("Bricolage Grotesque", LOOKS / "bricolage-grotesque.woff2"), *_FONTS],
        font_mono=_MONO,
    )
    return theme.set(
        body_background_fill="*neutral_100",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_primary="*neutral_50",
        background_fill_primary_dark="#1d1814",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_950",
        border_color_primary="*neutral_300",
        border_color_primary_dark="#3a3128",
        border_color_accent="*primary_500",
        link_text_color="*primary_700",
        link_text_color_hover="*primary_800",
        link_text_color_visited="*primary_700",
        link_text_color_dark="*primary_300",
        link_text_color_hover_dark="*primary_200",
        link_text_color_visited_dark="*primary_300",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_color="transparent",
        block_border_color_dark="transparent",
        block_label_text_color="*neutral_900",
        block_label_text_color_dark="*neutral_100",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_title_text_color="*neutral_900",
        block_title_text_color_dark="*neutral_100",
        block_title_text_weight="600",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        block_info_text_size="*text_sm",
        block_shadow="none",
        block_padding="0px",
        form_gap_width="0px",
        input_background_fill="*neutral_50",
        input_background_fill_dark="#0e0b09",
        input_border_color="*neutral_400",
        input_border_color_dark="#4d4237",
        input_border_width="1px",
        input_border_color_focus="*primary_600",
        input_border_color_focus_dark="*primary_400",
        input_placeholder_color="#75695c",
        input_placeholder_color_dark="#9c8e7e",
        checkbox_background_color="*neutral_50",
        checkbox_background_color_dark="#0e0b09",
        checkbox_background_color_selected="*primary_700",
        checkbox_background_color_selected_dark="*primary_500",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_500",
        checkbox_label_background_fill="*neutral_50",
        checkbox_label_background_fill_hover="*neutral_200",
        checkbox_label_background_fill_selected="*primary_400",
        checkbox_label_background_fill_dark="#241d18",
        checkbox_label_background_fill_hover_dark="#3a3128",
        checkbox_label_background_fill_selected_dark="*primary_400",
        checkbox_label_border_color="*neutral_300",
        checkbox_label_border_color_dark="#3a3128",
        checkbox_label_text_color_selected="*neutral_950",
        checkbox_label_text_color_selected_dark="*neutral_950",
        button_primary_background_fill="*primary_400",
        button_primary_background_fill_hover="*primary_300",
        button_primary_background_fill_dark="*primary_400",
        button_primary_background_fill_hover_dark="*primary_300",
        button_primary_border_color="*primary_500",
        button_primary_border_color_dark="*primary_400",
        button_primary_text_color="*neutral_950",
        button_primary_text_color_dark="*neutral_950",
        button_secondary_background_fill="*neutral_50",
        button_secondary_background_fill_hover="*neutral_200",
        button_secondary_border_color="*neutral_400",
        button_secondary_text_color="*neutral_900",
        button_secondary_background_fill_dark="#241d18",
        button_secondary_background_fill_hover_dark="#3a3128",
        button_secondary_border_color_dark="#4d4237",
        button_secondary_text_color_dark="*neutral_100",
        button_cancel_background_fill="transparent",
        button_cancel_background_fill_dark="transparent",
        button_cancel_background_fill_hover="#fbe3dc",
        button_cancel_background_fill_hover_dark="#421a14",
        button_cancel_text_color="#a82a17",
        button_cancel_text_color_dark="#ffab9c",
        button_cancel_border_color="#a82a17",
        button_cancel_border_color_dark="#ffab9c",
        button_border_width="1px",
        button_small_text_size="*text_md",
        button_small_padding="*spacing_sm *spacing_lg",
        error_text_color="#a82a17",
        error_text_color_dark="#ffab9c",
        slider_color="*primary_500",
    )
