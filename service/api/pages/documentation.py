"""The two pages that show the OpenAPI document, and their assets, all served by this server.

Scripts and styles come from the package ``fastapi-offline``, which contains Swagger UI and Redoc; the pages themselves
are defined here, without inline scripts and with relative links only. Knows no routes.
"""

from functools import cache
from importlib import resources
from pathlib import PurePath

_SWAGGER = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>SafeVLM Guard: API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

_REDOC = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>SafeVLM Guard: API reference</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/redoc.css">
</head>
<body>
<redoc spec-url="openapi.json" hide-loading></redoc>
<script src="docs/redoc.standalone.js"></script>
</body>
</html>
"""

_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  layout: "BaseLayout",
  deepLinking: true,
  showExtensions: true,
  showCommonExtensions: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
"""

PAGES = {"docs": _SWAGGER, "redoc": _REDOC}
"""The pages, by the last part of their paths."""

_OWN = {"start.js": _START, "redoc.css": "body { margin: 0; }\n"}
_SHIPPED = ("swagger-ui.css", "swagger-ui-bundle.js", "redoc.standalone.js")
_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
"""The only asset that Redoc would load from another host; without it, the page shows an empty space."""

_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}

HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self' 'unsafe-inline'",  # the scripts of both libraries set inline styles
            "img-src 'self' data:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src blob:",  # Redoc's search
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@cache
def read_asset(name: str) -> tuple[bytes, str]:
    """Read an asset of the pages: its bytes and its media type.

    Raises:
        KeyError: there is no such asset.
    """
    if name in _OWN:
        data = _OWN[name].encode()
    elif name in _SHIPPED:
        data = (resources.files("fastapi_offline") / "static" / name).read_bytes().replace(_LOGO, b"data:,")
    else:
        raise KeyError(name)
    return data, _MEDIA_TYPES[PurePath(name).suffix]
