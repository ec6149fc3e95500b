"""Every pair of colours that meets on a page is legible, in both themes (WCAG 2.2: 4.5 for text, 3 for marks)."""

import math
import re
from itertools import product
from pathlib import Path

import pytest
from django.conf import settings

TOKENS = Path(settings.BASE_DIR) / "static" / "ui" / "tokens.css"
PAIR = re.compile(
    r"--([\w-]+):\s*light-dark\(\s*oklch\(([^)]*)\),\s*oklch\(([^)]*)\)\s*\)", re.DOTALL
)
#: oklab → long, medium, short cone responses → linear sRGB (Ottosson's published matrices).
TO_CONES = (
    (1, 0.3963377774, 0.2158037573),
    (1, -0.1055613458, -0.0638541728),
    (1, -0.0894841775, -1.2914855480),
)
TO_RGB = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)
LUMINANCE = (0.2126, 0.7152, 0.0722)


def _times(matrix: tuple[tuple[float, ...], ...], vector: list[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def _as_shown(linear: float) -> float:
    """The channel after the screen's rounding to 8 bits, linear again."""
    clipped = min(1.0, max(0.0, linear))
    encoded = 12.92 * clipped if clipped <= 0.0031308 else 1.055 * clipped ** (1 / 2.4) - 0.055
    shown = round(encoded * 255) / 255
    return shown / 12.92 if shown <= 0.04045 else ((shown + 0.055) / 1.055) ** 2.4


def _luminance(oklch: str) -> float:
    lightness, chroma, hue = (float(part) for part in oklch.split("/")[0].split())
    angle = math.radians(hue)
    lab = [lightness, chroma * math.cos(angle), chroma * math.sin(angle)]
    rgb = _times(TO_RGB, [cone**3 for cone in _times(TO_CONES, lab)])
    return sum(weight * _as_shown(channel) for weight, channel in zip(LUMINANCE, rgb, strict=True))


def _contrast(one: float, other: float) -> float:
    low, high = sorted((one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(scope="module")
def tokens() -> dict[str, tuple[float, float]]:
    found = PAIR.findall(TOKENS.read_text())
    return {name: (_luminance(light), _luminance(dark)) for name, light, dark in found}


def _text_pairs(names: list[str]) -> list[tuple[str, str]]:
    grounds = ("surface", "canvas", "surface-2", "surface-3")
    tones = ("ok", "bad", "warn", "run")
    pairs = [*product(("text", "text-2", "text-3", "accent"), grounds)]
    pairs += [("on-fill", "bad-fill"), ("on-ink", "ink"), ("on-ink", "ink-hover")]
    pairs += [(name, "accent-soft") for name in ("accent", "text", "text-2")]
    for tone in tones:
        pairs += [(tone, ground) for ground in (f"{tone}-soft", "surface", "canvas", "surface-3")]
        pairs += [("text", f"{tone}-soft"), ("text-2", f"{tone}-soft")]
    pairs += [(name, "surface") for name in names if name.startswith(("k-", "c-"))]
    pairs += [(name, "surface-2") for name in names if name.startswith("c-")]
    return pairs


MARKS = [
    ("line-control", "surface"),
    ("line-control", "canvas"),
    ("ok-bar", "surface-2"),
    *(
        (f"{name}", "surface")
        for name in (
            *("accent-solid", "ok-solid", "bad-solid", "run-solid"),
            *("warn-solid", "idle-solid", "ok-bar"),
        )
    ),
]


def test_ui_colours_have_enough_contrast(tokens: dict[str, tuple[float, float]]) -> None:
    assert len(tokens) > 40, "tokens.css could not be read"
    wanted = [(*pair, 4.5) for pair in _text_pairs(list(tokens))]
    wanted += [(*pair, 3.0) for pair in MARKS]
    failures = [
        f"{front} on {ground}, {theme}: {ratio:.2f} of {least}"
        for front, ground, least in wanted
        for index, theme in enumerate(("light", "dark"))
        if (ratio := _contrast(tokens[front][index], tokens[ground][index])) < least
    ]
    assert not failures
