"""Which policy a request is judged by, and in which language it is answered.

A key's own list of policies comes before the file's ``selectable``; a request may name one of them, else the first
counts. Knows no decision.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

from fastapi import Request

from safety_core.engine.messages import GuardInfo
from safety_core.errors import ConfigError, InputError, NoVerdictError, SafeVLMError
from safety_core.files import require_plain, why_unreadable
from safety_core.model.spec import POLICY_FILE, read_spec
from safety_core.policy.book import DEFAULT_POLICY, ActivePolicy, PolicyBook
from safety_core.policy.documents import load_policy
from safety_core.policy.loader import read_book
from safety_core.policy.policy import Policy
from safety_core.taxonomy import Taxonomy
from service.access.api_keys import ApiKey, KeySet
from service.container import service_of
from service.settings import Settings
from service.telemetry.request_record import record_of

_logger = logging.getLogger(__name__)

_MAX_LANGUAGES = 16
"""Of ``Accept-Language``; people speak fewer."""

_MAX_TAG = 64
"""Characters of a language; every part of it is looked for, so a header full of them would take seconds."""


def rules_for(request: Request, *, policy: str | None, language: str | None) -> ActivePolicy:
    """What a request is judged and answered by.

    Args:
        request: the HTTP request, for its key and its ``Accept-Language``.
        policy: the policy that it names.
        language: the language that it names, before those of the header.

    Raises:
        InputError: ``policy_not_allowed``; whether there is such a policy is not told.
        NoVerdictError: the key's policy is not in the file any more.
    """
    book, choices = service_of(request).policies.content, choices_of(request)
    name = policy or choices[0]
    if name not in choices:
        raise InputError("This policy cannot be chosen.", code="policy_not_allowed", param="policy")
    if name not in book.policies:
        raise NoVerdictError("the policy of an API key is not there")
    spoken = [language] if language else accepted_languages(request.headers.get("accept-language", ""))
    rules = book.select(name, spoken)
    record_of(request).set_policy(rules.name, book.version)
    return rules


def choices_of(request: Request) -> tuple[str, ...]:
    """Names of the policies that a request may choose, first the one that it gets without a choice."""
    book, key = service_of(request).policies.content, getattr(request.state, "api_key", None)
    theirs = key.policies if isinstance(key, ApiKey) else ()
    return theirs or (DEFAULT_POLICY, *sorted(book.selectable - {DEFAULT_POLICY}))


def accepted_languages(header: str) -> list[str]:
    """Tags of an ``Accept-Language`` header, the preferred one first (RFC 9110, section 12.5.4)."""
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
    """The operator's policies, over the checkpoint's own.

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
    """Read the operator's policies over the checkpoint's text files alone: loading its model may take minutes.

    Raises:
        ConfigError: the file is malformed, or cannot be read.
    """
    if settings.policy is None:
        return
    try:
        taxonomy = read_spec(settings.checkpoint).taxonomy
        base = load_policy(settings.checkpoint / POLICY_FILE, taxonomy)
    except SafeVLMError:  # loading the checkpoint says more about what is wrong with it
        return
    _read_overlay(settings.policy, base, taxonomy)


def _read_overlay(file: Path, base: Policy, taxonomy: Taxonomy) -> PolicyBook:
    """The policies in a file over the checkpoint's own; raises ConfigError if it is malformed or cannot be read."""
    try:
        require_plain(file)
    except OSError as exc:
        raise ConfigError(f"SAFEVLM_POLICY: {file} {why_unreadable(exc)}") from exc
    return read_book(file, base, taxonomy)


def lost_policies(keys: KeySet, book: PolicyBook) -> list[str]:
    """What is wrong between keys and policies: a key names one that is not there."""
    return [
        f"the key {key.name} names the policy {name}, which is not there"
        for key in keys.keys
        for name in key.policies
        if name not in book.policies
    ]


def check_policies(keys: KeySet, book: PolicyBook) -> None:
    """Refuse to start where a key names a policy that is not there; raises ConfigError."""
    lost = lost_policies(keys, book)
    if lost:
        raise ConfigError(lost[0])


def complain(lost: Iterable[str]) -> None:
    """Say what is wrong between keys and policies, after one of them was read anew; such requests fail."""
    for problem in lost:
        _logger.error("%s", problem)
