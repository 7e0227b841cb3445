"""The stream of ``/v1/chat`` in the OpenAPI document."""

from typing import Any

from service.api.openapi.inlining import describe_json_text, inline_model, refer_to
from service.api.openapi.responses import ResponseTable
from service.api.schemas.replies import AssessmentEvent, ChatReply, DeltaEvent, ErrorOut
from service.sse import EVENT_STREAM


def _describe_event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Describe one event: its ``event`` line, and the JSON of its ``data`` line."""
    properties = {"event": {"const": name}, "data": describe_json_text(data)}
    return {"title": name, "type": "object", "properties": properties, "required": ["event", "data"]}


CHAT_STREAM: ResponseTable = {
    200: {
        "description": "The reply, as one object or as events",
        "content": {
            EVENT_STREAM: {
                "schema": {
                    "description": (
                        "With `stream`: Server-Sent Events. One `assessment`, any number of `delta`, then one `done`, "
                        "or one `error` in place of the missing events."
                    ),
                    "oneOf": [
                        _describe_event("assessment", inline_model(AssessmentEvent)),
                        _describe_event("delta", inline_model(DeltaEvent)),
                        _describe_event("done", refer_to(ChatReply)),
                        _describe_event("error", refer_to(ErrorOut)),
                    ],
                },
            }
        },
    }
}
"""The reply of ``/v1/chat``, as one object or as Server-Sent Events."""
