"""API keys: their scopes, limits and policies. Only digests of keys are stored.

A key is a random string; a YAML file or an environment variable holds its SHA-256, from which nobody can compute the
key::

    keys:
      - name: web-shop
        sha256: 3a6e…
        scopes: [chat, classify]
        requests_per_minute: 600
        max_concurrent: 16
        policies: [strict, default]

``safevlm-serve new-key NAME`` creates a key. This module knows no HTTP; ``rate_limit`` enforces the limits of a key.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator

from safety_core.errors import ConfigError
from safety_core.files import describe_read_error, require_plain
from safety_core.strict_yaml import parse_document
from service.hot_reload import UnreadableFileError

_PREFIX = "sk-safevlm-"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Scope(StrEnum):
    """A group of endpoints that a key can grant access to."""

    CHAT = "chat"
    CLASSIFY = "classify"
    METRICS = "metrics"


_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class ApiKey(BaseModel):
    """One key, identified by its digest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name = Field(description="Name of the key in logs and metrics, which never contain the key itself.")
    sha256: str
    scopes: frozenset[Scope] = frozenset({Scope.CHAT, Scope.CLASSIFY})
    requests_per_minute: int | None = Field(default=None, ge=1)
    max_concurrent: int | None = Field(default=None, ge=1)
    policies: tuple[str, ...] = Field(
        default=(), description="Policies that a request may choose; the first one is the default."
    )

    @field_validator("sha256")
    @classmethod
    def _check_digest(cls, value: str) -> str:
        if not _SHA256.fullmatch(value):
            raise ValueError("expected 64 lower-case hexadecimal digits")
        if value == compute_digest(""):  # from an unset shell variable: requests without a key would match it
            raise ValueError("this is the digest of the empty string")
        return value


class _KeyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[ApiKey, ...]


class _KeyList(RootModel[tuple[ApiKey, ...]]):
    """A key file that is a bare list, without the field ``keys``."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The valid keys."""

    keys: tuple[ApiKey, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.keys)

    def find(self, presented: str) -> ApiKey | None:
        """Find the key with the digest of ``presented``, in a time that does not depend on the result."""
        digest = compute_digest(presented)
        match = None
        for key in self.keys:
            if hmac.compare_digest(key.sha256, digest):
                match = key
        return match


def compute_digest(key: str) -> str:
    """SHA-256 of a key in hexadecimal. A slow hash is unnecessary, because keys have 256 random bits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def generate_key() -> str:
    """Generate a random key."""
    return _PREFIX + secrets.token_urlsafe(32)


def parse_keys(text: str, source: str) -> KeySet:
    """Parse keys from YAML.

    Args:
        text: a mapping with the field ``keys``, or a bare list of keys; an empty document contains no keys.
        source: name of the document in error messages.

    Raises:
        ConfigError: the document is malformed (the message has the line and the field), or two keys share a name or a
            digest.
    """
    document = parse_document(text, source)
    if document.data is None:  # the file may have been emptied on purpose: no key is valid then
        return KeySet()
    keys = document.parse(_KeyList).root if isinstance(document.data, list) else document.parse(_KeyFile).keys
    for field_name in ("name", "sha256"):
        values = [getattr(key, field_name) for key in keys]
        if len(set(values)) != len(values):
            raise ConfigError(f"{source}: two keys have the same {field_name}")
    return KeySet(keys)


def read_keys(file: Path | None, text: str | None) -> KeySet:
    """Read the keys of the key file and of the setting.

    Raises:
        UnreadableFileError: the file cannot be read.
        ConfigError: the keys are malformed, or two keys have the same name.
    """
    keys: list[ApiKey] = []
    if file is not None:
        try:
            require_plain(file)
            content = file.read_text(encoding="utf-8-sig")
        except OSError as exc:
            raise UnreadableFileError(f"SAFEVLM_API_KEYS_FILE: {file} {describe_read_error(exc)}") from exc
        except ValueError as exc:
            raise ConfigError(f"SAFEVLM_API_KEYS_FILE: {file} {describe_read_error(exc)}") from exc
        keys += parse_keys(content, "api_keys_file").keys
    if text:
        keys += parse_keys(text, "api_keys").keys
    names = [key.name for key in keys]
    if len(set(names)) != len(names):
        raise ConfigError("api_keys: the key file has a key of the same name")
    return KeySet(tuple(keys))


def format_key_entry(name: str, key: str, scopes: Sequence[str]) -> str:
    """Format the entry of a key for the key file, as YAML."""
    entry: Mapping[str, Any] = {"name": name, "sha256": compute_digest(key), "scopes": [str(scope) for scope in scopes]}
    return yaml.safe_dump([entry], sort_keys=False)
