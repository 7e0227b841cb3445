"""The files of the page that shows what the guard saw, and what browsers are told about them. Knows no HTTP paths.

No build step: what lies here is what is sent. The page may load and call this server and nothing else, and can turn no
text into markup or script.
"""

from functools import cache
from importlib import resources
from pathlib import PurePath

PAGE = "playground.html"

FILES = (
    PAGE,
    "playground.css",
    "playground.js",
    "api.js",
    "dom.js",
    "findings.js",
    "pictures.js",
    "policy.js",
    "snippets.js",
)
"""All that is served."""

HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}

_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


@cache
def content(name: str) -> tuple[bytes, str]:
    """Bytes and media type of one of ``FILES``.

    Raises:
        KeyError: it is none of them.
    """
    if name not in FILES:
        raise KeyError(name)
    data = (resources.files(__name__) / name).read_bytes()
    return data, _MEDIA_TYPES[PurePath(name).suffix]
