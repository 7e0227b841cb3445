"""Describes the server to the playground's page: its model, its limits, its policies, and examples to begin with.

If clients see no risks, there are neither thresholds nor presets.
"""

from dataclasses import asdict
from typing import Any

from safety_core import __version__
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.presets import PRESETS
from service.api.pages.comparison import allows_comparison
from service.endpoints import DOCS, PLAYGROUND_CHAT, PLAYGROUND_MODEL_CARD
from service.pipeline import RequestContext
from service.playground.examples import choose_examples
from service.policies import list_policy_names


def describe_page(context: RequestContext) -> dict[str, Any]:
    """Build the description; links are relative to the page."""
    info, settings = context.service.guard.info, context.settings
    return {
        "model": info.checkpoint,
        "version": __version__,
        "links": {
            "docs": DOCS.path.lstrip("/"),
            "model_card": PLAYGROUND_MODEL_CARD.path.lstrip("/") if info.model_card else None,
        },
        "description": info.description,
        "fallback": None if info.fallback is None else asdict(info.fallback),
        "is_miniature": info.is_miniature,
        "can_chat": info.generates and settings.mode == "chat",
        "compares": allows_comparison(context.request, settings),
        "image_urls": bool(settings.image_url_hosts),
        "types": list(info.taxonomy.types),
        "levels": list(info.taxonomy.levels),
        "safe_type": info.taxonomy.safe_type,
        "max_images": PLAYGROUND_CHAT.get_limit("images", settings),
        "max_messages": PLAYGROUND_CHAT.get_limit("texts", settings),
        "max_tokens": PLAYGROUND_CHAT.get_limit("reply_tokens", settings),
        "wants_key": settings.requires_api_keys,
        "exposes_risk": settings.expose_risk,
        "reads_pictures": info.reads_lettering,
        **_describe_policies(context),
        "examples": [asdict(example) for example in choose_examples(is_miniature=info.is_miniature)],
    }


def _describe_policies(context: RequestContext) -> dict[str, Any]:
    """Describe the policies that the request may choose, and the presets of the one that applies if it names none."""
    book, expose_risk = context.service.policies.content, context.settings.expose_risk
    names = [name for name in list_policy_names(context.key, book) if name in book.policies]
    policies = [book.select(name) for name in names]
    base = policies[0].policy if policies and expose_risk else None
    return {
        "policies": [_describe_policy(policy, expose_risk=expose_risk) for policy in policies],
        "presets": []
        if base is None
        else [
            {
                "name": preset.name.value,
                "title": preset.title,
                "description": preset.description,
                "changes": preset.list_changes(base),
            }
            for preset in PRESETS
        ],
    }


def _describe_policy(policy: ActivePolicy, *, expose_risk: bool) -> dict[str, Any]:
    if not expose_risk:
        return {"name": policy.name}
    fields = policy.policy.to_dict()
    shown = {field: fields[field] for field in ("enabled", "thresholds", "actions")}
    return {"name": policy.name, "mode": policy.mode.value, **shown}
