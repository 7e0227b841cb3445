"""Forms are read as they arrive: what is too much is never read to its end; framings of all clients are understood."""

import asyncio
import tempfile
from functools import partial

import pytest
from python_multipart.exceptions import FormParserError

from safety_core.errors import InputError
from service.ingress.body import BodyLimits, read_body
from service.ingress.multipart import MultipartForm, _PartReader, read_form
from tests.helpers.requests.request_bodies import BOUNDARY, SMALL_BODY, catch_error_code, create_request


def part(name: str, data: bytes, *, file: bool = False) -> bytes:
    disposition = f'form-data; name="{name}"' + ('; filename="f"' if file else "")
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n"
    return head.encode() + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def form_of(body: bytes, limits: BodyLimits = SMALL_BODY) -> MultipartForm:
    return asyncio.run(read_form(create_request([body]), limits))


def test_texts_and_files_are_read_whatever_the_chunks() -> None:
    body = part("prompt", "grüße\r\n--edg".encode()) + part("image", b"\x00\r\n\xff", file=True) + END
    for size in (1, 7, len(body)):
        made = create_request([body[i : i + size] for i in range(0, len(body), size)])
        form = asyncio.run(read_form(made, SMALL_BODY))
        assert form.texts == {"prompt": "grüße\r\n--edg"}
        assert form.files == [("image", b"\x00\r\n\xff")]


def test_urls_of_images_may_be_several_where_a_form_takes_them() -> None:
    body = part("image_url", b"https://a") + part("image", b"x", file=True) + part("prompt", b"hi")
    form = asyncio.run(read_form(create_request([body + END]), SMALL_BODY, with_urls=True))
    assert (form.image_urls, form.texts, form.files) == (["https://a"], {"prompt": "hi"}, [("image", b"x")])
    two = part("image_url", b"https://a") + part("image_url", "https://ü".encode("latin-1"))
    two += part("_charset_", b"iso-8859-1") + END
    form = asyncio.run(read_form(create_request([two]), SMALL_BODY, with_urls=True))
    assert (form.image_urls, form.texts) == (["https://a", "https://ü"], {})
    assert catch_error_code(lambda: read_form(create_request([two]), SMALL_BODY)) == "invalid_field"


def test_urls_of_images_count_as_files() -> None:
    url, file = part("image_url", b"https://a"), part("image", b"x", file=True)
    for body in (3 * url, url + 2 * file, 2 * file + url):
        read = partial(read_form, create_request([body + END]), SMALL_BODY, with_urls=True)
        assert catch_error_code(read) == "too_many_images"


def test_an_undeclared_length_is_counted() -> None:
    made = create_request([part("image", b"x" * 300, file=True)] * 50)
    assert catch_error_code(lambda: read_body(made, SMALL_BODY)) == "body_too_large"
    assert made.state.taken <= 4
    streamed = create_request([part("prompt", b"x" * 300)] + [b"x" * 300] * 50)
    assert catch_error_code(lambda: read_form(streamed, SMALL_BODY)) in ("body_too_large", "body_malformed")
    assert streamed.state.taken <= 4


def test_a_file_is_refused_before_it_is_complete() -> None:
    start = part("image", b"x" * 100, file=True).removesuffix(b"\r\n")
    made = create_request([start] + [b"x" * 100] * 50)
    assert catch_error_code(lambda: read_form(made, SMALL_BODY)) == "image_too_large"
    assert made.state.taken <= 5


def test_files_and_fields_are_counted() -> None:
    assert (
        catch_error_code(lambda: read_form(create_request([part("image", b"", file=True) * 3 + END]), SMALL_BODY))
        == "too_many_images"
    )
    many = b"".join(part(f"f{i}", b"") for i in range(17))
    assert (
        catch_error_code(
            lambda: read_form(
                create_request([many + END]), BodyLimits(max_bytes=10_000, max_file_bytes=1, max_files=1, timeout_s=9)
            )
        )
        == "body_malformed"
    )


@pytest.mark.parametrize("head", [b"A" * 9000 + b": b", b"A: " + b"b" * 9000, b"\r\n".join([b"A: b"] * 4000)])
def test_the_head_of_a_part_is_not_read_to_its_end(head: bytes) -> None:
    parts = [b"--edge\r\n" + head, *[b"x" * 1000] * 50]
    made = create_request(parts)
    limits = BodyLimits(max_bytes=100_000, max_file_bytes=400, max_files=2, timeout_s=20)
    assert catch_error_code(lambda: read_form(made, limits)) == "body_malformed"
    assert made.state.taken <= 2


def test_a_head_is_counted_whatever_the_parser_lets_through() -> None:
    reader = _PartReader(SMALL_BODY)
    for _ in range(2):  # parts
        reader.begin_part()
        for _ in range(4):
            reader.add_header_name(b"x" * 1000, 0, 1000)
            reader.add_header_value(b"x" * 1000, 0, 1000)
    with pytest.raises(FormParserError):
        reader.add_header_value(b"x" * 1000, 0, 1000)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "body_malformed"),
        (b"nonsense", "body_malformed"),
        (part("prompt", b"x"), "body_malformed"),
        (b"--edge\r\nX: y\r\n\r\nz\r\n" + END, "body_malformed"),
        (part("prompt", b"\xff") + END, "invalid_field"),
        (part("prompt", b"a") + part("prompt", b"b") + END, "invalid_field"),
    ],
)
def test_malformed_forms_are_refused(body: bytes, code: str) -> None:
    assert catch_error_code(lambda: read_form(create_request([body]), SMALL_BODY)) == code


WIDE = BodyLimits(max_bytes=100_000, max_file_bytes=4000, max_files=3, timeout_s=20)


def chunked(body: bytes, *, kind: str = f"multipart/form-data; boundary={BOUNDARY}") -> MultipartForm:
    """What is read of a body, whatever its chunks."""
    made = [
        asyncio.run(read_form(create_request([body[i : i + size] for i in range(0, len(body), size)], kind=kind), WIDE))
        for size in (1, 7, len(body))
    ]
    assert made[0] == made[1] == made[2]
    return made[0]


@pytest.mark.parametrize(
    "framed",
    [
        b"This is a message\r\nin many parts - for old readers.\r\n%s",
        b"\r\n\r\n%s",
        b"--edg\r\n--ed ge\r\n%s",
        b"%s\r\nAn epilogue: --edge\r\n--edge--\r\n",
    ],
)
def test_what_stands_around_the_parts_is_left_out(framed: bytes) -> None:
    body = part("prompt", b"x") + part("image", b"y", file=True) + END
    form = chunked(framed.replace(b"%s", body))
    assert (form.texts, form.files) == ({"prompt": "x"}, [("image", b"y")])


def test_blanks_and_missing_line_breaks_are_no_matter() -> None:
    body = part("prompt", b"x").replace(b"--edge\r\n", b"--edge \t \r\n") + part("seed", b"5") + b"--edge--"
    assert chunked(body).texts == {"prompt": "x", "seed": "5"}


@pytest.mark.parametrize(
    "kind", ['multipart/form-data; boundary="edge"', "Multipart/MultipartForm-Data; charset=utf-8; Boundary=edge"]
)
def test_a_boundary_may_be_quoted(kind: str) -> None:
    assert chunked(part("prompt", b"x") + END, kind=kind).texts == {"prompt": "x"}


def headed(head: str, data: bytes = b"x") -> bytes:
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + data + b"\r\n"


@pytest.mark.parametrize(
    "head",
    [
        "Content-Disposition: form-data; name=\"image\"; filename*=utf-8''%E5%86%99.png",
        "Content-Disposition: form-data; filename*=UTF-8'en'a.png; name=image",
        "content-disposition:form-data;name=image;filename=a.png",
        'Content-Disposition: form-data; name="image"; filename="写真.png"; filename*=utf-8\'\'%E5%86%99.png',
        'Content-Disposition: form-data; name="image"; filename*0="a"; filename*1=".png"',
        'Content-Type: image/png\r\nContent-Disposition: form-data; name="image"',
        'Content-Disposition: form-data; name="image"\r\nContent-Type: application/octet-stream',
        'Content-Disposition: form-data; name="image"; filename=""\r\nContent-Length: 1',
        'Content-Disposition: form-data; name="image"; filename="a"\r\nContent-Transfer-Encoding: BINARY',
        "Content-Disposition: form-data; name*=utf-8''image; filename=a",
    ],
)
def test_a_file_is_one_however_it_is_named(head: str) -> None:
    assert chunked(headed(head) + END).files == [("image", b"x")]


def test_names_may_be_escaped() -> None:
    head = 'Content-Disposition: form-data; name="image%5B%5D"; filename="%22.png"'
    assert chunked(headed(head) + END).files == [("image[]", b"x")]
    assert chunked(headed('Content-Disposition: form-data; name="größe"') + END).texts == {"größe": "x"}


@pytest.mark.parametrize("named", ['; filename=""', ""])
def test_a_file_that_nobody_chose_is_none(named: str) -> None:
    unchosen = headed(
        f'Content-Disposition: form-data; name="image"{named}\r\nContent-Type: application/octet-stream', b""
    )
    assert chunked(unchosen * 2 + part("prompt", b"x") + END) == MultipartForm(texts={"prompt": "x"})
    full = unchosen + part("image", b"y", file=True) * 3 + unchosen
    assert len(chunked(full + END).files) == 3
    assert (
        catch_error_code(
            lambda: read_form(create_request([full.replace(b"\r\n\r\n\r\n", b"\r\n\r\nz\r\n") + END]), WIDE)
        )
        == "too_many_images"
    )
    assert catch_error_code(lambda: read_form(create_request([unchosen * 200 + END]), WIDE)) == "body_malformed"


@pytest.mark.parametrize(
    "charset", ["utf-8", "UTF-8", '"utf-8"', "iso-8859-1", "windows-1252", "utf-16", "utf-16le", "gb18030"]
)
def test_a_text_is_read_in_its_encoding(charset: str) -> None:
    data = "grüße".encode(charset.strip('"'))
    head = f'Content-Disposition: form-data; name="prompt"\r\nContent-Type: text/plain; charset={charset}'
    assert chunked(headed(head, data) + END).texts == {"prompt": "grüße"}
    usual = part("prompt", data) + part("_charset_", charset.strip('"').encode()) + END
    assert chunked(usual).texts == {"prompt": "grüße"}


@pytest.mark.parametrize("charset", ["rot13", "utf-7", "unicode_escape", "idna", "zlib", "nonsense"])
def test_other_encodings_are_refused(charset: str) -> None:
    head = f'Content-Disposition: form-data; name="prompt"\r\nContent-Type: text/plain; charset={charset}'
    for body in (headed(head), part("_charset_", charset.encode()) + part("prompt", b"x")):
        assert catch_error_code(partial(read_form, create_request([body + END]), SMALL_BODY)) == "invalid_field"


@pytest.mark.parametrize(
    ("encoding", "data"),
    [("base64", b"Z3LD\r\nvMOfZQ=="), ("Quoted-Printable", b"gr=C3=BC=C3=\r\n=9Fe"), ("8bit", "grüße".encode())],
)
def test_a_transfer_encoding_is_undone(encoding: str, data: bytes) -> None:
    head = f'Content-Disposition: form-data; name="prompt"\r\nContent-Transfer-Encoding: {encoding}'
    assert chunked(headed(head, data) + END).texts == {"prompt": "grüße"}


@pytest.mark.parametrize(
    "body",
    [
        (part("prompt", b"x") + END).replace(b"\r\n", b"\n"),  # read by lines it would lose every part
        headed("Content-Transfer-Encoding: uuencode\r\nContent-Disposition: form-data; name=a") + END,
        headed("Content-Transfer-Encoding: base64\r\nContent-Disposition: form-data; name=a", b"!") + END,
        b"--edgeX\r\n" + part("prompt", b"x") + END,
        b"--edge" + b" " * 100 + b"\r\n" + part("prompt", b"x") + END,
        b"x\r\n" * 5000 + part("prompt", b"x") + END,
        headed("Content-Disposition: form-data; filename*=utf-8''a") + END,
        b"--edge",
        b"--edge\r",
    ],
)
def test_other_framings_are_refused_and_lose_nothing_in_silence(body: bytes) -> None:
    for size in (64, len(body)):
        made = create_request([body[i : i + size] for i in range(0, len(body), size)])
        assert catch_error_code(partial(read_form, made, WIDE)) == "body_malformed"


@pytest.mark.parametrize(
    "body",
    [
        (part("prompt", b"x") + END).replace(b"\r\n", b"\n"),
        part("prompt", b"x").replace(b"\r\n\r\n", b"\n\n") + END,
        headed('Content-Disposition: form-data;\r\n name="prompt"') + END,
        headed('Content-Disposition: form-data;\r\n\tname="prompt"') + END,
        headed('Content-Disposition: form-data; name="prompt"\r\nX-Note: a\r\n  b') + END,
    ],
)
def test_a_framing_that_is_not_read_is_told_what_it_lacks(body: bytes) -> None:
    with pytest.raises(InputError, match="must end with CRLF, and headers must not be folded") as caught:
        form_of(body, WIDE)
    assert caught.value.code == "body_malformed"


def test_a_boundary_is_needed() -> None:
    for kind in ("multipart/form-data", f"multipart/form-data; boundary={'x' * 300}"):
        made = create_request([END], kind=kind)
        assert catch_error_code(partial(read_form, made, SMALL_BODY)) == "body_malformed"


def test_files_never_touch_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object, **kwargs: object) -> None:
        raise AssertionError("a temporary file was opened")

    for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refused)
    limits = BodyLimits(max_bytes=9_000_000, max_file_bytes=5_000_000, max_files=2, timeout_s=20)
    form = form_of(part("image", b"x" * 4_000_000, file=True) + END, limits)
    assert len(form.files[0][1]) == 4_000_000
