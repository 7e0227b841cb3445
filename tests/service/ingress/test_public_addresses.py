"""Which addresses are public."""

from ipaddress import ip_address

import pytest

from service.ingress.public_addresses import is_public


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:0a00:0001::", False),
        ("2002:5db8:d822::", True),
        ("0.1.2.3", False),
        ("100.127.255.255", False),
        ("192.0.0.8", False),
        ("168.63.129.16", False),
        ("168.63.129.17", True),
        ("192.0.0.170", False),
        ("192.0.2.1", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
        ("198.19.255.255", False),
        ("198.51.100.1", False),
        ("203.0.113.1", False),
        ("239.255.255.250", False),
        ("240.0.0.1", False),
        ("::1", False),
        ("::10.0.0.1", False),
        ("::93.184.216.34", False),
        ("::ffff:0:93.184.216.34", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::5db8:d822", False),
        ("100::1", False),
        ("2001::1", False),
        ("2001:0:5db8:d822::f5ff:fffe", False),
        ("2001:2::1", False),
        ("2001:20::1", False),
        ("2001:db8::1", False),
        ("3fff::1", False),
        ("5f00::1", False),
        ("fc00::1", False),
        ("fec0::1", False),
        ("feff::1", False),
        ("ff02::1", False),
        ("ff0e::1", False),
        ("2606:2800::5efe:10.0.0.1", False),
        ("2606:2800::200:5efe:10.0.0.1", False),
        ("2606:2800::5efe:93.184.216.34", True),
    ],
)
def test_only_addresses_that_are_everybodys_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) == public
