"""A plot as SVG: lines over logarithmic axes, in as many panels as there are questions."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 420, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 30, 44
_COLOURS = ("#1b6ca8", "#c1440e", "#2e7d32", "#7b3fa0", "#8a6d00", "#555555")

Points = Sequence[tuple[float, float]]


class Panel(NamedTuple):
    title: str
    x: str
    y: str
    lines: Mapping[str, Points]


def svg(panels: Sequence[Panel]) -> str:
    """The panels side by side, each with its own axes and one legend."""
    body = [part for index, panel in enumerate(panels) for part in _panel(panel, index * WIDTH)]
    size = f'width="{WIDTH * len(panels)}" height="{HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>", ""])


def _panel(panel: Panel, left: int) -> Iterator[str]:
    xs = [x for points in panel.lines.values() for x, _ in points]
    ys = [y for points in panel.lines.values() for _, y in points]
    across = _Axis(min(xs), max(xs), _LEFT, WIDTH - _RIGHT)
    up = _Axis(min(ys), max(ys), HEIGHT - _BOTTOM, _TOP)
    yield f'<g transform="translate({left},0)">'
    yield _text(WIDTH / 2, 16, panel.title, "middle")
    yield _text(WIDTH / 2, HEIGHT - 8, panel.x, "middle")
    yield f'<text transform="translate(12,{HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(panel.y)}</text>'
    for x in across.ticks():
        yield _line(across(x), _TOP, across(x), HEIGHT - _BOTTOM)
        yield _text(across(x), HEIGHT - _BOTTOM + 14, _number(x), "middle")
    for y in up.ticks():
        yield _line(_LEFT, up(y), WIDTH - _RIGHT, up(y))
        yield _text(_LEFT - 5, up(y) + 4, _number(y), "end")
    for index, (name, points) in enumerate(panel.lines.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield from (f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.5" fill="{colour}"/>' for x, y in points)
        yield _text(_LEFT + 8, _TOP + 14 * (index + 1), name, "start", colour)
    yield "</g>"


class _Axis:
    """Places on a logarithmic axis, with room at both ends."""

    def __init__(self, least: float, most: float, start: float, end: float) -> None:
        self._low, self._high = math.log10(least) - 0.08, math.log10(most) + 0.08
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> Iterator[float]:
        """Ones, twos and fives."""
        for power in range(math.floor(self._low), math.ceil(self._high) + 1):
            for step in (1, 2, 5):
                value = step * 10.0**power
                if self._low <= math.log10(value) <= self._high:
                    yield value


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
