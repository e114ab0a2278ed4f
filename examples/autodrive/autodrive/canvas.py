"""A small drawing: shapes drawn once, written as SVG, or as PNG if matplotlib is installed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from xml.sax.saxutils import escape, quoteattr

from autodrive.track import Array

_FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"
_BACKGROUND = "#ffffff"


@dataclass(frozen=True)
class _Line:
    points: Array  # [n, 2] pixels from the top left.
    color: str
    width: float
    closed: bool
    dash: tuple[float, ...]


@dataclass(frozen=True)
class _Dots:
    points: Array
    radius: float
    color: str


@dataclass(frozen=True)
class _Circle:
    x: float
    y: float
    radius: float
    fill: str
    stroke: str
    width: float


@dataclass(frozen=True)
class _Area:
    points: Array
    color: str


@dataclass(frozen=True)
class _Text:
    x: float
    y: float
    text: str
    size: float
    color: str
    anchor: str
    bold: bool


_Shape: TypeAlias = _Line | _Dots | _Circle | _Area | _Text


@dataclass
class Canvas:
    """Shapes in the order in which they cover each other; sizes are in pixels."""

    width: int
    height: int
    title: str
    _shapes: list[_Shape] = field(default_factory=list)

    def line(
        self,
        points: Array,
        color: str,
        width: float = 1.0,
        *,
        closed: bool = False,
        dash: tuple[float, ...] = (),
    ) -> None:
        """Draws a line through [n, 2] points; n is at least 2."""
        self._shapes.append(_Line(points, color, width, closed, dash))

    def dots(self, points: Array, radius: float, color: str) -> None:
        """Draws a dot at each of [n, 2] points."""
        if len(points) > 0:
            self._shapes.append(_Dots(points, radius, color))

    def circle(
        self, x: float, y: float, radius: float, fill: str, stroke: str = "none", width: float = 0.0
    ) -> None:
        """Draws a circle; "none" leaves out the inside or the edge."""
        self._shapes.append(_Circle(x, y, radius, fill, stroke, width))

    def area(self, points: Array, color: str) -> None:
        """Fills a polygon."""
        self._shapes.append(_Area(points, color))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 13.0,
        color: str = "#3b3a37",
        *,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        """Writes one line whose base is at y; anchor is start, middle or end."""
        self._shapes.append(_Text(x, y, text, size, color, anchor, bold))

    def write_svg(self, path: Path) -> None:
        """Writes the drawing as SVG."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" font-family={quoteattr(_FONT)} '
            f'role="img">\n<title>{escape(self.title)}</title>\n'
            f'<rect width="100%" height="100%" fill="{_BACKGROUND}"/>\n'
        )
        body = "\n".join(_to_svg(shape) for shape in self._shapes)
        path.write_text(f"{head}{body}\n</svg>\n", encoding="utf-8")

    def write_png(self, path: Path, scale: float = 1.5) -> bool:
        """Writes the same as PNG; returns False, and writes nothing, without matplotlib."""
        try:
            from matplotlib.backends.backend_agg import (  # type: ignore[import-not-found, unused-ignore]
                FigureCanvasAgg,
            )
            from matplotlib.figure import Figure  # type: ignore[import-not-found, unused-ignore]
        except ImportError:
            return False
        figure = Figure(figsize=(self.width / 100, self.height / 100), dpi=100 * scale)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, self.width), ylim=(self.height, 0))
        axes.axis("off")
        for order, shape in enumerate(self._shapes):
            _to_matplotlib(axes, shape, order)
        figure.savefig(path, facecolor=_BACKGROUND)
        return True


def _to_svg(shape: _Shape) -> str:
    match shape:
        case _Line():
            kind = "polygon" if shape.closed else "polyline"
            dash = f' stroke-dasharray="{" ".join(map(str, shape.dash))}"' if shape.dash else ""
            return (
                f'<{kind} points="{_points(shape.points)}" fill="none" stroke="{shape.color}" '
                f'stroke-width="{shape.width:.2f}" stroke-linejoin="round" '
                f'stroke-linecap="{"butt" if shape.dash else "round"}"{dash}/>'
            )
        case _Dots():
            # Strokes of no length with round ends: a tenth of the size of circles.
            path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in shape.points)
            return (
                f'<path d="{path}" fill="none" stroke="{shape.color}" '
                f'stroke-width="{2 * shape.radius:.1f}" stroke-linecap="round"/>'
            )
        case _Circle():
            return (
                f'<circle cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius:.1f}" '
                f'fill="{shape.fill}" stroke="{shape.stroke}" stroke-width="{shape.width:.1f}"/>'
            )
        case _Area():
            return f'<polygon points="{_points(shape.points)}" fill="{shape.color}"/>'
        case _Text():
            return (
                f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size:g}" '
                f'fill="{shape.color}" text-anchor="{shape.anchor}" '
                f'font-weight="{600 if shape.bold else 400}">{escape(shape.text)}</text>'
            )


def _points(points: Array) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _to_matplotlib(axes: Any, shape: _Shape, order: int) -> None:  # noqa: ANN401 - matplotlib is optional
    from matplotlib.patches import Circle, Polygon  # type: ignore[import-not-found, unused-ignore]

    points_per_pixel = 0.72  # The figure has 100 pixels, and 72 points, per inch.
    style: dict[str, Any]
    match shape:
        case _Line():
            width = shape.width * points_per_pixel
            style = {"color": shape.color, "linewidth": width, "zorder": order}
            if shape.dash:
                # matplotlib's dashes are multiples of the line's width.
                style["linestyle"] = (0, [length / shape.width for length in shape.dash])
            if shape.closed:
                style = {**style, "fill": False, "joinstyle": "round", "edgecolor": shape.color}
                del style["color"]
                axes.add_patch(Polygon(shape.points, closed=True, **style))
            else:
                axes.plot(shape.points[:, 0], shape.points[:, 1], **style)
        case _Dots():
            size = 2 * shape.radius * points_per_pixel
            style = {"color": shape.color, "markersize": size, "zorder": order}
            axes.plot(shape.points[:, 0], shape.points[:, 1], "o", markeredgewidth=0, **style)
        case _Circle():
            axes.add_patch(
                Circle(
                    (shape.x, shape.y),
                    shape.radius,
                    facecolor=shape.fill,
                    edgecolor=shape.stroke,
                    linewidth=shape.width * points_per_pixel,
                    zorder=order,
                )
            )
        case _Area():
            axes.add_patch(Polygon(shape.points, facecolor=shape.color, zorder=order))
        case _Text():
            axes.text(
                shape.x,
                shape.y,
                shape.text,
                fontsize=shape.size * points_per_pixel,
                color=shape.color,
                ha={"start": "left", "middle": "center", "end": "right"}[shape.anchor],
                va="baseline",
                weight="bold" if shape.bold else "normal",
                zorder=order,
            )
