"""Checks where a request comes from: its ``Host``, the site of the page that sent it, and the client's address.

Browsers send Basic credentials automatically, also for pages of other sites: requests of such pages are rejected,
unless their origin is allowed.
"""

from starlette.datastructures import Headers
from starlette.types import Scope as Connection

from service.access.addresses import TrustedProxies, is_loopback
from service.access.origins import AllowedHosts, is_same_origin, parse_authority
from service.errors import INVALID, PERMISSION, ErrorReply
from service.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing and run no model."""

_CROSS_SITE = ErrorReply(
    status=403, message="Pages of other sites cannot use this server.", type=PERMISSION, code="cross_site"
)
_BAD_HOST = ErrorReply(
    status=400, message="The request must have exactly one valid Host header.", type=INVALID, code="bad_host"
)
_WRONG_HOST = ErrorReply(
    status=421,
    message="This host name is not allowed; the operator can allow it with SAFEVLM_ALLOWED_HOSTS.",
    type=PERMISSION,
    code="host_not_allowed",
)


class OriginCheck:
    """Checks hosts, sites and client addresses by the settings.

    Args:
        settings: allowed hosts and origins, and trusted proxies.
    """

    def __init__(self, settings: Settings) -> None:
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._origins = frozenset(settings.allowed_origins)
        self._hosts = _create_allowed_hosts(settings)

    def find_client(self, scope: Connection, headers: Headers) -> str:
        """Find the client's address, behind trusted proxies."""
        return self._proxies.find_client(_get_peer(scope), headers.getlist("x-forwarded-for"))

    def check(self, scope: Connection, headers: Headers) -> ErrorReply | None:
        """Return the error for a host or a site that is not allowed; None if there is none."""
        return self._check_host(scope, headers) or self._check_site(scope, headers)

    def _check_host(self, scope: Connection, headers: Headers) -> ErrorReply | None:
        """Check ``Host``, because an attacker can point a domain name at this machine.

        A page of ``evil.example`` could then read all replies (DNS rebinding).
        """
        values, bound = headers.getlist("host"), scope.get("server")
        if not values:  # HTTP/1.0, or a request that did not come from a socket
            return None if self._hosts is None or bound is None else _BAD_HOST
        try:
            (value,) = values
            host = parse_authority(value).host
        except ValueError:
            return _BAD_HOST
        if self._hosts is None or self._hosts.allows(host):
            return None
        # The address of the connection is always allowed: it does not depend on any name server.
        return None if bound is not None and _matches_bound_address(host, str(bound[0])) else _WRONG_HOST

    def _check_site(self, scope: Connection, headers: Headers) -> ErrorReply | None:
        """Check that no page of another site sent the request; old browsers send only ``Origin``."""
        is_preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if scope["method"] in SAFE_METHODS and not is_preflight:
            return None
        origins, fetch_sites = headers.getlist("origin"), headers.getlist("sec-fetch-site")
        if len(origins) == 1 and origins[0].lower() in self._origins:
            return None
        if fetch_sites:
            return None if all(site in ("same-origin", "none") for site in fetch_sites) else _CROSS_SITE
        if not origins:
            return None
        authorities, scheme = headers.getlist("host"), None
        if self._has_trusted_peer(scope):
            # Proxies that do not replace such a header append to it: the last value is the nearest proxy's.
            forwarded = [value.rpartition(",")[2] for value in headers.getlist("x-forwarded-host")[-1:]]
            authorities = authorities + forwarded
            schemes = [value.rpartition(",")[2].strip().lower() for value in headers.getlist("x-forwarded-proto")[-1:]]
            scheme = next((value for value in schemes if value in ("http", "https")), None)
        is_own = len(origins) == 1 and is_same_origin(origins[0], authorities, scheme)
        return None if is_own else _CROSS_SITE

    def _has_trusted_peer(self, scope: Connection) -> bool:
        """Return whether the peer's ``X-Forwarded-Host`` and ``-Proto`` are trusted.

        Those of a proxy on this machine always are: a page of another site cannot set such headers without a
        preflight, and ``Host`` was checked before.
        """
        peer = _get_peer(scope)
        return is_loopback(peer) or self._proxies.includes(peer)


def _create_allowed_hosts(settings: Settings) -> AllowedHosts | None:
    """Create the hosts that are allowed; None allows all."""
    if settings.allowed_hosts:
        return AllowedHosts(frozenset(settings.allowed_hosts))
    if settings.requires_api_keys:
        return None
    try:
        bound = parse_authority(settings.host).host
    except ValueError:
        return AllowedHosts()
    return AllowedHosts(frozenset({bound} - {"0.0.0.0"}))


def _matches_bound_address(host: str, bound: str) -> bool:
    try:
        return host == parse_authority(f"[{bound}]" if ":" in bound else bound).host
    except ValueError:
        return False


def _get_peer(scope: Connection) -> str:
    client = scope.get("client")
    return "" if client is None else str(client[0])
