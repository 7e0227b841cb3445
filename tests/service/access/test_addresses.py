"""Addresses of clients, as sockets and proxies write them."""

import pytest

from service.access.addresses import TrustedProxies, derive_client_key, is_loopback, is_loopback_interface


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ([], "10.0.0.1", ["1.2.3.4"], "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", [], "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", ["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", ["6.6.6.6", "1.2.3.4:5678"], "1.2.3.4"),
        (["10.0.0.0/8"], "11.0.0.1", ["1.2.3.4"], "11.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.2.3.4, nonsense"], "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", ["[2001:db8::1]:80"], "2001:db8::1"),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        (["10.0.0.1"], "10.0.0.1", [",".join(["9.9.9.9"] * 10_000)], "9.9.9.9"),
    ],
)
def test_a_forwarded_address_counts_from_trusted_proxies_only(
    trusted: list[str], peer: str, forwarded: list[str], client: str
) -> None:
    assert TrustedProxies(trusted).find_client(peer, forwarded) == client


@pytest.mark.parametrize(
    ("host", "refers_here", "listens_here"),
    [
        ("127.0.0.1", True, True),
        ("127.8.8.8", True, True),
        ("::1", True, True),
        ("::1%lo", True, True),
        ("127.0.0.1%lo", True, False),  # a zone is ignored in a peer's address; listening on this one would fail
        ("localhost", True, True),
        ("::ffff:127.0.0.1", True, False),  # a peer of a dual-stack socket, but no address to listen on
        ("0:0:0:0:0:ffff:7f00:1", True, False),
        ("::ffff:10.0.0.1", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("localhost.example.org", False, False),
        ("", False, False),
    ],
)
def test_a_peer_and_an_interface_of_this_machine_are_told_from_others(
    host: str, refers_here: bool, listens_here: bool
) -> None:
    assert is_loopback(host) is refers_here
    assert is_loopback_interface(host) is listens_here


def test_clients_share_an_ipv4_address_or_an_ipv6_network() -> None:
    assert derive_client_key("1.2.3.4") == derive_client_key("::ffff:1.2.3.4") == "address:1.2.3.4"
    assert (
        derive_client_key("2001:db8:1:2:3::4")
        == derive_client_key("2001:db8:1:2:ffff::")
        == "address:2001:db8:1:2::/64"
    )
    assert derive_client_key("2001:db8:1:3::4") != derive_client_key("2001:db8:1:2::4")
    assert (
        derive_client_key("testclient") == derive_client_key("") == derive_client_key("a" * 1000) == "address:unknown"
    )
