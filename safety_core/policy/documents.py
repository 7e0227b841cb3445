"""Schemas of ``policy.json`` and of operators' policy files, with strict checks of every field against a taxonomy.

Knows no line numbers and no HTTP: ``loader`` reads operators' files, ``policy`` decides.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo

from safety_core.errors import PolicyError
from safety_core.policy.guarantee import Guarantee
from safety_core.policy.named_policies import DEFAULT_POLICY, Mode
from safety_core.policy.policy import Action, NoveltyRule, Policy
from safety_core.strict_json import ModelT, StrictModel, find_problem, merge_mappings, read_json_object
from safety_core.taxonomy import Taxonomy

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8}){0,4}")
_MAX_BESIDE = 4

MAX_TEXT = 1000
"""Maximum characters of a refusal or hint in an operator's file."""

_Entry = TypeVar("_Entry")


# --- types of fields; the validators' context is the taxonomy --------------------------------------------------------


def _check_type(name: str, info: ValidationInfo) -> str:
    if name not in _get_taxonomy(info).risky_types:
        raise ValueError("unknown field")
    return name


def _parse_level(level: object, info: ValidationInfo) -> int:
    """YAML writes level 3 as a number, JSON as a string."""
    known = {str(index): index for index in _get_level_range(info)}
    if str(level) not in known:
        raise ValueError("unknown field")
    return known[str(level)]


def _check_all_types(table: dict[str, _Entry], info: ValidationInfo) -> dict[str, _Entry]:
    missing = [name for name in _get_taxonomy(info).risky_types if name not in table]
    if missing:
        raise ValueError(f"missing {missing}")
    return table


def _check_all_levels(table: dict[int, _Entry], info: ValidationInfo) -> dict[int, _Entry]:
    missing = [str(level) for level in _get_level_range(info) if level not in table]
    if missing:
        raise ValueError(f"missing {missing}")
    return table


def _check_text(text: str) -> str:
    if not text.strip():
        raise ValueError("a non-blank string is needed")
    try:
        text.encode()
    except UnicodeEncodeError as exc:  # YAML parses the two escapes of an emoji as lone surrogates
        raise ValueError(
            "a string without lone surrogates is needed; write characters directly, not as escapes"
        ) from exc
    return text


def _parse_language(tag: object) -> str:
    if not isinstance(tag, str) or not _LANGUAGE.fullmatch(tag.lower()):
        raise ValueError("a language tag such as de or pt-BR is needed; put the tag no in quotes")
    return tag.lower()


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name == DEFAULT_POLICY:
        raise ValueError("a name is needed that consists of letters, digits and _.- and is not default")
    return name


def _check_beside(names: list[str]) -> list[str]:
    distinct = list(dict.fromkeys(names))
    if len(distinct) > _MAX_BESIDE:
        raise ValueError(f"at most {_MAX_BESIDE} entries are accepted")
    return distinct


def _get_taxonomy(info: ValidationInfo) -> Taxonomy:
    assert isinstance(info.context, Taxonomy)
    return info.context


def _get_level_range(info: ValidationInfo) -> range:
    return range(1, len(_get_taxonomy(info).levels))


_RiskType = Annotated[str, AfterValidator(_check_type)]
_RiskLevel = Annotated[int, BeforeValidator(_parse_level)]
_Threshold = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_ActionName = Annotated[Action, Field(strict=False)]
_Text = Annotated[str, AfterValidator(_check_text)]
_ShortText = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_check_text)]
_HintTexts = dict[_RiskType, dict[_RiskLevel, _ShortText]]
_Language = Annotated[str, BeforeValidator(_parse_language)]
_PolicyName = Annotated[str, AfterValidator(_check_name)]
_Beside = Annotated[list[str], AfterValidator(_check_beside)]

_all_types = AfterValidator(_check_all_types)
_all_levels = AfterValidator(_check_all_levels)


# --- documents -------------------------------------------------------------------------------------------------------


class NoveltyChanges(StrictModel):
    """Fields that replace those of the rule on novelty."""

    threshold: _Threshold | None = Field(default=None, description="Unchanged if missing.")
    action: _ActionName | None = Field(default=None, description="Unchanged if missing.")


class PolicyChanges(StrictModel):
    """Fields that replace those of a policy, entry by entry."""

    enabled: dict[_RiskType, bool] = Field(default={})
    thresholds: dict[_RiskType, dict[_RiskLevel, _Threshold]] = Field(default={})
    actions: dict[_RiskType, dict[_RiskLevel, _ActionName]] = Field(default={})
    refusals: dict[_RiskType, _Text] = Field(default={})
    fallback_refusal: _Text = Field(default="", description="Unchanged if empty.")
    novelty: NoveltyChanges = Field(default=NoveltyChanges())


class PolicyOverlay(PolicyChanges):
    """Changes in the form of ``policy.json``: any of its fields, or a whole file."""

    format_version: Literal[1] = 1
    guarantee: Guarantee | None = Field(default=None, description="Of a whole file; has no effect here.")


class PolicyDocument(PolicyChanges):
    """``policy.json``: every field, for every risky type and level of the taxonomy."""

    format_version: Literal[1]
    enabled: Annotated[dict[_RiskType, bool], _all_types]
    thresholds: Annotated[dict[_RiskType, Annotated[dict[_RiskLevel, _Threshold], _all_levels]], _all_types]
    actions: Annotated[dict[_RiskType, Annotated[dict[_RiskLevel, _ActionName], _all_levels]], _all_types]
    refusals: Annotated[dict[_RiskType, _Text], _all_types]
    fallback_refusal: _Text
    guarantee: Guarantee | None = None


class Translation(StrictModel):
    """The texts of a policy in one more language."""

    refusals: dict[_RiskType, _ShortText] = Field(default={})
    fallback_refusal: _ShortText = Field(default="", description="Unchanged if empty.")
    hints: _HintTexts = Field(default={})


class PolicyEntry(PolicyChanges):
    """One policy of an operator's file."""

    refusals: dict[_RiskType, _ShortText] = Field(default={})
    fallback_refusal: _ShortText = Field(default="", description="Unchanged if empty.")
    hints: _HintTexts = Field(default={})
    language: _Language = Field(default="en", description="Language of the texts that are not in ``translations``.")
    translations: dict[_Language, Translation] = Field(default={})
    mode: Annotated[Mode, Field(strict=False)] = Mode.ENFORCE
    beside: _Beside = Field(default=[])


class BookDocument(PolicyEntry):
    """An operator's file: the default policy, other policies by name, and the policies that a request may select."""

    policies: dict[_PolicyName, PolicyEntry | None] = Field(default={})
    selectable: list[str] = Field(default=[])


# --- from documents to policies --------------------------------------------------------------------------------------


def parse_policy(data: object, taxonomy: Taxonomy) -> Policy:
    """Parse the JSON form of a policy, which must cover exactly the taxonomy's types and levels.

    Raises:
        PolicyError: a field is missing, unknown or malformed; the message names the first such field.
    """
    document = _validate(PolicyDocument, data, taxonomy)
    return Policy(
        thresholds=document.thresholds,
        actions=document.actions,
        enabled=frozenset(name for name, on in document.enabled.items() if on),
        refusals=document.refusals,
        fallback_refusal=document.fallback_refusal,
        novelty=_change_novelty(NoveltyRule(), document.novelty),
    )


def load_policy(path: Path, taxonomy: Taxonomy) -> Policy:
    """Read ``policy.json``; raises ConfigError if the file cannot be read or is malformed."""
    return parse_policy(read_json_object(path), taxonomy)


def load_guarantee(path: Path, taxonomy: Taxonomy) -> Guarantee | None:
    """Read the guarantee of ``policy.json``; None if it states none. Raises as :func:`load_policy`, also for presets
    that do not fit the policy."""
    data = read_json_object(path)
    policy, guarantee = parse_policy(data, taxonomy), _validate(PolicyDocument, data, taxonomy).guarantee
    for preset in guarantee.presets.values() if guarantee is not None else ():
        overlay_policy(policy, {"thresholds": preset.thresholds}, taxonomy)
    return guarantee


def format_policy(policy: Policy, guarantee: Guarantee | None = None) -> dict[str, object]:
    """Return the JSON form of ``policy.json``; without a guarantee, earlier versions can read it, too."""
    return {**policy.to_dict(), **({} if guarantee is None else {"guarantee": guarantee.to_dict()})}


def overlay_policy(policy: Policy, changes: Mapping[str, object], taxonomy: Taxonomy) -> Policy:
    """Replace some fields of a policy, at any depth; all other fields stay.

    Args:
        policy: the policy to change.
        changes: fields of the JSON form.
        taxonomy: the types and levels that the changes may name.

    Raises:
        PolicyError: a field is unknown or malformed.
    """
    return apply_changes(policy, _validate(PolicyOverlay, changes, taxonomy))


def apply_changes(policy: Policy, changes: PolicyChanges) -> Policy:
    """Replace the fields of a policy that validated changes contain."""
    enabled = {name: name in policy.enabled for name in policy.thresholds} | changes.enabled
    return replace(
        policy,
        enabled=frozenset(name for name, on in enabled.items() if on),
        thresholds=merge_mappings(policy.thresholds, changes.thresholds),
        actions=merge_mappings(policy.actions, changes.actions),
        refusals={**policy.refusals, **changes.refusals},
        fallback_refusal=changes.fallback_refusal or policy.fallback_refusal,
        novelty=_change_novelty(policy.novelty, changes.novelty),
    )


def _change_novelty(rule: NoveltyRule, changes: NoveltyChanges) -> NoveltyRule:
    return replace(rule, **{name: value for name, value in changes if value is not None})


def _validate(model: type[ModelT], data: object, taxonomy: Taxonomy) -> ModelT:
    try:
        return model.model_validate(data, context=taxonomy)
    except ValidationError as exc:
        problem = find_problem(exc)
        raise PolicyError(problem.problem, problem.place) from exc
