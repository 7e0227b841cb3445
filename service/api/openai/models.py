"""Checks the model that a request names: one model is served, under its own name and its aliases."""

import re

from safety_core.errors import InputError
from service.container import Service

_MODERATION_MODEL = re.compile(r"(?:openai/)?(?:omni|text)-moderation-(?:latest|stable|\d{3}|\d{4}-\d{2}-\d{2})")
"""Names of OpenAI's moderation models, defaults of clients (LiteLLM adds a prefix); they select the served model."""


def check_model(name: str | None, service: Service) -> None:
    """Raise InputError ``model_not_found`` unless the name is None or that of the served model."""
    if name is not None and name != service.guard.info.checkpoint:
        raise InputError(
            "This model does not exist; see /v1/models for the served model.", code="model_not_found", param="model"
        )


def check_moderation_model(name: str | None, service: Service) -> None:
    """Raise InputError as :func:`check_model`; OpenAI's moderation models are accepted too."""
    if name is None or not _MODERATION_MODEL.fullmatch(name):
        check_model(name, service)
