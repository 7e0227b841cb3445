"""The file in which operators own their policies, read field by field, each mistake with its line.

::

    thresholds: {privacy: {3: 0.4}}          # the policy called "default"; what is not named stays as calibrated
    actions: {misleading: {1: allow}}        # allow, caution or refuse
    enabled: {politics: false}               # a type that shall not decide
    refusals: {privacy: "I keep people's secrets."}
    hints: {illegal: {1: "Mind the law."}}   # in place of the checkpoint's, which the model was trained on
    language: en                             # of the texts that are no translations
    translations:
      de: {refusals: {privacy: "Geheimnisse bleiben bei mir."}, fallback_refusal: "Das geht leider nicht."}
    mode: enforce                            # or shadow: decided, counted and logged, but not enforced
    beside: [strict]                         # policies that judge every request too, to be compared by metrics
    policies:
      strict: {thresholds: {privacy: {2: 0.2}}}   # any of the fields above, laid over them
    selectable: [default, strict]            # what a request may name; a key's own list comes before this one

Knows no model and no HTTP.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safety_core.errors import PolicyError
from safety_core.policy.book import DEFAULT_POLICY, Hints, Mode, PolicyBook, Rules
from safety_core.policy.policy import Action, Policy, a_mapping, a_text
from safety_core.taxonomy import Taxonomy
from safety_core.yaml_documents import read_document

_POLICY_FIELDS = ("enabled", "thresholds", "actions", "refusals", "fallback_refusal")
_TEXT_FIELDS = ("refusals", "fallback_refusal", "hints")
_RULES_FIELDS = (*_POLICY_FIELDS, "hints", "language", "translations", "mode", "beside")
_BOOK_FIELDS = (*_RULES_FIELDS, "policies", "selectable")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8}){0,4}")
_MAX_POLICIES = 32
_MAX_BESIDE = 4
_MAX_LANGUAGES = 64
_MAX_TEXT = 1000
"""Characters of a refusal or hint."""

_Place = tuple[str, ...]


def read_book(path: Path, base: Policy, taxonomy: Taxonomy) -> PolicyBook:
    """An operator's policies.

    Args:
        path: the YAML file; an empty one changes nothing.
        base: the checkpoint's own policy, which they are laid over.
        taxonomy: the types and levels that they may speak of.

    Raises:
        ConfigError: the file is malformed; the message has the line at fault.
    """
    document = read_document(path)
    try:
        return _Reader(document.data, base, taxonomy).book()
    except PolicyError as exc:
        raise document.create_error(exc.place, exc.problem) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """One policy of a book, before it is known who judges beside it."""

    spoken: Mapping[str, tuple[Policy, Hints]]
    """Policy and hints by language; its own is the empty one."""

    mode: Mode
    beside: tuple[str, ...]

    @property
    def policy(self) -> Policy:
        return self.spoken[""][0]

    def rules(self, name: str, language: str = "", beside: tuple[Rules, ...] = ()) -> Rules:
        policy, hints = self.spoken[language]
        return Rules(name=name, policy=policy, hints=hints, mode=self.mode, beside=beside)


class _Reader:
    """Reads the content of one file; every fault is a PolicyError with its place."""

    def __init__(self, data: object, base: Policy, taxonomy: Taxonomy) -> None:
        self._data = _plain(a_mapping({} if data is None else data, ()))
        self._base = base
        self._taxonomy = taxonomy

    def book(self) -> PolicyBook:
        _known(self._data, _BOOK_FIELDS, ())
        first = {name: value for name, value in self._data.items() if name in _RULES_FIELDS}
        named = {DEFAULT_POLICY: self._named(first)}
        for name, fields in a_mapping(self._data.get("policies", {}), ("policies",)).items():
            place = ("policies", name)
            if not _NAME.fullmatch(name) or name == DEFAULT_POLICY:
                raise PolicyError("a name of letters, digits and _.- other than default is needed", place)
            changes = a_mapping({} if fields is None else fields, place)
            _known(changes, _RULES_FIELDS, place)
            with _inside(place):
                named[name] = self._named(_laid_over(first, changes))
        if len(named) > _MAX_POLICIES:
            raise PolicyError(f"at most {_MAX_POLICIES} policies are accepted", ("policies",))
        for name, one in named.items():
            with _inside(() if name == DEFAULT_POLICY else ("policies", name)):
                _there(one.beside, named, ("beside",))
        selectable = _list(self._data.get("selectable", []), ("selectable",))
        _there(selectable, named, ("selectable",))
        alone = {name: one.rules(name) for name, one in named.items()}
        return PolicyBook(
            policies={
                name: {
                    language: one.rules(name, language, tuple(alone[other] for other in one.beside if other != name))
                    for language in one.spoken
                }
                for name, one in named.items()
            },
            selectable=frozenset({DEFAULT_POLICY, *selectable}),
            warnings=tuple(warning for name, one in named.items() for warning in self._warnings(name, one)),
        )

    def _named(self, data: Mapping[str, object]) -> _Named:
        """One policy of the fields that are said of it, those of the default policy included."""
        policy = self._base.overlaid({name: data[name] for name in _POLICY_FIELDS if name in data}, self._taxonomy)
        for kind, text in policy.refusals.items():
            _short(text, ("refusals", kind))
        _short(policy.fallback_refusal, ("fallback_refusal",))
        hints = self._hints(data.get("hints", {}), ("hints",))
        own = (policy, hints)
        spoken = {"": own, _language(data.get("language", "en"), ("language",)): own}
        for tag, texts in a_mapping(data.get("translations", {}), ("translations",)).items():
            place = ("translations", tag)
            spoken[_language(tag, place)] = self._translated(policy, hints, a_mapping(texts, place), place)
        if len(spoken) > _MAX_LANGUAGES:
            raise PolicyError(f"at most {_MAX_LANGUAGES} languages are accepted", ("translations",))
        mode = data.get("mode", Mode.ENFORCE.value)
        if mode not in tuple(Mode):
            raise PolicyError(f"one of {[one.value for one in Mode]} is needed", ("mode",))
        beside = _list(data.get("beside", []), ("beside",))
        if len(beside) > _MAX_BESIDE:
            raise PolicyError(f"at most {_MAX_BESIDE} policies can judge beside one", ("beside",))
        return _Named(spoken=spoken, mode=Mode(str(mode)), beside=beside)

    def _translated(
        self, policy: Policy, hints: Hints, texts: Mapping[str, object], place: _Place
    ) -> tuple[Policy, Hints]:
        _known(texts, _TEXT_FIELDS, place)
        refusals = a_mapping(texts.get("refusals", {}), (*place, "refusals"))
        _known(refusals, self._taxonomy.risky_types, (*place, "refusals"))
        said = {kind: _short(text, (*place, "refusals", kind)) for kind, text in refusals.items()}
        fallback = texts.get("fallback_refusal", policy.fallback_refusal)
        own = self._hints(texts.get("hints", {}), (*place, "hints"))
        return (
            replace(
                policy,
                refusals={**policy.refusals, **said},
                fallback_refusal=_short(fallback, (*place, "fallback_refusal")),
            ),
            {kind: {**hints.get(kind, {}), **own.get(kind, {})} for kind in {*hints, *own}},
        )

    def _hints(self, value: object, place: _Place) -> Hints:
        by_type = a_mapping(value, place)
        _known(by_type, self._taxonomy.risky_types, place)
        levels = tuple(str(level) for level in range(1, len(self._taxonomy.levels)))
        hints: dict[str, dict[int, str]] = {}
        for kind, texts in by_type.items():
            inner = (*place, kind)
            by_level = a_mapping(texts, inner)
            _known(by_level, levels, inner)
            hints[kind] = {int(level): _short(text, (*inner, level)) for level, text in by_level.items()}
        return hints

    def _warnings(self, name: str, one: _Named) -> Iterator[str]:
        if one.mode is Mode.SHADOW:
            yield f"policy {name}: in shadow mode, its decisions are not enforced"
        for kind in sorted(self._base.enabled - one.policy.enabled):
            yield f"policy {name}: {kind} is off and never decides"
        for kind, actions in one.policy.actions.items():
            for level, action in actions.items():
                threshold, place = one.policy.thresholds[kind][level], f"{kind}.{level}"
                if action is Action.ALLOW and self._base.actions[kind][level] is not Action.ALLOW:
                    yield f"policy {name}: actions.{place} lets that risk through"
                if threshold > 1 >= self._base.thresholds[kind][level]:
                    yield f"policy {name}: thresholds.{place} is above 1 and never reached"
        replaced = sorted({f"{kind}.{k}" for _, hints in one.spoken.values() for kind in hints for k in hints[kind]})
        if replaced:
            yield f"policy {name}: the model was not trained on these hints: {', '.join(replaced)}"


@contextmanager
def _inside(place: _Place) -> Iterator[None]:
    """Faults within a part of a file, told by their place in the whole."""
    try:
        yield
    except PolicyError as exc:
        raise PolicyError(exc.problem, (*place, *exc.place)) from exc


def _plain(value: Any) -> Any:
    """Mappings with string keys all the way down: YAML reads level 3 as a number."""
    return {str(key): _plain(entry) for key, entry in value.items()} if isinstance(value, Mapping) else value


def _laid_over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merged field by field, at any depth; of anything else the change counts."""
    merged = dict(base)
    for key, change in changes.items():
        old = merged.get(key)
        merged[key] = _laid_over(old, change) if isinstance(old, Mapping) and isinstance(change, Mapping) else change
    return merged


def _known(data: Mapping[str, object], names: Sequence[str], place: _Place) -> None:
    for name in data:
        if name not in names:
            raise PolicyError("unknown field", (*place, name))


def _short(value: object, place: _Place) -> str:
    text = a_text(value, place)
    if len(text) > _MAX_TEXT:
        raise PolicyError(f"at most {_MAX_TEXT} characters are accepted", place)
    return text


def _language(value: object, place: _Place) -> str:
    if not isinstance(value, str) or not _LANGUAGE.fullmatch(value.lower()):
        raise PolicyError("a language tag such as de or pt-BR is needed, in quotes where it is no", place)
    return value.lower()


def _list(value: object, place: _Place) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise PolicyError("a list of names is needed", place)
    return tuple(dict.fromkeys(value))


def _there(names: Sequence[str], known: Mapping[str, object], place: _Place) -> None:
    for index, name in enumerate(names):
        if name not in known:
            raise PolicyError("there is no policy of this name", (*place, str(index)))
