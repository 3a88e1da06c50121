"""The look of the page: film amber on warm paper or on ink. System fonts, so nothing is fetched."""

import gradio as gr

_FONTS = ["ui-sans-serif", "system-ui", "Segoe UI", "Roboto", "sans-serif"]
_MONO = ["ui-monospace", "Cascadia Mono", "Consolas", "monospace"]


def studio_theme() -> gr.themes.Base:
    """The theme, for light and dark pages."""
    theme = gr.themes.Base(
        primary_hue=gr.themes.colors.amber,
        secondary_hue=gr.themes.colors.stone,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_lg,
        font=_FONTS,
        font_mono=_MONO,
    )
    return theme.set(
        body_background_fill="*neutral_100",
        body_background_fill_dark="#14110f",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="white",
        block_background_fill_dark="#1f1b18",
        block_border_color="*neutral_200",
        block_border_color_dark="#35302b",
        block_label_text_color="*neutral_900",
        block_title_text_color="*neutral_900",
        block_title_text_color_dark="*neutral_100",
        block_title_text_weight="600",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        block_shadow="none",
        input_background_fill="*neutral_50",
        input_background_fill_dark="#14110f",
        input_border_color="*neutral_300",
        input_border_color_dark="#4a433c",
        input_border_width="1px",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_500",
        input_placeholder_color="*neutral_500",
        button_primary_background_fill="*primary_400",
        button_primary_background_fill_hover="*primary_300",
        button_primary_background_fill_dark="*primary_400",
        button_primary_background_fill_hover_dark="*primary_300",
        button_primary_text_color="#1c1410",
        button_primary_text_color_dark="#1c1410",
        button_secondary_background_fill="*neutral_200",
        button_secondary_background_fill_hover="*neutral_300",
        button_secondary_background_fill_dark="#35302b",
        button_secondary_background_fill_hover_dark="#4a433c",
        button_cancel_background_fill="transparent",
        button_cancel_background_fill_dark="transparent",
        button_cancel_background_fill_hover="#fee2e2",
        button_cancel_background_fill_hover_dark="#451a1a",
        button_cancel_text_color="#b91c1c",
        button_cancel_text_color_dark="#fca5a5",
        button_cancel_border_color="#b91c1c",
        button_cancel_border_color_dark="#fca5a5",
        button_border_width="1px",
        slider_color="*primary_500",
    )
