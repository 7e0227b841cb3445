"""The operator's policies: reads the file, checks it against the API keys, and lists what a request may choose."""

import logging
from pathlib import Path

from safety_core.engine.guard_info import GuardInfo
from safety_core.errors import ConfigError, SafeVLMError
from safety_core.files import describe_read_error, require_plain
from safety_core.model.spec import POLICY_FILE, read_spec
from safety_core.policy.documents import load_policy
from safety_core.policy.loader import read_book
from safety_core.policy.named_policies import DEFAULT_POLICY, PolicyBook
from safety_core.policy.policy import Policy
from safety_core.taxonomy import Taxonomy
from service.access.api_keys import ApiKey, KeySet
from service.settings import Settings

_logger = logging.getLogger(__name__)

_MAX_LANGUAGES = 16
"""Maximum languages of ``Accept-Language`` that are read."""

_MAX_TAG = 64
"""Maximum characters of a language tag; each part is looked up, so a tag with many parts would take seconds."""


def list_policy_names(key: ApiKey | None, book: PolicyBook) -> tuple[str, ...]:
    """List the policies that a request may choose; the first applies if the request names none.

    Args:
        key: the API key of the request; its own policies precede those that the file makes selectable.
        book: the policies in force.
    """
    if key is not None and key.policies:
        return key.policies
    return (DEFAULT_POLICY, *sorted(book.selectable - {DEFAULT_POLICY}))


def parse_accept_language(header: str) -> list[str]:
    """Parse an ``Accept-Language`` header to its language tags, the preferred one first (RFC 9110, section 12.5.4)."""
    weighed: list[tuple[float, str]] = []
    for entry in header.split(",")[:_MAX_LANGUAGES]:
        tag, _, parameter = entry.partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            weight = float(value) if name.strip().lower() == "q" else 1.0
        except ValueError:
            weight = 0.0
        if 0 < len(tag.strip()) <= _MAX_TAG and weight > 0:
            weighed.append((weight, tag.strip()))
    return [tag for _, tag in sorted(weighed, key=lambda entry: -entry[0])]


def read_policies(settings: Settings, info: GuardInfo) -> PolicyBook:
    """Read the operator's policies, which overlay the checkpoint's own.

    Raises:
        ConfigError: the file is malformed, or cannot be read.
    """
    if settings.policy is None:
        return PolicyBook.create(info.policy)
    book = _read_overlay(settings.policy, info.policy, info.taxonomy)
    for warning in book.warnings:
        _logger.warning("%s", warning)
    return book


def check_policy_file(settings: Settings) -> None:
    """Check the operator's policies with only the checkpoint's text files, because loading its model takes minutes.

    Raises:
        ConfigError: the file is malformed, or cannot be read.
    """
    if settings.policy is None:
        return
    try:
        taxonomy = read_spec(settings.checkpoint).taxonomy
        base = load_policy(settings.checkpoint / POLICY_FILE, taxonomy)
    except SafeVLMError:  # loading the checkpoint reports its error in more detail
        return
    _read_overlay(settings.policy, base, taxonomy)


def _read_overlay(file: Path, base: Policy, taxonomy: Taxonomy) -> PolicyBook:
    """Read policies that overlay the checkpoint's own; raises ConfigError if the file is malformed or unreadable."""
    try:
        require_plain(file)
    except OSError as exc:
        raise ConfigError(f"SAFEVLM_POLICY: {file} {describe_read_error(exc)}") from exc
    return read_book(file, base, taxonomy)


def find_missing_policies(keys: KeySet, book: PolicyBook) -> list[str]:
    """Describe every policy that an API key names and the file does not contain."""
    return [
        f"the key {key.name} names the policy {name}, which does not exist"
        for key in keys.keys
        for name in key.policies
        if name not in book.policies
    ]


def check_policies(keys: KeySet, book: PolicyBook) -> None:
    """Raise ConfigError if an API key names a policy that does not exist."""
    missing = find_missing_policies(keys, book)
    if missing:
        raise ConfigError(missing[0])


def log_missing_policies(keys: KeySet, book: PolicyBook) -> None:
    """Log every policy that is missing after a reload; requests that need it fail."""
    for problem in find_missing_policies(keys, book):
        _logger.error("%s", problem)
