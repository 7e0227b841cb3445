"""Prompts to the chat, sent with given headers."""

from starlette.testclient import TestClient


def send_prompt(client: TestClient, headers: dict[str, str] | list[tuple[str, str]]) -> tuple[int, str]:
    """Return the status and the error code of the response; the code of a success is empty."""
    response = client.post("/v1/chat", json={"prompt": "a"}, headers=headers)
    return response.status_code, response.json().get("error", {}).get("code", "")
