"""Responses that routes declare: errors, and replies whose content the framework cannot infer."""

from typing import Any

from service.api.schemas.replies import ErrorOut

ResponseTable = dict[int | str, dict[str, Any]]
"""Status → response, the type of the framework's parameter ``responses``."""

NOT_READY: ResponseTable = {
    503: {"model": ErrorOut, "description": "The server is not ready, is shutting down, or timed out"}
}

ERRORS: ResponseTable = {
    400: {"model": ErrorOut, "description": "An image, the prompt or an option is invalid"},
    403: {"model": ErrorOut, "description": "The policy cannot be chosen, or the API key lacks the required scope"},
    408: {"model": ErrorOut, "description": "The body took too long to arrive"},
    413: {"model": ErrorOut, "description": "The body or an image is too large"},
    415: {"model": ErrorOut, "description": "The media type or the image format is not supported"},
    422: {"model": ErrorOut, "description": "A field is unknown or malformed"},
    429: {"model": ErrorOut, "description": "The server is overloaded; see Retry-After"},
    **NOT_READY,
}
"""Errors of every endpoint that runs the model."""

OPENAI_ERRORS: ResponseTable = {status: error for status, error in ERRORS.items() if status not in (413, 415)}
"""Errors of the OpenAI-compatible paths, which send 400 instead of 413 and 415."""

NO_MODEL: ResponseTable = {404: {"model": ErrorOut, "description": "The model does not exist"}}

BAD_PATH: ResponseTable = {
    400: {"model": ErrorOut, "description": "The path contains control characters or invalid bytes"}
}

MODEL_LINKS: ResponseTable = {
    200: {
        "description": "The served model",
        "links": {
            f"{operation}-with-it": {"operationId": operation, "requestBody": {"model": "$response.body#/data/0/id"}}
            for operation in ("completions", "moderations")
        },
    }
}
"""The served model, with links to the operations that take its name as a parameter."""

MODEL_NAME: dict[str, Any] = {
    "parameters": [
        {
            "name": "model",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$"},
        }
    ]
}
"""The name of a model at the end of a path: a checkpoint's folder."""

EXPOSITION: ResponseTable = {
    200: {
        "description": "The metrics, in the format that `Accept` selects",
        "content": {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/openmetrics-text")},
    }
}
