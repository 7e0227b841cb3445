"""HTTP servers on this machine that answer as a test says, and remember what they were asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]
"""Status and body (JSON, or bytes as they are), with headers if there are any."""


@dataclass
class ScriptedServer:
    """A running server."""

    url: str = ""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Path and body of each request."""

    keys: list[str | None] = field(default_factory=list)
    """The header ``Authorization`` of each request."""


@contextmanager
def run_scripted_server(answer: Callable[[str, dict[str, Any]], Answer]) -> Iterator[ScriptedServer]:
    """Run a server whose answers a function makes from the path and the body of a request."""
    server = ScriptedServer()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self._reply(body)

        def do_GET(self) -> None:
            self._reply({})

        def _reply(self, body: dict[str, Any]) -> None:
            with lock:
                server.asked.append((self.path, body))
                server.keys.append(self.headers.get("authorization"))
            status, content, *headers = answer(self.path, body)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in (headers[0] if headers else {}).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            with suppress(OSError):  # the client may have gone
                self.wfile.write(data)

        def log_message(self, format: str, *arguments: Any) -> None: ...

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join(30)
        listener.server_close()


def make_completion(text: str | None, *, tokens: int = 10, **message: Any) -> dict[str, Any]:
    """The body of a chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    return {"id": "1", "object": "chat.completion", "choices": [choice], "usage": {"total_tokens": tokens}}
