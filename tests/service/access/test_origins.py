"""Host names and origins as clients write them."""

import pytest

from service.access.origins import (
    AllowedHosts,
    is_same_origin,
    parse_authority,
    parse_origin,
    serialize_origin,
)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("LocalHost:8000", "localhost", 8000),
        ("localhost.", "localhost", None),
        ("localhost:", "localhost", None),
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("[::1]:8000", "::1", 8000),
        ("[0:0:0:0:0:0:0:1]", "::1", None),
        ("[::ffff:127.0.0.1]", "127.0.0.1", None),
        ("guard_1.default.svc.cluster.local", "guard_1.default.svc.cluster.local", None),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", None),
    ],
)
def test_a_host_has_one_form(text: str, host: str, port: int | None) -> None:
    assert parse_authority(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "a..b", "a b", "a,b", "a/b", "user@localhost", "localhost@evil.example", "localhost:80:80",
        "localhost:x", "localhost:65536", "localhost:-1", "localhost:+1", "localhost:٣", "[::1", "::1", "[::1]a",
        "[fe80::1%25eth0]", "[fe80::1%eth0]", "[]", "[127.0.0.1]", "bücher.example", "a" * 64, "a." * 130 + "a", "-a",
        "localhost\n", "localhost\0",
    ],
)  # fmt: skip
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a (host|port)$"):
        parse_authority(text)


def test_loopback_is_what_no_name_server_can_point_elsewhere() -> None:
    hosts = AllowedHosts()
    for host in ("localhost", "127.0.0.1", "127.255.1.2", "::1"):
        assert hosts.allows(host)
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "10.0.0.1", "127.1",
                 "2130706433", "0x7f000001", "a.localhost", "guard"):  # fmt: skip
        assert not hosts.allows(host), host


def test_names_that_an_operator_allows() -> None:
    hosts = AllowedHosts(frozenset({"guard.example", "*.lan", "10.0.0.1"}))
    for host in ("guard.example", "a.lan", "a.b.lan", "10.0.0.1", "localhost"):
        assert hosts.allows(host), host
    for host in ("lan", "a.guard.example", "xlan", "guard.example.evil", "10.0.0.2"):
        assert not hosts.allows(host), host
    assert AllowedHosts(frozenset({"*"})).allows("anything.example")


@pytest.mark.parametrize(
    ("origin", "authorities", "scheme", "same"),
    [
        ("http://guard.lan", ["guard.lan"], None, True),
        ("https://Guard.LAN", ["guard.lan:443"], None, True),
        ("https://guard.lan:443", ["guard.lan"], None, True),
        ("http://guard.lan:80", ["GUARD.lan."], None, True),
        ("http://[::1]:8000", ["[0::1]:8000"], None, True),
        ("http://guard.lan", ["127.0.0.1:8000", "guard.lan"], "http", True),
        ("https://guard.lan", ["guard.lan"], "http", False),
        ("http://guard.lan", ["guard.lan:8000"], None, False),
        ("http://guard.lan:8000", ["guard.lan"], None, False),
        ("http://evil.example", ["guard.lan"], None, False),
        ("http://guard.lan.evil.example", ["guard.lan"], None, False),
        ("http://guard.lan@evil.example", ["guard.lan"], None, False),
        ("null", ["null"], None, False),
        ("", [""], None, False),
        ("file://", [""], None, False),
        ("guard.lan", ["guard.lan"], None, False),
        ("http://guard.lan/", ["guard.lan"], None, False),
    ],
)
def test_same_origin(origin: str, authorities: list[str], scheme: str | None, same: bool) -> None:
    assert is_same_origin(origin, authorities, scheme) is same


def test_an_origin_is_written_as_browsers_write_it() -> None:
    for text in ("https://app.example.org", "http://app.example.org:8080", "http://[::1]:3000"):
        assert serialize_origin(*parse_origin(text.upper())) == text
    assert serialize_origin(*parse_origin("https://app.example.org:443")) == "https://app.example.org"
