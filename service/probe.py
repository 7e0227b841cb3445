"""``python -m service.probe``: exit status 0 if the server on this machine is ready. For container health checks.

Standard library only: it starts in milliseconds and imports nothing of the server.
"""

import http.client
import os
import sys

_TIMEOUT_S = 4
_DEFAULT_PORT = 8000


def main() -> int:
    """Request ``/readyz``; returns 0 if the server is ready, otherwise 1."""
    value = os.environ.get("SAFEVLM_PORT", "")
    # For a service named safevlm, Kubernetes sets SAFEVLM_PORT=tcp://…, which service.settings ignores as well.
    port = int(value) if value.isdecimal() else _DEFAULT_PORT
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        return 0 if connection.getresponse().status == http.client.OK else 1
    except (OSError, http.client.HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
