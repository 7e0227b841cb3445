"""API keys: who may call what, how often, and how many at a time. Only digests are ever kept.

A key is a random string; its SHA-256 stands in a YAML file or in the environment, so neither gives it away::

    keys:
      - name: web-shop
        sha256: 3a6e…
        scopes: [chat, classify]
        requests_per_minute: 600
        max_concurrent: 16
        policies: [strict, default]

``safevlm-serve new-key NAME`` makes one. Knows no HTTP.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from safety_core.errors import ConfigError
from safety_core.files import require_plain, why_unreadable
from safety_core.yaml_documents import parse_document
from service.hot_reload import UnreadableFileError

_PREFIX = "sk-safevlm-"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Scope(StrEnum):
    """What a key may be good for."""

    CHAT = "chat"
    CLASSIFY = "classify"
    METRICS = "metrics"


_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class ApiKey(BaseModel):
    """One key, by its digest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name = Field(description="Stands in logs and metrics; the key itself never does.")
    sha256: str
    scopes: frozenset[Scope] = frozenset({Scope.CHAT, Scope.CLASSIFY})
    requests_per_minute: int | None = Field(default=None, ge=1)
    max_concurrent: int | None = Field(default=None, ge=1)
    policies: tuple[str, ...] = Field(default=(), description="Those that it may choose; the first where it does not.")

    @field_validator("sha256")
    @classmethod
    def _is_digest(cls, value: str) -> str:
        if not _SHA256.fullmatch(value):
            raise ValueError("64 lower-case hexadecimal digits are needed")
        if value == compute_digest(""):  # of a variable that was not set: whoever brings no key would have this one
            raise ValueError("this is the digest of nothing")
        return value


class _KeyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[ApiKey, ...]


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys that are in force."""

    keys: tuple[ApiKey, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.keys)

    def find(self, presented: str) -> ApiKey | None:
        """The key that was presented, if it is one; takes equally long whichever it is, and whether or not it is."""
        digest = compute_digest(presented)
        found = None
        for key in self.keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found


def compute_digest(key: str) -> str:
    """What is kept of a key. A slow hash would protect guessable secrets; these are 256 random bits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def generate_key() -> str:
    """A key that nobody has yet."""
    return _PREFIX + secrets.token_urlsafe(32)


def parse_keys(text: str, source: str) -> KeySet:
    """Keys from YAML.

    Args:
        text: a mapping with ``keys``, or their list alone; nothing but comments is a list without any.
        source: name for errors.

    Raises:
        ConfigError: it is malformed, with its line, or two keys share a name or a digest.
    """
    document = parse_document(text, source)
    if document.data is None:  # emptied on purpose, perhaps: then nobody has a key
        return KeySet()
    listed = isinstance(document.data, list)
    try:
        keys = _KeyFile.model_validate({"keys": document.data} if listed else document.data).keys
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        place = [str(part) for part in error["loc"]]
        raise document.create_error(place[1:] if listed else place, error["msg"]) from exc
    for field_name in ("name", "sha256"):
        values = [getattr(key, field_name) for key in keys]
        if len(set(values)) != len(values):
            raise ConfigError(f"{source}: two keys have the same {field_name}")
    return KeySet(keys)


def read_keys(file: Path | None, text: str | None) -> KeySet:
    """Keys of a file and of a setting together; raises ConfigError, UnreadableFileError where there is no file."""
    found: list[ApiKey] = []
    if file is not None:
        try:
            require_plain(file)
            content = file.read_text(encoding="utf-8-sig")
        except OSError as exc:
            raise UnreadableFileError(f"SAFEVLM_API_KEYS_FILE: {file} {why_unreadable(exc)}") from exc
        except ValueError as exc:
            raise ConfigError(f"SAFEVLM_API_KEYS_FILE: {file} {why_unreadable(exc)}") from exc
        found += parse_keys(content, "api_keys_file").keys
    if text:
        found += parse_keys(text, "api_keys").keys
    names = [key.name for key in found]
    if len(set(names)) != len(names):
        raise ConfigError("api_keys: a name stands in the file too")
    return KeySet(tuple(found))


@dataclass(slots=True)
class _Use:
    """How much of its allowance a key has left."""

    tokens: float
    at: float
    running: int = 0


@dataclass(slots=True)
class RateLimiter:
    """Rate and concurrency of each key: a bucket that a minute's requests fill, and a count. For one event loop.

    Attributes:
        clock: seconds that only grow.
    """

    clock: Callable[[], float] = time.monotonic
    _uses: dict[str, _Use] = field(default_factory=dict)

    def take(self, key: ApiKey) -> float | None:
        """Take one request's share; None if there was one, else the seconds until there is."""
        if key.requests_per_minute is None:
            return None
        use, now, rate = self._use(key), self.clock(), key.requests_per_minute / 60
        use.tokens = min(float(key.requests_per_minute), use.tokens + (now - use.at) * rate)
        use.at = now
        if use.tokens < 1:
            return (1 - use.tokens) / rate
        use.tokens -= 1
        return None

    @contextmanager
    def hold_slot(self, key: ApiKey) -> Iterator[bool]:
        """Hold one of the places that a key has; False where it has none left."""
        use = self._use(key)
        free = key.max_concurrent is None or use.running < key.max_concurrent
        use.running += free
        try:
            yield free
        finally:
            use.running -= free

    def keep_only(self, keys: Sequence[ApiKey]) -> None:
        """Forget keys that are gone, unless they are still running."""
        names = {key.name for key in keys}
        self._uses = {name: use for name, use in self._uses.items() if name in names or use.running}

    def _use(self, key: ApiKey) -> _Use:
        full = float(key.requests_per_minute or 0)
        return self._uses.setdefault(key.name, _Use(full, self.clock()))


def format_key_entry(name: str, key: str, scopes: Sequence[str]) -> str:
    """The entry of a new key, as the file wants it."""
    entry: Mapping[str, Any] = {"name": name, "sha256": compute_digest(key), "scopes": [str(scope) for scope in scopes]}
    return yaml.safe_dump([entry], sort_keys=False)
