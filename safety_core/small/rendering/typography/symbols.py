"""Signs that the typefaces lack: emoji, arrows, ticks, stars and boxes, drawn by ourselves at any size.

Knows no typeface and no layout.
"""

from collections.abc import Callable
from functools import lru_cache

from PIL import Image, ImageDraw

Rgb = tuple[int, int, int]

_SIDE = 120
"""Side in pixels of the tile that a sign is drawn in before it is reduced."""

_YELLOW: Rgb = (252, 205, 60)
_RED: Rgb = (222, 48, 62)
_BROWN: Rgb = (96, 62, 24)

_Pen = ImageDraw.ImageDraw

EQUIVALENTS = {
    "\u2212": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "…": "...",
    "²": "2",
    "\u00a0": " ",
    "\t": "  ",
}
"""What stands for a character that a face lacks, in letters that all have."""

INVISIBLE = frozenset("\ufe0e\ufe0f\u200b\u200d\u2060\r")
"""Characters that draw nothing."""


def _draw_arrow(*way: tuple[int, int]) -> Callable[[_Pen, Rgb], None]:
    """Draw an arrow from the first to the second point, in tenths of the tile."""

    def draw(pen: _Pen, ink: Rgb) -> None:
        (x0, y0), (x1, y1) = ((x * 12, y * 12) for x, y in way)
        pen.line((x0, y0, x1, y1), fill=ink, width=11)
        dx, dy = (x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)
        for side in (-1, 1):
            end_x = x1 - 30 * dx + 24 * side * dy * (0 if dx and dy else 1)
            end_y = y1 - 30 * dy + 24 * side * dx * (0 if dx and dy else 1)
            if dx and dy:
                end_x, end_y = (x1 - 38 * dx, y1) if side > 0 else (x1, y1 - 38 * dy)
            pen.line((x1, y1, end_x, end_y), fill=ink, width=11)

    return draw


def _draw_face(*, mouth: str, eyes: str = "dots", tears: bool = False) -> Callable[[_Pen, Rgb], None]:
    """Draw a round yellow face."""

    def draw(pen: _Pen, ink: Rgb) -> None:
        pen.ellipse((8, 8, 112, 112), fill=_YELLOW, outline=(214, 150, 30), width=4)
        for number, x in enumerate((42, 78)):
            if eyes == "hearts":
                _draw_heart(pen, _RED, (x - 15, 30, x + 15, 58))
            elif eyes == "closed" or (eyes == "wink" and number):
                pen.arc((x - 12, 38, x + 12, 60), 190, 350, fill=_BROWN, width=6)
            elif eyes == "crosses":
                pen.line((x - 9, 38, x + 9, 56), fill=_BROWN, width=6)
                pen.line((x - 9, 56, x + 9, 38), fill=_BROWN, width=6)
            else:
                pen.ellipse((x - 7, 38, x + 7, 58), fill=_BROWN)
        if tears:
            for x in (20, 100):
                pen.ellipse((x - 10, 58, x + 10, 92), fill=(90, 170, 240))
        if mouth == "grin":
            pen.chord((32, 48, 88, 100), 0, 180, fill=_BROWN)
        elif mouth == "smile":
            pen.arc((34, 42, 86, 92), 20, 160, fill=_BROWN, width=6)
        elif mouth == "sad":
            pen.arc((38, 72, 82, 110), 200, 340, fill=_BROWN, width=6)
        elif mouth == "smirk":
            pen.arc((44, 50, 92, 90), 10, 110, fill=_BROWN, width=6)
        else:
            pen.line((42, 82, 78, 82), fill=_BROWN, width=6)

    return draw


def _draw_heart(pen: _Pen, ink: Rgb, box: tuple[int, int, int, int] = (14, 18, 106, 106)) -> None:
    left, top, right, bottom = box
    middle, width = (left + right) / 2, right - left
    pen.ellipse((left, top, middle + width * 0.03, top + width * 0.52), fill=ink)
    pen.ellipse((middle - width * 0.03, top, right, top + width * 0.52), fill=ink)
    pen.polygon(
        [(left + width * 0.05, top + width * 0.4), (right - width * 0.05, top + width * 0.4), (middle, bottom)],
        fill=ink,
    )


def _list_star_points() -> list[tuple[float, float]]:
    """Corners of a star with five points."""
    unit = [(0, -1), (0.225, -0.309), (0.951, -0.309), (0.363, 0.118), (0.588, 0.809), (0, 0.382)]
    mirrored = [(-x, y) for x, y in unit[1:5]][::-1]
    return [(60 + 54 * x, 66 + 54 * y) for x, y in (*unit, *mirrored)]


def _draw_full_star(pen: _Pen, ink: Rgb) -> None:
    pen.polygon(_list_star_points(), fill=ink)


def _draw_empty_star(pen: _Pen, ink: Rgb) -> None:
    pen.polygon(_list_star_points(), outline=ink, width=7)


def _draw_box(*, mark: str = "") -> Callable[[_Pen, Rgb], None]:
    """Draw a tick box."""

    def draw(pen: _Pen, ink: Rgb) -> None:
        pen.rectangle((20, 26, 100, 106), outline=ink, width=8)
        if mark:
            pen.line((34, 40, 86, 92), fill=ink, width=9)
            pen.line((34, 92, 86, 40), fill=ink, width=9)

    return draw


def _draw_tick(pen: _Pen, ink: Rgb) -> None:
    pen.line((18, 64, 46, 94, 102, 26), fill=ink, width=14, joint="curve")


def _draw_cross(pen: _Pen, ink: Rgb) -> None:
    pen.line((24, 28, 96, 100), fill=ink, width=14)
    pen.line((24, 100, 96, 28), fill=ink, width=14)


def _draw_dot(pen: _Pen, ink: Rgb) -> None:
    pen.ellipse((40, 46, 80, 86), fill=ink)


def _draw_block(pen: _Pen, ink: Rgb) -> None:
    pen.rectangle((0, 10, 120, 120), fill=ink)


def _draw_triangle(pen: _Pen, ink: Rgb) -> None:
    pen.polygon([(28, 22), (28, 106), (104, 64)], fill=ink)


def _draw_flame(pen: _Pen, ink: Rgb) -> None:
    pen.polygon([(60, 4), (98, 58), (94, 92), (60, 116), (26, 92), (22, 58), (44, 44)], fill=(238, 110, 34))
    pen.polygon([(62, 56), (82, 84), (60, 112), (38, 86)], fill=(252, 214, 80))


def _draw_cup(pen: _Pen, ink: Rgb) -> None:
    pen.arc((70, 48, 112, 88), 270, 90, fill=ink, width=8)
    pen.rounded_rectangle((18, 42, 90, 104), 16, fill=ink)
    for x in (38, 60):
        pen.line((x, 32, x + 6, 12), fill=ink, width=6)


def _draw_flake(pen: _Pen, ink: Rgb) -> None:
    for x, y in ((0, 50), (43, 25), (43, -25)):
        pen.line((60 - x, 62 - y, 60 + x, 62 + y), fill=(110, 180, 230), width=9)


def _draw_gift(pen: _Pen, ink: Rgb) -> None:
    """Draw a small cake or present: the party signs."""
    pen.rounded_rectangle((16, 54, 104, 110), 8, fill=(214, 96, 140))
    pen.rectangle((16, 66, 104, 78), fill=(250, 236, 220))
    pen.line((60, 54, 60, 24), fill=(90, 150, 220), width=9)
    pen.ellipse((52, 8, 68, 28), fill=(250, 180, 40))


def _draw_pepper(pen: _Pen, ink: Rgb) -> None:
    pen.polygon([(22, 30), (58, 24), (90, 66), (104, 112), (60, 92), (30, 60)], fill=_RED)
    pen.line((34, 28, 24, 8), fill=(60, 140, 60), width=10)


def _draw_arm(pen: _Pen, ink: Rgb) -> None:
    pen.line((24, 100, 84, 98, 96, 58, 70, 26), fill=_YELLOW, width=24, joint="curve")
    pen.ellipse((54, 10, 88, 42), fill=_YELLOW)


SYMBOLS: dict[str, Callable[[_Pen, Rgb], None]] = {
    "←": _draw_arrow((9, 5), (1, 5)),
    "→": _draw_arrow((1, 5), (9, 5)),
    "➜": _draw_arrow((1, 5), (9, 5)),
    "↑": _draw_arrow((5, 9), (5, 1)),
    "↓": _draw_arrow((5, 1), (5, 9)),
    "↗": _draw_arrow((2, 8), (8, 2)),
    "•": _draw_dot,
    "·": _draw_dot,
    "★": _draw_full_star,
    "☆": _draw_empty_star,
    "✓": _draw_tick,
    "✔": _draw_tick,
    "✅": _draw_tick,
    "✗": _draw_cross,
    "❌": _draw_cross,
    "□": _draw_box(),
    "☐": _draw_box(),
    "☒": _draw_box(mark="x"),
    "▇": _draw_block,
    "█": _draw_block,
    "▶": _draw_triangle,
    "♥": _draw_heart,
    "❤": _draw_heart,
    "🖤": _draw_heart,
    "🔥": _draw_flame,
    "☕": _draw_cup,
    "🍻": _draw_cup,
    "❄": _draw_flake,
    "🎂": _draw_gift,
    "🎉": _draw_gift,
    "🌶": _draw_pepper,
    "💪": _draw_arm,
    "😂": _draw_face(mouth="grin", eyes="closed", tears=True),
    "😭": _draw_face(mouth="sad", eyes="closed", tears=True),
    "😍": _draw_face(mouth="grin", eyes="hearts"),
    "😉": _draw_face(mouth="smile", eyes="wink"),
    "😏": _draw_face(mouth="smirk"),
    "😐": _draw_face(mouth="flat"),
    "😵": _draw_face(mouth="flat", eyes="crosses"),
    "😇": _draw_face(mouth="smile"),
    "☺": _draw_face(mouth="smile"),
    "🙂": _draw_face(mouth="smile"),
    "😀": _draw_face(mouth="grin"),
    "😊": _draw_face(mouth="smile", eyes="closed"),
    "☹": _draw_face(mouth="sad"),
    "😢": _draw_face(mouth="sad", tears=True),
}
"""The signs; ``draw(pen, ink)`` draws one into a square tile."""


@lru_cache(maxsize=512)
def draw_symbol(character: str, side: int, ink: Rgb) -> Image.Image:
    """Draw a sign as an RGBA picture of ``side`` pixels; an empty box stands for one that is not known."""
    tile = Image.new("RGBA", (_SIDE, _SIDE), (*ink, 0))
    SYMBOLS.get(character, _draw_box())(ImageDraw.Draw(tile), ink)
    return tile.resize((side, side), Image.Resampling.LANCZOS)
