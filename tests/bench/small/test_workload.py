import io
import json

import pytest
from PIL import Image

from bench.small.workload import (
    LETTERING,
    SCENE,
    build_classification,
    build_tale,
    build_transformers_chat,
    draw_picture,
)


@pytest.mark.parametrize("name", [SCENE, LETTERING])
def test_pictures_repeat_and_requests_with_them_do_not(name: str) -> None:
    picture = draw_picture(name)
    draw_picture.cache_clear()
    assert draw_picture(name) == picture
    assert Image.open(io.BytesIO(picture)).format == "PNG"
    assert build_classification(name).body != build_classification(name).body


def test_requests_in_openais_format() -> None:
    tale = json.loads(build_tale(3, "toy", max_tokens=5).body)
    assert (tale["model"], tale["max_tokens"], tale["messages"][0]["content"][-2:]) == ("toy", 5, "3.")
    chat = json.loads(build_transformers_chat(SCENE, "toy", max_tokens=5).body)
    assert chat["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")
