"""Base64 as people make it, data URLs as their RFC has them, and what is told apart from both."""

import base64
import random
import tracemalloc
from contextlib import suppress
from urllib.parse import quote

import pytest

from safety_core.errors import ImageError
from safety_core.inputs.images.base64_images import classify_source, decode_base64

DATA = bytes(range(256)) + b"\xfb\xff\xbf"  # both alphabets differ in it
TEXT = base64.b64encode(DATA).decode()
URL_SAFE = base64.urlsafe_b64encode(DATA).decode()


def refusal(text: str, *, max_bytes: int = 1000) -> str:
    with pytest.raises(ImageError) as caught:
        decode_base64(text, max_bytes=max_bytes)
    assert caught.value.param == "image"
    assert not text or text not in str(caught.value)
    return caught.value.code


def lines(text: str, end: str) -> str:
    return end.join(text[start : start + 76] for start in range(0, len(text), 76))


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,", "  \n", "\r\ndata:;base64,"])
@pytest.mark.parametrize(
    "text",
    [TEXT, URL_SAFE, lines(TEXT, "\n"), lines(TEXT, "\r\n"), lines(URL_SAFE, "\n\t "), f"{TEXT}\n", f" {TEXT}\r\n\r\n"],
)
def test_base64_is_read_however_it_is_wrapped_and_in_both_alphabets(prefix: str, text: str) -> None:
    assert decode_base64(prefix + text, max_bytes=1000) == DATA


@pytest.mark.parametrize("size", range(1, 9))
def test_padding_may_be_left_out(size: int) -> None:
    text = base64.b64encode(DATA[:size]).decode()
    for written in (text, text.rstrip("="), f"{text.rstrip('=')}\n", f"{text[:2]}\n{text[2:]}"):
        assert decode_base64(written, max_bytes=1000) == DATA[:size]


@pytest.mark.parametrize(
    "head",
    [
        "data:;base64",
        "DATA:Image/PNG;BASE64",
        "data:image/png;charset=utf-8;base64",
        "data:image/png;name=a%2Cb.png;Base64",
        "data: image/png ; base64 ",
        "data:image%2Fpng;base64",
        "data:image/svg+xml;base64",
    ],
)
def test_data_urls_ignore_case_blanks_and_parameters(head: str) -> None:
    assert decode_base64(f"{head},{TEXT}", max_bytes=1000) == DATA


def test_payloads_of_data_urls_may_be_percent_encoded() -> None:
    escaped = quote(lines(TEXT, "\r\n"), safe="")
    assert "%2B" in escaped
    assert "%0D%0A" in escaped
    assert decode_base64(f"data:image/png;base64,{escaped}", max_bytes=1000) == DATA
    everything = "".join(f"%{byte:02x}" for byte in TEXT.encode())
    assert decode_base64(f"data:image/png;base64,{everything}", max_bytes=1000) == DATA


@pytest.mark.parametrize(
    "text",
    [
        "not base64!", "abcde", "é", "AA=A", "AA==AAAA", "AAAA=", "AAA==", "AA=", "=", "====", "A-A+", "_AA/", "AA\0A",
        "%41AAA", "AAAA;", "data:image/png,abc", "data:image/png;base64", "data:;base64;charset=utf-8,AAAA", "data:,",
        "data:;base64,AA%4", "data:;base64,AA%zzA", "data:;base64,AAA%3D%3D", "data:;base64,%25%34%31AAA",
        "data:;base64,AAAA#x", f"data:{'x' * 5000};base64,AAAA", "blob:AAAA", "javascript:AAAA",
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(text: str) -> None:
    assert refusal(text) == "image_encoding"


@pytest.mark.parametrize("text", ["https://example.org/a.png", " HTTP://a", "file:///etc/passwd", "ftp://a/b"])
def test_addresses_are_not_fetched_here(text: str) -> None:
    assert refusal(text) == "image_url"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://a/", "address"), ("HTTP://a/", "address"), ("\n https://a/", "address"), ("https:a", "address"),
        ("data:image/png;base64,AAAA", "data"), (" DATA:,", "data"), ("aHR0cHM6Ly8=", "base64"), ("", "base64"),
        ("ftp://a", "unknown"), ("1:2", "base64"), ("http", "base64"), ("data", "base64"),
    ],
)  # fmt: skip
def test_it_is_decided_in_one_place_what_a_text_is(text: str, kind: str) -> None:
    assert classify_source(text) == kind


def test_length_is_judged_before_anything_is_decoded() -> None:
    assert refusal("!" * 4000) == "image_too_large"
    assert len(decode_base64("A" * 4000, max_bytes=3000)) == 3000
    assert refusal("A" * 4004, max_bytes=3000) == "image_too_large"
    assert decode_base64(lines("A" * 4000, "\n" * 50), max_bytes=3000) == bytes(3000)


@pytest.mark.parametrize("piece", ["\n", "%41", "%", "=", "%3D", "A\n", "A-+", "data:"])
@pytest.mark.parametrize("head", ["", "data:;base64,"])
def test_memory_stays_within_a_few_times_the_text(head: str, piece: str) -> None:
    text = head + piece * (1_000_000 // len(piece))
    tracemalloc.start()
    try:
        decode_base64(text, max_bytes=2_000_000)
    except ImageError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 * len(text)


def test_every_text_is_bytes_or_refused() -> None:
    chance = random.Random(0)
    for _ in range(3000):
        text = "".join(chance.choice("AQgw+/-_=%4 \n,;:d") for _ in range(chance.randrange(12)))
        for written in (text, f"data:;base64,{text}"):
            with suppress(ImageError):  # anything else fails
                decode_base64(written, max_bytes=100)


def test_what_is_read_is_what_the_standard_library_reads() -> None:
    chance = random.Random(1)
    for size in [*range(60), 100_000]:
        data = chance.randbytes(size)
        written = base64.b64encode(data).decode()
        if data:
            assert decode_base64(written, max_bytes=200_000) == base64.b64decode(written, validate=True) == data
        for spoilt in (f"{written}=", f"{written}A", f"{written[:5]}={written[5:]}", f"{written}é", f"{written}\0"):
            with suppress(ImageError):
                packed = spoilt.rstrip("=")
                whole = packed + "=" * (-len(packed) % 4)
                assert decode_base64(spoilt, max_bytes=200_000) == base64.b64decode(whole, validate=True)
