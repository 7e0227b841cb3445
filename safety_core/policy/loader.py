"""Reads the policy file of an operator; every error message contains the line number.

::

    thresholds: {privacy: {3: 0.4}}          # the policy "default"; other thresholds stay as calibrated
    actions: {misleading: {1: allow}}        # allow, caution or refuse
    enabled: {politics: false}               # a type that never affects decisions
    refusals: {privacy: "I keep people's secrets."}
    hints: {illegal: {1: "Mind the law."}}   # replace the checkpoint's, which the model was trained on
    language: en                             # language of the texts above
    translations:
      de: {refusals: {privacy: "Geheimnisse bleiben bei mir."}, fallback_refusal: "Das geht leider nicht."}
    mode: enforce                            # or shadow: decided, counted and logged, but not enforced
    beside: [strict]                         # policies that also judge every request, for comparison
    policies:
      strict: {thresholds: {privacy: {2: 0.2}}}   # any of the fields above, replacing those of "default"
    selectable: [default, strict]            # policies that a request may name; a key's own list takes precedence

Knows no model and no HTTP.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safety_core.policy.documents import MAX_TEXT, BookDocument, PolicyEntry, Translation, apply_changes
from safety_core.policy.named_policies import DEFAULT_POLICY, ActivePolicy, Hints, Mode, PolicyBook
from safety_core.policy.policy import Action, Policy
from safety_core.strict_json import Place, merge_mappings
from safety_core.strict_yaml import Document, read_document
from safety_core.taxonomy import Taxonomy

_MAX_POLICIES = 32
_MAX_LANGUAGES = 64


def read_book(path: Path, base: Policy, taxonomy: Taxonomy) -> PolicyBook:
    """Read an operator's policies.

    Args:
        path: the YAML file; an empty file changes nothing.
        base: the checkpoint's own policy; the file replaces parts of it.
        taxonomy: the types and levels that the file may name.

    Raises:
        ConfigError: the file is malformed; the message contains the line number.
    """
    file = read_document(path)
    content = file.parse(BookDocument, context=taxonomy)
    _check_references(content, file)
    drafts: dict[str, _Draft] = {}
    for name, entry in _merge_entries(content, taxonomy).items():
        drafts[name] = _translate(entry, base)
        _check_refusals(drafts[name].policy, _locate(name), file)
        if len(drafts[name].texts) > _MAX_LANGUAGES:
            raise file.create_error(
                (*_locate(name), "translations"), f"at most {_MAX_LANGUAGES} languages are accepted"
            )
    return PolicyBook(
        policies=_activate(drafts),
        selectable=frozenset({DEFAULT_POLICY, *content.selectable}),
        warnings=tuple(warning for name, draft in drafts.items() for warning in _list_warnings(name, draft, base)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """One policy of a book in every language, without the policies beside it."""

    texts: Mapping[str, tuple[Policy, Hints]]
    """Policy and hints by language; an empty language is the policy's own."""

    mode: Mode
    beside: Sequence[str]

    @property
    def policy(self) -> Policy:
        return self.texts[""][0]

    def activate(self, name: str, language: str = "", beside: tuple[ActivePolicy, ...] = ()) -> ActivePolicy:
        policy, hints = self.texts[language]
        return ActivePolicy(name=name, policy=policy, hints=hints, mode=self.mode, beside=beside)


def _check_references(content: BookDocument, file: Document) -> None:
    """Reject references to policies that the file does not contain."""
    names = {DEFAULT_POLICY, *content.policies}
    if len(names) > _MAX_POLICIES:
        raise file.create_error(("policies",), f"at most {_MAX_POLICIES} policies are accepted")
    references: list[tuple[Place, Sequence[str]]] = [(("beside",), content.beside)]
    for name, entry in content.policies.items():
        references.append(((*_locate(name), "beside"), () if entry is None else entry.beside))
    for place, named in (*references, (("selectable",), content.selectable)):
        for index, name in enumerate(named):
            if name not in names:
                raise file.create_error((*place, str(index)), "there is no policy with this name")


def _check_refusals(policy: Policy, place: Place, file: Document) -> None:
    """Reject texts that are too long, including the checkpoint's texts, which the policy sends as well."""
    texts: dict[Place, str] = {("refusals", kind): text for kind, text in policy.refusals.items()}
    texts[("fallback_refusal",)] = policy.fallback_refusal
    for field, text in texts.items():
        if len(text) > MAX_TEXT:
            raise file.create_error((*place, *field), f"at most {MAX_TEXT} characters are accepted")


def _locate(name: str) -> Place:
    """Return the place of a policy in the file; the default policy is at the top level."""
    return () if name == DEFAULT_POLICY else ("policies", name)


def _merge_entries(content: BookDocument, taxonomy: Taxonomy) -> dict[str, PolicyEntry]:
    """Return all policies by name; each inherits the fields of the default policy that it does not replace."""
    default = content.model_dump(exclude={"policies", "selectable"}, exclude_unset=True)
    changes: dict[str, dict[str, Any]] = {DEFAULT_POLICY: {}}
    for name, entry in content.policies.items():
        changes[name] = {} if entry is None else entry.model_dump(exclude_unset=True)
    return {
        name: PolicyEntry.model_validate(merge_mappings(default, fields), context=taxonomy)
        for name, fields in changes.items()
    }


def _translate(entry: PolicyEntry, base: Policy) -> _Draft:
    """Apply an entry to the checkpoint's policy, once for each language."""
    policy = apply_changes(base, entry)
    own = (policy, entry.hints)
    texts: dict[str, tuple[Policy, Hints]] = {"": own, entry.language: own}
    for tag, translation in entry.translations.items():
        texts[tag] = _replace_texts(policy, entry.hints, translation)
    return _Draft(texts=texts, mode=entry.mode, beside=entry.beside)


def _replace_texts(policy: Policy, hints: Hints, translation: Translation) -> tuple[Policy, Hints]:
    translated = replace(
        policy,
        refusals={**policy.refusals, **translation.refusals},
        fallback_refusal=translation.fallback_refusal or policy.fallback_refusal,
    )
    return translated, merge_mappings(hints, translation.hints)


def _activate(drafts: Mapping[str, _Draft]) -> dict[str, dict[str, ActivePolicy]]:
    """Attach to each policy the policies of its field ``beside``; those have no further policies beside them."""
    active = {name: draft.activate(name) for name, draft in drafts.items()}
    return {
        name: {
            language: draft.activate(name, language, tuple(active[other] for other in draft.beside if other != name))
            for language in draft.texts
        }
        for name, draft in drafts.items()
    }


def _list_warnings(name: str, draft: _Draft, base: Policy) -> Iterator[str]:
    if draft.mode is Mode.SHADOW:
        yield f"policy {name}: in shadow mode, its decisions are not enforced"
    for kind in sorted(base.enabled - draft.policy.enabled):
        yield f"policy {name}: {kind} is disabled and never affects decisions"
    for kind, actions in draft.policy.actions.items():
        for level, action in actions.items():
            threshold, field = draft.policy.thresholds[kind][level], f"{kind}.{level}"
            if action is Action.ALLOW and base.actions[kind][level] is not Action.ALLOW:
                yield f"policy {name}: actions.{field} allows that risk"
            if threshold > 1 >= base.thresholds[kind][level]:
                yield f"policy {name}: thresholds.{field} is above 1 and never reached"
    replaced = sorted({f"{kind}.{k}" for _, hints in draft.texts.values() for kind in hints for k in hints[kind]})
    if replaced:
        yield f"policy {name}: the model was not trained on these hints: {', '.join(replaced)}"
