"""API keys of the tests' servers, as key file and as request header."""

from service.access.api_keys import Scope, format_key_entry

VISITOR_KEY, LIMITED_KEY = "sk-safevlm-of-a-person", "sk-safevlm-of-another"
"""Keys of the playground's visitors; the second one allows two requests a minute."""

CHAT_KEY, CLASSIFY_KEY, METRICS_KEY = "chat-secret", "classify-secret", "metrics-secret"

KEY_FILE = "".join(
    format_key_entry(name, secret, [Scope(name)])
    for name, secret in (("chat", CHAT_KEY), ("classify", CLASSIFY_KEY), ("metrics", METRICS_KEY))
)


def build_bearer_header(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}
