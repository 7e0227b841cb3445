"""The stream of ``/v1/chat/completions`` in the OpenAPI document."""

from service.api.openai.schemas.replies import CompletionChunk
from service.api.openapi.inlining import describe_json_text, inline_all, refer_to
from service.api.openapi.responses import ResponseTable
from service.api.schemas.replies import ErrorOut
from service.sse import EVENT_STREAM

COMPLETION_STREAM: ResponseTable = {
    200: {
        "description": "The completion, as one object or as chunks",
        "links": {
            "go-on": {
                "operationId": "completions",
                "description": "Continues the conversation.",
                "requestBody": {
                    "model": "$response.body#/model",
                    "messages": [
                        {"role": "user", "content": "What is it?"},
                        {"role": "assistant", "content": "$response.body#/choices/0/message/content"},
                        {"role": "user", "content": "And what else?"},
                    ],
                },
            }
        },
        "content": {
            EVENT_STREAM: {
                "schema": {
                    "description": (
                        "With `stream`: one `data` line per chunk, then `data: [DONE]`; "
                        "an error replaces the remaining chunks."
                    ),
                    "type": "object",
                    "properties": {
                        "data": {
                            "oneOf": [
                                {"const": "[DONE]"},
                                describe_json_text(inline_all(CompletionChunk)),
                                describe_json_text(refer_to(ErrorOut)),
                            ]
                        }
                    },
                    "required": ["data"],
                }
            }
        },
    }
}
"""The reply of ``/v1/chat/completions``, as one object or as chunks, with a link that continues the conversation."""
