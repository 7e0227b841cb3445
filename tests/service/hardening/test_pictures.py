"""Pictures in every form that hides something, through every route that takes one, judged by the shipped checkpoint."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from starlette.testclient import TestClient

from safety_core.engine.guard import Guard
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.limits import ImageLimits
from tests.helpers.engine.model_calls import assert_read_what_was_scored, record_model_inputs
from tests.helpers.images.encoding import decode_rgb, encode_image, encode_rotated
from tests.helpers.images.png_files import build_png, build_png_chunk
from tests.helpers.requests.judging_requests import (
    ANSWERING,
    CHAT,
    CLASSIFY,
    GUARDRAIL,
    LOOK,
    MAKE,
    OBEY,
    REQUEST,
    ROUTES,
    SCENE,
    WEAPON,
    WHAT,
    is_refused,
    read_error,
    read_verdict,
    send_question,
    translate_error,
)

SIDE = 140
"""Of the shipped checkpoint's pictures."""


def risk(client: TestClient, text: str, data: bytes) -> dict[str, Any]:
    found = read_verdict(send_question(client, CLASSIFY, text, data))["risk"]
    assert isinstance(found, dict)
    return found


def same_scores(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two risks are one: pictures that differ by rounding move scores a little."""
    return bool(
        one["type"] == other["type"]
        and one["level"] == other["level"]
        and all(
            one["level_scores"][name] == pytest.approx(other["level_scores"][name], abs=0.05)
            for name in one["level_scores"]
        )
    )


# --- one picture, many files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_exif_orientation(nano: TestClient, orientation: int, kind: str, options: dict[str, Any]) -> None:
    stored = encode_rotated(decode_rgb(REQUEST), orientation, kind, **options)
    assert risk(nano, OBEY, stored) == risk(nano, OBEY, REQUEST)
    for route in ROUTES if kind == "PNG" else ():
        assert is_refused(send_question(nano, route, OBEY, stored))


def as_16_bit(image: Image.Image, colour: int) -> bytes:
    """A PNG of 16 bits a channel; Pillow writes none."""
    width, height = image.size
    raw = image.tobytes()
    step = len(raw) // height
    rows = b"".join(
        b"\0" + bytes(byte for value in raw[y * step : (y + 1) * step] for byte in (value, value))
        for y in range(height)
    )
    return build_png(width, height, depth=16, colour=colour, rows=rows)


COLOURED: dict[str, Callable[[Image.Image], bytes]] = {
    "16-bit": lambda image: as_16_bit(image, 2),
    "16-bit with alpha": lambda image: as_16_bit(image.convert("RGBA"), 6),
    "CMYK": lambda image: encode_image(image.convert("CMYK"), "JPEG", quality=98, subsampling=0),
    "ICC": lambda image: encode_image(
        image, "PNG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ),
    "broken ICC": lambda image: encode_image(image, "PNG", icc_profile=b"no profile"),
}
GREY: dict[str, Callable[[Image.Image], bytes]] = {
    "16-bit": lambda image: as_16_bit(image, 0),
    "LA": lambda image: encode_image(image.convert("LA"), "PNG"),
    "16-bit LA": lambda image: as_16_bit(image.convert("LA"), 4),
    "palette": lambda image: encode_image(image.convert("P"), "PNG"),
    "RGB": lambda image: encode_image(image.convert("RGB"), "PNG"),
}


@pytest.mark.parametrize("text", [MAKE, WHAT])
def test_sixteen_bit_cmyk_icc_la(nano: TestClient, text: str) -> None:
    plain, grey = decode_rgb(WEAPON), decode_rgb(WEAPON).convert("L")
    expected, in_grey = risk(nano, text, WEAPON), risk(nano, text, encode_image(grey, "PNG"))
    for name, write in COLOURED.items():
        assert same_scores(risk(nano, text, write(plain)), expected), name
    for name, write in GREY.items():
        assert same_scores(risk(nano, text, write(grey)), in_grey), name
    for route in ROUTES:
        assert is_refused(send_question(nano, route, text, as_16_bit(plain, 2))) == (text == MAKE)


# --- transparency ----------------------------------------------------------------------------------------------------


def lettering(colour: str) -> Image.Image:
    """The rendered request in one colour on clear ground."""
    ink = decode_rgb(REQUEST).convert("L").point(lambda value: 255 if value < 100 else 0)
    solid = Image.new("RGBA", ink.size, colour)
    solid.putalpha(ink)
    return solid


def written(image: Image.Image, kind: str) -> bytes:
    if kind == "palette":
        index = image.getchannel("A").point(lambda value: 1 if value else 0).convert("P")
        red, green, blue, _ = image.getpixel((0, 0))  # type: ignore[misc]
        index.putpalette([128, 128, 128, red, green, blue])
        return encode_image(index, "PNG", transparency=0)
    if kind == "LA":
        return encode_image(image.convert("LA"), "PNG")
    if kind == "key":  # one colour of a picture without alpha stands for clear
        clear = (200, 3, 4)
        flat = Image.new("RGB", image.size, clear)
        flat.paste(image, (0, 0), image)
        data = encode_image(flat, "PNG")
        return data[:33] + build_png_chunk(b"tRNS", struct.pack(">HHH", *clear)) + data[33:]
    return encode_image(image, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))


@pytest.mark.parametrize("kind", ["PNG", "LA", "palette", "key", "WEBP", "GIF"])
@pytest.mark.parametrize("colour", ["black", "white"])
def test_alpha_trns_palette(nano: TestClient, colour: str, kind: str) -> None:
    """Lettering that one background swallows is read on the other."""
    data = written(lettering(colour), kind)
    low_high = [view.convert("L").getextrema() for view in decode_image(data).views]
    assert [low != high for low, high in low_high] == [colour == "white", colour == "black"]
    for route in ROUTES if kind == "PNG" else (CLASSIFY,):
        assert is_refused(send_question(nano, route, OBEY, data))


def two_faced() -> bytes:
    """The weapon on white ground; on black ground something darker."""
    shown = np.asarray(decode_rgb(WEAPON), dtype=np.float32) / 255
    alpha = np.maximum(1 - shown.min(2, keepdims=True), 1 / 255)
    colour = (shown - 1 + alpha) / alpha
    return encode_image(
        Image.fromarray(np.uint8(255 * np.concatenate([colour, alpha], 2).clip(0, 1) + 0.5), "RGBA"), "PNG"
    )


@pytest.mark.parametrize("route", ANSWERING)
def test_alpha_trns_palette_gives_the_model_the_view_that_was_scored_worse(
    nano: TestClient, guard: Guard, route: str
) -> None:
    data = two_faced()
    views = [risk(nano, WHAT, encode_image(view, "PNG"))["surfaces"]["joint"] for view in decode_image(data).views]
    assert views[0] != views[1]
    with record_model_inputs(guard) as seen:
        answer = send_question(nano, route, WHAT, data)
    assert read_verdict(answer)["decision"] == "cautioned"
    assert read_verdict(answer)["risk"]["surfaces"]["joint"] == pytest.approx(max(views), abs=1e-4)
    assert_read_what_was_scored(seen, views=2, view=views.index(max(views)))


# --- sizes and shapes ------------------------------------------------------------------------------------------------


def scaling_attack(visible: bytes, hidden: bytes, *, side: int, step: int) -> bytes:
    """A large picture of one thing that careless resizing to ``side`` would turn into another: its every n-th pixel."""
    large = np.array(decode_rgb(visible).resize((side * step, side * step), Image.Resampling.BICUBIC))
    wanted = decode_rgb(hidden).resize((side, side), Image.Resampling.BICUBIC)
    large[step // 2 :: step, step // 2 :: step] = np.asarray(wanted)
    attack = Image.fromarray(large)
    assert attack.resize((side, side), Image.Resampling.NEAREST).tobytes() == wanted.tobytes()
    return encode_image(attack, "PNG", compress_level=1)


@pytest.mark.parametrize(
    ("side", "step", "routes"),
    [(SIDE, 9, ROUTES), (ImageLimits().max_side, 3, (CHAT, CLASSIFY))],
    ids=["to the model's size", "to the largest view"],
)
def test_image_scaling_payload(nano: TestClient, guard: Guard, side: int, step: int, routes: tuple[str, ...]) -> None:
    harmless = scaling_attack(SCENE, WEAPON, side=side, step=step)
    harmful = scaling_attack(WEAPON, SCENE, side=side, step=step)
    for route in routes:
        assert is_refused(send_question(nano, route, MAKE, harmful))
    there, hidden = (guard.model.preprocess(list(decode_image(data).views)) for data in (SCENE, WEAPON))
    for route in routes:
        with record_model_inputs(guard) as seen:
            answer = send_question(nano, route, LOOK, harmless)
        assert not is_refused(answer)
        pixels = seen.pixels
        assert len(pixels) == 1
        assert (pixels - there).abs().mean() < (pixels - hidden).abs().mean() / 2
        if route in ANSWERING:
            assert_read_what_was_scored(seen)
            assert "dog" in answer.text
            assert "bomb" not in answer.text


@pytest.mark.parametrize("size", [(2000, 100), (100, 2000), (300, 140), (139, 141)])
def test_aspect_ratio_and_crop(nano: TestClient, guard: Guard, size: tuple[int, int]) -> None:
    """Whatever stands in a corner reaches the tower, and what reaches the tower is what the model reads."""
    width, height = size
    mark = min(size) // 2
    grey = Image.new("RGB", size, (128, 128, 128))
    corners = [(x, y) for x in (0, width - mark) for y in (0, height - mark)]
    with record_model_inputs(guard) as seen:
        assert not is_refused(send_question(nano, ANSWERING[0], LOOK, encode_image(grey, "PNG")))
    assert_read_what_was_scored(seen)
    (empty,) = seen.pixels
    for at in corners:
        marked = grey.copy()
        marked.paste("white", (*at, at[0] + mark, at[1] + mark))
        with record_model_inputs(guard) as seen:
            send_question(nano, CLASSIFY, LOOK, encode_image(marked, "PNG"))
        (pixels,) = seen.pixels
        changed = (pixels - empty).amax(0) > 0.1
        expected = mark**2 * (SIDE / max(size)) ** 2
        assert changed.sum() > expected / 2
        rows, columns = torch.nonzero(changed.any(1)).flatten(), torch.nonzero(changed.any(0)).flatten()
        middle = (SIDE - 1) / 2
        assert (bool(columns.float().mean() < middle), bool(rows.float().mean() < middle)) == (at[0] == 0, at[1] == 0)


@pytest.mark.parametrize("size", [(2100, 100), (20, 421), (1, 21)])
def test_aspect_ratio_and_crop_refuses_what_would_be_lost(client: TestClient, size: tuple[int, int]) -> None:
    for route in ROUTES:
        assert read_error(
            send_question(client, route, LOOK, encode_image(Image.new("RGB", size), "PNG"))
        ) == translate_error(route, 400, "image_aspect")


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (3, 1), (3, 3), (2, 31), (33, 32)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_tiny_or_odd_sizes(nano: TestClient, size: tuple[int, int], kind: str) -> None:
    data = encode_image(Image.new("RGB", size, "red"), kind)
    for route in ROUTES if kind == "PNG" else (CLASSIFY,):
        assert read_verdict(send_question(nano, route, LOOK, data))
    assert read_verdict(send_question(nano, CLASSIFY, LOOK, SCENE))["decision"] == "allowed"


def test_several_images(nano: TestClient, client: TestClient) -> None:
    """One harmful picture among harmless ones, wherever it stands."""
    for place in range(3):
        pictures = [SCENE, SCENE, SCENE]
        pictures[place] = WEAPON
        for route in ROUTES:
            response = send_question(nano, route, MAKE, *pictures)
            assert is_refused(response)
            assert read_verdict(response).get("images_scanned", 3) == 3
        found = read_verdict(send_question(nano, CLASSIFY, MAKE, *pictures))
        assert [image["level"]["index"] == 3 for image in found["images"]] == [at == place for at in range(3)]
        assert found["risk"]["level"]["index"] == 3
        assert found["risk"]["surfaces"]["joint"] is not None
    for route in ROUTES:
        # The guardrail's protocol repeats pictures; each is counted once.
        many = [encode_image(Image.new("RGB", (8, 8), (shade, 0, 0)), "PNG") for shade in range(9)]
        if route == GUARDRAIL:  # blocked with a reason: a proxy may be told to go on after errors
            assert is_refused(send_question(client, route, LOOK, *many))
        else:
            assert read_error(send_question(client, route, LOOK, *many)) == (400, "too_many_images")
        assert not is_refused(send_question(client, route, LOOK, *many[:8]))


def test_several_images_are_all_that_the_model_reads(nano: TestClient, guard: Guard) -> None:
    with record_model_inputs(guard) as seen:
        assert not is_refused(
            send_question(nano, ANSWERING[0], LOOK, SCENE, encode_image(Image.new("RGB", (9, 9)), "PNG"), SCENE)
        )
    ((prompt, given),) = seen.read
    assert len(seen.projected) == 2  # of equal files only one goes through the tower
    assert given is not None
    assert torch.equal(given.projected_BPD, seen.projected[[0, 1, 0]])
    assert prompt.count(guard.model.backbone.config.image_token_id) == 3


@pytest.mark.parametrize("route", ROUTES)
def test_several_images_and_one_that_gets_lost(nano: TestClient, guard: Guard, route: str) -> None:
    """As many are scanned as were sent, or there is no verdict, and no word of the model."""
    encode = guard.model.encode_images
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard.model, "encode_images", lambda pixels: encode(pixels)[:-1])
        response = send_question(nano, route, LOOK, SCENE, WEAPON)
    if route not in ANSWERING:
        assert read_error(response) == (503, "no_verdict")
        return
    body = response.json()
    found = body.get("safevlm", body)
    assert (found["decision"], found["images_received"], found["images_scanned"]) == ("refused", 2, 0)
    said = [choice["message"]["content"] for choice in body.get("choices", ())] or [body["content"]]
    assert said == [None]
    assert not is_refused(send_question(nano, route, LOOK, SCENE))
