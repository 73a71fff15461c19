"""Owns drawing: bars and lines as SVG text that any browser shows without a network.

Must not know what is drawn, nor where it goes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 320
LEFT, RIGHT, TOP, BOTTOM = 62, 28, 34, 42
BAR = 22
LABEL = 96
COLOURS = ("#0b6e4f", "#c1440e", "#3a6ea5", "#8a5a9e", "#b8860b", "#555555", "#1b9e9e", "#d1478c")

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line of a plot."""

    label: str
    points: Sequence[Point]
    dashed: bool = False
    colour: int = -1
    """Which of the colours; -1: the next one."""


@dataclass(frozen=True)
class Axis:
    """One direction of a plot: from where to where, and how values are shown."""

    title: str
    log: bool = False
    ticks: Sequence[tuple[float, str]] = ()
    """Values and their texts; none: chosen by the values."""


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    log: bool
    start: float
    end: float

    def __call__(self, value: float) -> float:
        low, high, at = (math.log(max(each, 1e-12)) if self.log else each for each in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


def short(value: float) -> str:
    """A number on an axis."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"


def bars(
    title: str, values: Sequence[tuple[str, float]], show: Callable[[float], str] = short, strong: str = ""
) -> str:
    """Horizontal bars from zero, each with its number; the one called `strong` stands out."""
    height = TOP + BAR * len(values) + 8
    most = max((value for _, value in values), default=1.0) or 1.0
    room = WIDTH - LABEL - 84
    parts = [_text(LABEL, 18, title, "start", "title")]
    for row, (label, value) in enumerate(values):
        top = TOP + BAR * row
        colour = COLOURS[0] if label == strong else "#9aa5ad"
        parts.append(_text(LABEL - 8, top + 14, label, "end"))
        length = max(1.0, room * value / most)
        size = f'width="{length:.1f}" height="{BAR - 6}"'
        parts.append(f'<rect x="{LABEL}" y="{top + 2}" {size} fill="{colour}"/>')
        parts.append(_text(LABEL + length + 6, top + 14, show(value), "start"))
    return _svg(height, parts)


def lines(title: str, series: Sequence[Series], x_axis: Axis, y_axis: Axis) -> str:
    """Lines with a legend; empty text when there is nothing to draw."""
    points = [point for each in series for point in each.points]
    if not points:
        return ""
    across = _scale(x_axis, [x for x, _ in points], LEFT, WIDTH - RIGHT)
    up = _scale(y_axis, [y for _, y in points], HEIGHT - BOTTOM, TOP)
    parts = [_text(LEFT, 18, title, "start", "title"), *_frame(x_axis, across, y_axis, up)]
    for index, each in enumerate(series):
        parts += _line(each, COLOURS[(index if each.colour < 0 else each.colour) % len(COLOURS)], across, up)
    return _svg(HEIGHT + 18 * ((len(series) + 2) // 3), [*parts, *_legend(series)])


def ticks(low: float, high: float, log: bool) -> list[float]:
    """Round values between two others, about five of them."""
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        steps = (1, 2, 5) if last - first <= 3 else (1,)
        found = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        return [value for value in found if low <= value <= high]
    step = 10.0 ** math.floor(math.log10((high - low) or 1.0))
    while (high - low) / step < 4:
        step /= 2
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _scale(axis: Axis, values: Sequence[float], start: float, end: float) -> _Scale:
    values = [*values, *(value for value, _ in axis.ticks)]
    low, high = min(values), max(values)
    if axis.log:
        low = max(low, 1e-9)
        return _Scale(low / 1.15, max(high, low) * 1.15, True, start, end)
    return _Scale(0.0, high * 1.05 or 1.0, False, start, end)


def _frame(x_axis: Axis, across: _Scale, y_axis: Axis, up: _Scale) -> list[str]:
    bottom = HEIGHT - BOTTOM
    parts = [f'<path d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}" class="axis"/>']
    for value, text in x_axis.ticks or [(value, short(value)) for value in ticks(across.low, across.high, across.log)]:
        x = across(value)
        parts.append(f'<path d="M{x:.1f} {TOP}V{bottom}" class="grid"/>')
        parts.append(_text(x, bottom + 15, text, "middle"))
    for value, text in y_axis.ticks or [(value, short(value)) for value in ticks(up.low, up.high, up.log)]:
        y = up(value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" class="grid"/>')
        parts.append(_text(LEFT - 6, y + 4, text, "end"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, bottom + 33, x_axis.title, "middle"))
    middle = (TOP + bottom) / 2
    parts.append(f'<g transform="rotate(-90 14 {middle})">{_text(14, middle, y_axis.title, "middle")}</g>')
    return parts


def _line(series: Series, colour: str, across: _Scale, up: _Scale) -> list[str]:
    places = [(across(x), up(y)) for x, y in series.points]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    dashes = ' stroke-dasharray="5 4"' if series.dashed else ""
    drawn = [f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>']
    return drawn + [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in places]


def _legend(series: Sequence[Series]) -> list[str]:
    parts = []
    for index, each in enumerate(series):
        x, y = LEFT + 162 * (index % 3), HEIGHT + 8 + 18 * (index // 3)
        colour = COLOURS[(index if each.colour < 0 else each.colour) % len(COLOURS)]
        dashes = ' stroke-dasharray="5 4"' if each.dashed else ""
        parts.append(f'<path d="M{x} {y - 4}h18" stroke="{colour}" stroke-width="3"{dashes}/>')
        parts.append(_text(x + 23, y, each.label, "start"))
    return parts


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(text)}</text>'


def _svg(height: float, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{"".join(parts)}</svg>'
