"""Set-up of every test process. Imports no torch: a process that only distributes tests must start quickly."""

import gc
import os
from pathlib import Path

pytest_plugins = ("tests.helpers.fixtures",)

# Every HTTP client that httpx makes loads all certificates of the system, for a twentieth of a second. No test reaches
# anything but plain HTTP on this machine, so they trust those in a folder that holds none.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)


def pytest_collection_finish() -> None:
    """Spare the collector the million objects of imported modules, which stay until the end."""
    gc.collect()
    gc.freeze()
