"""Makes an SVG of matplotlib fit for a page with a strict content security policy and two colour schemes.

Style attributes, which the policy forbids, become presentation attributes; names of elements get a prefix, so that
several drawings fit on one page; what is not drawn is removed. Knows no chart.
"""

from __future__ import annotations

import re

_STYLE = re.compile(r' style="([^"]*)"')
_ID = re.compile(r'\bid="([^"]+)"')
_REFERENCE = re.compile(r'(url\(#|href="#)([^")]+)')
_REMOVED = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->|<style[^>]*>.*?</style>|<defs>\s*</defs>", re.DOTALL)
_SVG_START = re.compile(r"<svg\b[^>]*?viewBox=\"([^\"]+)\"[^>]*>", re.DOTALL)
_FONT = re.compile(r"^font(?:-family)?$")


def clean_svg(svg: str, *, prefix: str, label: str) -> str:
    """Clean a drawing.

    Args:
        svg: the drawing, as matplotlib writes it.
        prefix: beginning of the names of elements, unique on the page.
        label: what the drawing shows, for people who do not see it; plain text.

    Raises:
        ValueError: the drawing has no view box.
    """
    drawing = svg[svg.index("<svg") :]
    drawing = _REMOVED.sub("", drawing)
    start = _SVG_START.search(drawing)
    if start is None:
        raise ValueError("the drawing has no view box")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{start.group(1)}" role="img" aria-label="{_escape(label)}">'
    )
    body = drawing[start.end() :].replace("xlink:href", "href")
    body = _STYLE.sub(_convert_style, body)
    body = _ID.sub(rf'id="{prefix}-\1"', body)
    body = _REFERENCE.sub(rf"\1{prefix}-\2", body)
    return head + re.sub(r">\s+<", "><", body).strip()


def _convert_style(match: re.Match[str]) -> str:
    """Convert declarations to attributes; the page's own font is kept."""
    attributes = []
    for declaration in match.group(1).split(";"):
        name, sign, value = (part.strip() for part in declaration.partition(":"))
        if not sign or _FONT.match(name):
            if name == "font" and (size := re.search(r"([\d.]+)px", value)):
                attributes.append(f' font-size="{size.group(1)}"')
            continue
        attributes.append(f' {name}="{_escape(value)}"')
    return "".join(attributes)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
