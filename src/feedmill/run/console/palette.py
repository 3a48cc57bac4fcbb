"""The colours and the type of the page: one place, for the charts as for the cards.

A topic's colour differs from another's by its hue alone: lightness and chroma are the same, so that no topic shouts.
Colours are made in OKLCH (Ottosson 2020, "A perceptual color space for image processing") and given as sRGB.
"""

from __future__ import annotations

import math

TOPIC_HUES: dict[str, float] = {
    "cats": 68.0,
    "cooking": 47.0,
    "football": 151.0,
    "travel": 198.0,
    "music": 296.0,
    "gardening": 130.0,
    "gaming": 272.0,
    "fitness": 3.0,
    "science": 223.0,
    "space": 248.0,
    "dance": 319.0,
    "crafts": 110.0,
    "cars": 25.0,
    "fashion": 341.0,
    "comedy": 89.0,
    "nature": 173.0,
}
"""OKLCH hue angle of each topic, in degrees: neighbours are at least 18 apart."""

LIGHTNESS = 0.78
CHROMA = 0.125
NEUTRAL_HUE = 268.0
NEUTRAL_CHROMA = 0.012


def colour(lightness: float, chroma: float, hue: float) -> str:
    """`#rrggbb` of an OKLCH colour: lightness 0 to 1, hue in degrees. Chroma is lowered until sRGB has the colour."""
    while chroma > 0:
        channels = _linear_rgb(lightness, chroma, hue)
        if all(-0.0005 <= channel <= 1.0005 for channel in channels):
            break
        chroma -= 0.002
    else:
        channels = _linear_rgb(lightness, 0.0, hue)
    return "#" + "".join(f"{round(255 * _encoded(channel)):02x}" for channel in channels)


def _linear_rgb(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    angle = math.radians(hue)
    a, b = chroma * math.cos(angle), chroma * math.sin(angle)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )


def _encoded(channel: float) -> float:
    channel = min(1.0, max(0.0, channel))
    return 12.92 * channel if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055


def topic_colour(topic: str) -> str:
    """`#rrggbb` of a topic on the dark page; the neutral of muted text for a topic that the palette does not know."""
    hue = TOPIC_HUES.get(topic)
    return colour(LIGHTNESS, CHROMA, hue) if hue is not None else _neutral(0.72)


def _neutral(lightness: float) -> str:
    return colour(lightness, NEUTRAL_CHROMA, NEUTRAL_HUE)


TOPIC_COLOURS: dict[str, str] = {topic: topic_colour(topic) for topic in TOPIC_HUES}

ACCENT = colour(0.73, 0.18, 36.0)
"""The one accent: what Feedmill itself does, and what a person has chosen (a like, a line of a chart)."""

CSS_VARIABLES: dict[str, str] = {
    # Surfaces, from the page to what floats above it. None of them is black.
    "--fm-background": _neutral(0.185),
    "--fm-surface": _neutral(0.222),
    "--fm-raised": _neutral(0.262),
    "--fm-line": _neutral(0.325),
    "--fm-text": _neutral(0.965),
    "--fm-text-muted": _neutral(0.76),
    "--fm-text-faint": _neutral(0.62),
    "--fm-accent": ACCENT,
    "--fm-accent-soft": colour(0.36, 0.075, 36.0),
    "--fm-on-accent": _neutral(0.17),
    "--fm-good": colour(0.80, 0.13, 160.0),
    "--fm-warning": colour(0.83, 0.13, 85.0),
    "--fm-bad": colour(0.70, 0.17, 20.0),
    # One scale of type; weights are 400, 500 and 700.
    "--fm-size-1": "12px",
    "--fm-size-2": "14px",
    "--fm-size-3": "16px",
    "--fm-size-4": "20px",
    "--fm-size-5": "28px",
    "--fm-size-6": "40px",
    "--fm-leading-tight": "1.15",
    "--fm-leading": "1.45",
    "--fm-font": (
        '-apple-system, BlinkMacSystemFont, "Inter", "Segoe UI Variable", "Segoe UI", Roboto, Ubuntu, Cantarell, '
        '"Noto Sans", "DejaVu Sans Condensed", system-ui, sans-serif'
    ),
    "--fm-font-mono": 'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
    # One scale of space and of corners.
    "--fm-space-1": "4px",
    "--fm-space-2": "8px",
    "--fm-space-3": "12px",
    "--fm-space-4": "16px",
    "--fm-space-5": "24px",
    "--fm-space-6": "40px",
    "--fm-radius-small": "8px",
    "--fm-radius": "14px",
    "--fm-radius-large": "28px",
    "--fm-ease": "cubic-bezier(0.22, 0.8, 0.24, 1)",
    **{f"--fm-topic-{topic}": shade for topic, shade in TOPIC_COLOURS.items()},
}


def css_root() -> str:
    """A `:root` rule that sets every variable: the page puts it into its head once."""
    return ":root{" + "".join(f"{name}:{value};" for name, value in CSS_VARIABLES.items()) + "}"
