"""Cut the Latin subsets of Inter and JetBrains Mono into static/ui/fonts, with their OFL texts.

Needs ``npm ci`` in this folder first, and fonttools with brotli, which the project itself does
not use, so they get an environment of their own::

    python -m venv build/fonts
    build/fonts/bin/pip install fonttools brotli
    build/fonts/bin/python assets/subset_fonts.py
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

HERE = Path(__file__).resolve().parent
PACKAGES = HERE / "node_modules" / "@fontsource-variable"
FONTS = HERE.parent / "static" / "ui" / "fonts"

#: Latin 1, the typographic signs our texts use, arrows and the key symbols; everything else falls
#: to the system font by the unicode-range in tokens.css.
UNICODES = (
    "U+0020-007E,U+00A0-00FF,U+0131,U+0152-0153,U+02C6,U+02DA,U+02DC,U+2000-200A,U+2010-2015,"
    "U+2018-201E,U+2020-2022,U+2026,U+2030,U+2039-203A,U+2044,U+20AC,U+2122,U+2190-2193,U+2212,"
    "U+2215,U+2260,U+2264-2265,U+2318,U+21B5,U+23CE"
)


@dataclass(frozen=True)
class Cut:
    """One font to cut: where it comes from, what it is called here, what of it is kept."""

    package: str
    name: str
    weights: tuple[int, int]
    features: tuple[str, ...]


CUTS = (
    Cut(
        "inter",
        "inter-latin",
        (400, 700),
        (
            *("kern", "tnum", "calt", "ccmp", "mark", "mkmk"),
            *("locl", "cv11", "ss03", "case", "zero"),
        ),
    ),
    Cut("jetbrains-mono", "mono-latin", (400, 600), ("ccmp", "locl", "mark", "zero")),
)


def cut(plan: Cut) -> Path:
    """Write one subset and its licence; return the font file."""
    package = PACKAGES / plan.package
    font = TTFont(
        package / "files" / f"{plan.package}-latin-wght-normal.woff2", recalcTimestamp=False
    )
    options = subset.Options()
    options.layout_features = list(plan.features)
    options.hinting = False
    options.name_IDs = ["*"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=subset.parse_unicodes(UNICODES.replace("U+", "")))
    subsetter.subset(font)
    low, high = plan.weights
    font = instancer.instantiateVariableFont(font, {"wght": (low, 400, high)})
    font.flavor = "woff2"
    target = FONTS / f"{plan.name}.woff2"
    font.save(target)
    shutil.copyfile(package / "LICENSE", FONTS / f"{plan.name}.LICENSE.txt")
    return target


if __name__ == "__main__":
    FONTS.mkdir(parents=True, exist_ok=True)
    for plan in CUTS:
        made = cut(plan)
        sys.stdout.write(f"{made.name} {made.stat().st_size / 1024:.1f} KB\n")
