"""Reads the settings from the environment, once, when a server starts.

An unknown variable with our prefix is an error, because a typing mistake could leave the guard weaker than its operator
believes. Variables that Kubernetes sets for services are ignored.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from safety_core.errors import ConfigError
from service.settings.settings import PREFIX, Settings

_ADDRESS = r"[0-9.]{7,15}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
_NUMBER = r"[0-9]{1,5}"
_SERVICE_LINKS = tuple(
    (re.compile(rf"[A-Z0-9_]+_{name}"), re.compile(value))
    for name, value in (
        ("SERVICE_HOST", _ADDRESS),
        ("SERVICE_PORT(?:_[A-Z0-9_]+)?", _NUMBER),
        (r"PORT(?:_[0-9]{1,5}_(?:TCP|UDP|SCTP))?", rf"(?:tcp|udp|sctp)://(?:{_ADDRESS}|\[[0-9A-Fa-f:.]+\]):{_NUMBER}"),
        ("PORT_[0-9]{1,5}_(?:TCP|UDP|SCTP)_ADDR", _ADDRESS),
        ("PORT_[0-9]{1,5}_(?:TCP|UDP|SCTP)_PORT", _NUMBER),
        ("PORT_[0-9]{1,5}_(?:TCP|UDP|SCTP)_PROTO", "tcp|udp|sctp"),
    )
)
"""Names and values of the variables that Kubernetes sets in a pod for each service in its namespace."""


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigError: a value is malformed, or a variable with our prefix is not a setting. The message names variables,
            never values.
    """
    known = {PREFIX + name.upper(): name for name in Settings.model_fields}
    links = set(_find_service_links(os.environ))
    unknown = sorted(
        name
        for name in os.environ
        if name.upper().startswith(PREFIX) and name.upper() not in known and name not in links
    )
    if unknown:
        raise ConfigError(f"unknown settings: {', '.join(_suggest_name(name, known) for name in unknown)}")
    try:
        # A service link with the name of a setting is overridden: arguments have priority over the environment.
        return Settings(**{known[name]: Settings.model_fields[known[name]].default for name in links & known.keys()})
    except ValidationError as exc:
        problems = [f"{PREFIX}{str(error['loc'][0]).upper()}: {_describe_error(error)}" for error in exc.errors()]
        raise ConfigError("; ".join(problems)) from exc


def _find_service_links(environment: Mapping[str, str]) -> Iterator[str]:
    """Names of the variables that Kubernetes and Docker set for services whose names begin like our settings.

    For a service ``safevlm-guard`` these are ``SAFEVLM_GUARD_SERVICE_HOST``, ``SAFEVLM_GUARD_PORT=tcp://10.0.0.1:8000``,
    ``SAFEVLM_GUARD_PORT_8000_TCP_ADDR`` and others. One that has the name of a setting, such as ``SAFEVLM_PORT`` of a
    service ``safevlm``, is recognised by its value.
    """
    for name, value in environment.items():
        if name.startswith(PREFIX) and any(
            of_name.fullmatch(name) and of_value.fullmatch(value) for of_name, of_value in _SERVICE_LINKS
        ):
            yield name


def _describe_error(error: ErrorDetails) -> str:
    """Describe why a value is invalid; with our own validator's message if it rejected the value."""
    return str(error.get("ctx", {}).get("error") or error["msg"])


def _suggest_name(name: str, known: Iterable[str]) -> str:
    """A name, with the most similar known one, if there is any."""
    nearest = get_close_matches(name.upper(), list(known), n=1, cutoff=0.75)
    return f"{name} (did you mean {nearest[0]}?)" if nearest else name
