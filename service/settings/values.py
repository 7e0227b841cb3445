"""Types of settings whose values are checked or normalised: lists, host names, origins, networks, paths and choices."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationInfo
from pydantic_settings import NoDecode

from safety_core.cli.common import find_checkpoint
from service.access.addresses import TrustedProxies, is_loopback_interface
from service.access.origins import ANY_HOST, parse_authority, parse_origin, serialize_origin

_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def split_at_commas(value: object) -> object:
    """Split a string at its commas, and drop empty entries."""
    return [entry.strip() for entry in value.split(",") if entry.strip()] if isinstance(value, str) else value


def lower_case(value: object) -> object:
    """Convert a string to lower case."""
    return value.lower() if isinstance(value, str) else value


def require_path(value: object) -> object:
    """Reject an empty path, which would be the working directory."""
    if value == "":
        raise ValueError("expected a path; do not set the variable if there is none")
    return value


def check_root_path(value: str) -> str:
    """Check a path prefix."""
    if value and not _ROOT_PATH.fullmatch(value):
        raise ValueError("expected a path such as /guard, without a trailing slash")
    return value


def normalise_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Convert host names to the form that requests are compared with."""
    return tuple(_normalise_host(host) for host in hosts)


def _normalise_host(host: str) -> str:
    """Convert one host name, which may begin with ``*.``; a port is ignored."""
    if host == ANY_HOST:
        return host
    wildcard = "*." if host.startswith("*.") else ""
    name = host.removeprefix(wildcard)
    try:
        return wildcard + parse_authority(f"[{name}]" if name.count(":") > 1 and "[" not in name else name).host
    except ValueError as exc:
        raise ValueError("expected host names or addresses, without a scheme") from exc


def normalise_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Convert origins to the form in which browsers send them."""
    try:
        return tuple(serialize_origin(*parse_origin(origin)) for origin in origins)
    except ValueError as exc:
        raise ValueError("expected origins such as https://app.example.org") from exc


def check_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    """Check addresses and networks."""
    try:
        TrustedProxies(networks)
    except ValueError as exc:
        raise ValueError("expected addresses or networks such as 10.0.0.0/8") from exc
    return networks


def check_comparison(value: bool, info: ValidationInfo) -> bool:
    """Reject the comparison where other machines could reach it, or where nothing could show it or reply."""
    if value and not is_loopback_interface(info.data.get("host", "")):
        raise ValueError("unguarded replies are for this machine only: set SAFEVLM_HOST to a loopback address")
    if value and (info.data.get("trusted_proxies") or info.data.get("root_path")):
        raise ValueError(
            "unguarded replies are not served through a proxy: unset SAFEVLM_TRUSTED_PROXIES and SAFEVLM_ROOT_PATH"
        )
    if value and not info.data.get("playground", False):
        raise ValueError("only the playground shows unguarded replies: set SAFEVLM_PLAYGROUND=true")
    if value and info.data.get("mode") != "chat":
        raise ValueError("a server that only judges cannot reply: set SAFEVLM_MODE=chat")
    return value


TextList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_at_commas)]
"""Strings, separated by commas."""

HostList = Annotated[TextList, AfterValidator(normalise_hosts)]
"""Host names, normalised."""

OriginList = Annotated[TextList, AfterValidator(normalise_origins)]
"""Browser origins, normalised."""

NetworkList = Annotated[TextList, AfterValidator(check_networks)]
"""Addresses and networks."""

RootPath = Annotated[str, AfterValidator(check_root_path)]
"""Path prefix, or an empty string."""

OptionalPath = Annotated[Path | None, BeforeValidator(require_path)]
"""Path of a file, or None."""

CheckpointPath = Annotated[Path, BeforeValidator(require_path), AfterValidator(find_checkpoint)]
"""Path of a checkpoint directory; the default is found from any working directory."""

Comparison = Annotated[bool, AfterValidator(check_comparison)]
"""Whether unguarded replies are shown; checked against the settings before it."""

LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lower_case)]
"""Severity of log lines."""

LogFormat = Literal["json", "text"]
"""Format of log lines."""

LogFormatSetting = Annotated[LogFormat, BeforeValidator(lower_case)]

RefusalIn = Literal["refusal", "content", "both"]
"""Field of an OpenAI-style message that carries a refusal."""

Untrained = Literal["no", "yes-serve-although-nothing-is-guarded"]
"""Whether a checkpoint may be served whose safety modules were never trained."""
