# SPDX-License-Identifier: Apache-2.0
"""Curves as SVG, and a page of tables and plots that opens from disk: text made here, no library, nothing fetched."""
import dataclasses
import html
import math

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 50
COLOURS = ("#0b5fa5", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#be123c")


@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    y: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Plot:
    title: str
    x_label: str
    y_label: str
    curves: dict  # name -> [Point]
    log_x: bool = True
    log_y: bool = False


def steps_linear(low, high):
    """Four to ten round numbers from `low` to `high`."""
    span = max(high - low, 1e-9)
    step = 10 ** math.floor(math.log10(span))
    step /= next(divisor for divisor in (1, 2, 5) if span * divisor / step >= 4 or divisor == 5)
    first = math.ceil(low / step)
    return [step * i for i in range(first, math.floor(high / step + 1e-9) + 1)]


def steps_log(low, high):
    """Powers of ten, and twice and five times those where there are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1,) if len(powers) > 4 else (1, 2, 5)
    return [factor * 10.0**power for power in powers for factor in factors
            if low / 1.0001 <= factor * 10.0**power <= high * 1.0001]


def short(value):
    """1000 as 1 K, 1000000 as 1 M."""
    for size, unit in ((1e6, " M"), (1e3, " K")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


class Axis:
    """From a quantity's value to its place in the picture."""

    def __init__(self, values, start, end, log):
        self.start, self.end, self.log = start, end, log
        low, high = (min(values), max(values)) if log else (0, max(values))
        if log:
            low, high = low / 1.1, high * 1.1
        else:
            high = (high or 1) * 1.05
        self.low, self.high = low, high

    def place(self, value):
        low, high, at = (math.log(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def steps(self):
        return steps_log(self.low, self.high) if self.log else steps_linear(self.low, self.high)


def text(x, y, content, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{html.escape(content)}</text>'


def line(x1, y1, x2, y2, colour, width=1.0):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def grid(plot, x_axis, y_axis):
    for value in x_axis.steps():
        at = x_axis.place(value)
        yield line(at, TOP, at, HEIGHT - BOTTOM, "#e5e5e5")
        yield text(at, HEIGHT - BOTTOM + 16, short(value))
    for value in y_axis.steps():
        at = y_axis.place(value)
        yield line(LEFT, at, WIDTH - RIGHT, at, "#e5e5e5")
        yield text(LEFT - 6, at + 4, short(value), "end")
    yield text(WIDTH / 2, 18, plot.title, more=' font-weight="bold"')
    yield text(WIDTH / 2, HEIGHT - 12, plot.x_label)
    yield text(16, HEIGHT / 2, plot.y_label, more=f' transform="rotate(-90 16 {HEIGHT / 2})"')


def curve(points, x_axis, y_axis, colour):
    """A line through the medians, a bar for each spread."""
    places = [(x_axis.place(point.x), y_axis.place(point.y)) for point in points]
    yield f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>'
    for point, (x, y) in zip(points, places):
        yield line(x, y_axis.place(point.low), x, y_axis.place(point.high), colour, 1.2)
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def legend(names):
    x = LEFT
    for name, colour in zip(names, COLOURS):
        yield line(x, 36, x + 18, 36, colour, 3)
        yield text(x + 23, 40, name, "start")
        x += 40 + 7 * len(name)


def svg(plot):
    points = [point for curve_points in plot.curves.values() for point in curve_points]
    x_axis = Axis([point.x for point in points], LEFT, WIDTH - RIGHT, plot.log_x)
    y_axis = Axis([y for point in points for y in (point.y, point.low, point.high)], HEIGHT - BOTTOM, TOP, plot.log_y)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
             'font-family="sans-serif" font-size="12" role="img">', f'<title>{html.escape(plot.title)}</title>',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *grid(plot, x_axis, y_axis), *legend(plot.curves)]
    for curve_points, colour in zip(plot.curves.values(), COLOURS):
        parts += curve(sorted(curve_points, key=lambda point: point.x), x_axis, y_axis, colour)
    return "\n".join([*parts, "</svg>"]) + "\n"


STYLE = ("body{font:15px sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;color:#222}"
         "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:3px 8px;text-align:left;"
         "vertical-align:top}th{background:#f3f3f3}svg{max-width:100%;height:auto;margin:1em 0}")


def html_table(head, rows):
    def cells(row, kind):
        return "<tr>" + "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in row) + "</tr>"
    return "\n".join(["<table>", cells(head, "th"), *(cells(row, "td") for row in rows), "</table>"])


def page(title, note, tables, plots):
    """tables: heading -> (head, rows of cells). One file that needs nothing else."""
    parts = ["<!DOCTYPE html>", '<html lang="en"><head><meta charset="utf-8">', f"<title>{html.escape(title)}</title>",
             f"<style>{STYLE}</style></head><body>", f"<h1>{html.escape(title)}</h1>", f"<p>{html.escape(note)}</p>"]
    for heading, (head, rows) in tables.items():
        parts += [f"<h2>{html.escape(heading)}</h2>", html_table(head, rows)]
    return "\n".join([*parts, *(svg(plot) for plot in plots), "</body></html>"]) + "\n"
