"""The head of a request is checked and split, whatever form its target has."""

import pytest

from service.server.rejections import RejectedRequestError
from service.server.request_head import RequestHead, check_head

HOST = (b"host", b"localhost")


def checked(
    target: bytes, *headers: tuple[bytes, bytes], method: str = "GET", version: str = "1.1", keeps_alive: bool = True
) -> RequestHead:
    return check_head(method=method, version=version, target=target, headers=list(headers), keeps_alive=keeps_alive)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", b""),
        (b"/v1/chat?a=%20&b", "/v1/chat", b"a=%20&b"),
        (b"/a%20b/%C3%BC", "/a b/ü", b""),
        (b"http://localhost/healthz", "/healthz", b""),
        (b"HTTPS://LocalHost", "/", b""),
        (b"http://localhost?a=b", "/", b"a=b"),
    ],
)
def test_a_target_is_split_into_path_and_query(target: bytes, path: str, query: bytes) -> None:
    head = checked(target, HOST)
    assert (head.path, head.query) == (path, query)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (b"/a#b", "bad_request"),
        (b"healthz", "bad_request"),
        (b"ftp://localhost/", "bad_request"),
        (b"*", "bad_request"),
        (b"http://elsewhere/", "bad_host"),
        (b"http://user@localhost/", "bad_host"),
    ],
)
def test_a_target_that_names_no_path_of_the_host_is_rejected(target: bytes, code: str) -> None:
    with pytest.raises(RejectedRequestError, match=f"^{code}$"):
        checked(target, HOST)
    assert checked(b"*", HOST, method="OPTIONS").path == "*"


def test_the_body_has_a_length_or_chunks() -> None:
    assert checked(b"/", HOST).body_length == 0
    assert checked(b"/", HOST, (b"content-length", b"12")).body_length == 12
    chunked = (b"transfer-encoding", b" Chunked")
    assert checked(b"/", HOST, chunked).body_length is None
    for codings, version in (
        ([chunked, chunked], "1.1"),
        ([(b"transfer-encoding", b"gzip")], "1.1"),
        ([chunked], "1.0"),
    ):
        with pytest.raises(RejectedRequestError, match="transfer_encoding"):
            checked(b"/", HOST, *codings, version=version)


def test_only_http_1_1_keeps_a_connection_and_knows_continue() -> None:
    expecting = (b"expect", b"100-Continue")
    modern, old = checked(b"/", HOST, expecting), checked(b"/", expecting, version="1.0")
    assert (modern.keeps_alive, modern.expects_continue) == (True, True)
    assert (old.keeps_alive, old.expects_continue) == (False, False)
    assert not checked(b"/", HOST, keeps_alive=False).keeps_alive
