"""A program that runs a server with little address space and prints which requests fail; run by test_image_loader."""

import json
import resource
import sys
from pathlib import Path

from PIL import Image
from starlette.testclient import TestClient

from safety_core.engine.protocols import GuardLike
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_image, encode_png
from tests.helpers.server.applications import open_client

SPARE_BYTES = 80 * 1024 * 1024
"""Address space beyond that of the idle server: enough for a small picture, but not for a large one."""


def read_virtual_bytes() -> int:
    """Address space of this process."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def send_picture(client: TestClient, data: bytes) -> str:
    answer = client.post("/v1/classify", files=[("image", ("a.png", data))])
    return "served" if answer.status_code == 200 else f"{answer.status_code} {answer.json()['error']['code']}"


def main() -> int:
    """Print the outcome of each request as JSON."""
    guard: GuardLike = FakeGuard()
    small = encode_png()
    dear = [
        encode_image(Image.new("RGBA", (4000, 4000), (1, 2, 3, 128)), "PNG"),
        encode_image(Image.new("RGBA", (4000, 4000), (1, 2, 3, 128)), "WEBP", lossless=True, method=0),
    ]
    with open_client(guard) as client:
        found = [send_picture(client, small)]
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (read_virtual_bytes() + SPARE_BYTES, most))
        for data in dear:
            found += [send_picture(client, data), send_picture(client, small)]
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        found.append(send_picture(client, dear[0]))
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
