"""Checks the address and the key of an endpoint before anything is sent to it. Opens no connection."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from safety_core.errors import ConfigError

LONGEST_KEY = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The base of an endpoint's paths."""

    base: str
    """URL without a slash at its end, to which paths such as ``/chat/completions`` are appended."""

    is_local: bool
    """Whether it is on this machine."""


def parse_address(url: str) -> Address:
    """Check an endpoint's URL: the base URL as OpenAI's clients take it; ``/v1`` is added to one without a path.

    Raises:
        ConfigError: it is no http or https URL, or contains a user name, a password, a query or a fragment, where
            secrets may be, since the URL is written into the run's files.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError("--endpoint: the URL is malformed") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError("--endpoint: a URL that begins with http:// or https:// is needed")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigError("--endpoint: a URL without user name, password, query and fragment is needed")
    path = parts.path.rstrip("/") or "/v1"
    return Address(base=f"{parts.scheme}://{parts.netloc}{path}", is_local=_is_local(host))


def read_key(variable: str, address: Address) -> str | None:
    """Read an API key from an environment variable; None if the variable is not set or empty.

    Raises:
        ConfigError: the key cannot be sent as a header, or would leave this machine unencrypted.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        return None
    if len(key) > LONGEST_KEY or not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ConfigError(f"{variable}: the key contains characters that a header cannot contain, or is too long")
    if address.base.startswith("http://") and not address.is_local:
        raise ConfigError(f"{variable}: the key is only sent over https, or to this machine; unset it or use https")
    return key


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
