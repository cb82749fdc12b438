"""Plots as SVG, by hand: grouped bars and lines. Colours are told apart in black and white too, by lightness."""
import math

COLOURS = {"corndog": "#c2410c", "corndog-deno": "#fb923c", "corndog-default": "#c2410c", "corndog-fsync": "#7c2d12",
           "rsyslog": "#1d4ed8", "syslog-ng": "#60a5fa", "rsyslog-default": "#1d4ed8", "syslog-ng-default": "#60a5fa"}
FONT = 'font-family="system-ui, sans-serif"'


def short(value):
    if value >= 1e6:
        return f"{value / 1e6:.2g}M" if value < 1e7 else f"{value / 1e6:.0f}M"
    if value >= 1e3:
        return f"{value / 1e3:.3g}k"
    return f"{value:.3g}"


def _text(x, y, text, size=12, anchor="start", extra=""):
    text = str(text).replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" {FONT} fill="#333"{extra}>{text}</text>'


def _svg(width, height, parts, title):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" role="img" aria-label="{title}">'
    return "\n".join([head, f'<rect width="{width}" height="{height:.0f}" fill="#fff" />', *parts, "</svg>"]) + "\n"


def _legend(names, x, y):
    parts = []
    for name in names:
        parts += [f'<rect x="{x:.0f}" y="{y - 10:.0f}" width="12" height="12" fill="{COLOURS.get(name, "#666")}" />', _text(x + 17, y, name)]
        x += 32 + 7 * len(name)
    return parts


def bars(title, groups):
    """groups: [(label, [(series, value)])], each group scaled by its own largest value."""
    width, left, right = 760, 170, 660
    names = list(dict.fromkeys(name for _, rows in groups for name, _ in rows))
    parts = [_text(16, 24, title, 15, extra=' font-weight="600"'), *_legend(names, 16, 48)]
    y = 66
    for label, rows in groups:
        most = max((value for _, value in rows), default=1) or 1
        parts.append(_text(left - 10, y + 9 * len(rows) + 4, label, 12, "end"))
        for name, value in rows:
            size = max(1, (right - left) * value / most)
            parts += [f'<rect x="{left}" y="{y:.0f}" width="{size:.1f}" height="14" fill="{COLOURS.get(name, "#666")}" />',
                      _text(left + size + 6, y + 11.5, short(value), 11)]
            y += 18
        y += 12
    return _svg(width, y, parts, title)


def _ticks(low, high):
    out = []
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        out.append(10.0 ** power)
    return out if len(out) > 1 else [out[0], out[0] * 10]


def lines(title, x_name, y_name, series):
    """series: [(name, [(x, y)])]; both axes logarithmic."""
    width, height, left, right, top, bottom = 760, 400, 70, 620, 60, 350
    points = [p for _, values in series for p in values]
    if not points:
        return None
    xs, ys = _ticks(min(x for x, _ in points), max(x for x, _ in points)), _ticks(min(y for _, y in points), max(y for _, y in points))

    def at(value, ticks, start, stop):
        share = (math.log10(value) - math.log10(ticks[0])) / (math.log10(ticks[-1]) - math.log10(ticks[0]))
        return start + (stop - start) * share
    parts = [_text(16, 24, title, 15, extra=' font-weight="600"')]
    for tick in xs:
        x = at(tick, xs, left, right)
        parts += [f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="#ddd" />', _text(x, bottom + 18, f"{tick:,.0f}", 11, "middle")]
    for tick in ys:
        y = at(tick, ys, bottom, top)
        parts += [f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#ddd" />', _text(left - 8, y + 4, f"{tick:g}", 11, "end")]
    ends = []
    for name, values in series:
        colour = COLOURS.get(name, "#666")
        where = [(at(x, xs, left, right), at(y, ys, bottom, top)) for x, y in values]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in where)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" />')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}" />' for x, y in where]
        ends.append([where[-1][1], name])
    ends.sort()
    for i in range(1, len(ends)):                                    # names that would lie on each other
        ends[i][0] = max(ends[i][0], ends[i - 1][0] + 15)
    parts += [_text(right + 10, y + 4, name, 12) for y, name in ends]
    parts += [_text((left + right) / 2, bottom + 38, x_name, 12, "middle"), _text(16, top - 12, y_name, 12)]
    return _svg(width, height, parts, title)
