"""The files of the playground's page, and the headers that browsers get with them.

There is no build step: the files are sent as they are. The page may load from and connect to this server only, and
cannot turn text into markup or scripts. Knows no HTTP paths.
"""

from functools import cache
from importlib import resources
from pathlib import PurePath

PAGE = "playground.html"

FILES = (
    PAGE,
    "base.css",
    "frame.css",
    "conversation.css",
    "composer.css",
    "details.css",
    "policy.css",
    "playground.js",
    "api.js",
    "asking.js",
    "badge.js",
    "camera.js",
    "changes.js",
    "colours.js",
    "composer.js",
    "copying.js",
    "curl.js",
    "decisions.js",
    "details.js",
    "dom.js",
    "examples.js",
    "format.js",
    "history.js",
    "images.js",
    "javascript.js",
    "maps.js",
    "messages.js",
    "names.js",
    "page.js",
    "policy.js",
    "presets.js",
    "python.js",
    "ratings.js",
    "rawreply.js",
    "request.js",
    "rules.js",
    "scores.js",
    "session.js",
    "sharing.js",
    "snippets.js",
    "tabs.js",
    "timings.js",
    "transcript.js",
    "turnview.js",
    "why.js",
)
"""Names of the files of the page."""

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
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}

_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


@cache
def read_file(name: str) -> tuple[bytes, str]:
    """Read one of ``FILES``: its bytes and its media type.

    Raises:
        KeyError: there is no such file.
    """
    if name not in FILES:
        raise KeyError(name)
    data = (resources.files(__name__) / name).read_bytes()
    return data, _MEDIA_TYPES[PurePath(name).suffix]
