"""A local stand-in for the Hugging Face hub, and a guard against every other use of the network."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import huggingface_hub
import huggingface_hub.constants
import pytest
import transformers.utils.hub


class Hub:
    """Serves repositories from folders, like the hub.

    Args:
        repositories: folder and commit of each repository by its id.
    """

    def __init__(self, repositories: Mapping[str, tuple[Path, str]]) -> None:
        self.repositories = dict(repositories)
        self.requests: list[str] = []
        """Method and path of every request, in order."""

        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub._answer(self, body=True)

            def do_HEAD(self) -> None:
                hub._answer(self, body=False)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def _answer(self, handler: BaseHTTPRequestHandler, *, body: bool) -> None:
        path = unquote(urlsplit(handler.path).path)
        self.requests.append(f"{handler.command} {path}")
        status, headers, content = self._read_content(path)
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if body:
            handler.wfile.write(content)

    def _read_content(self, path: str) -> tuple[int, dict[str, str], bytes]:
        for name, (folder, commit) in self.repositories.items():
            if path.startswith(f"/api/models/{name}"):
                rest = path.removeprefix(f"/api/models/{name}").strip("/").split("/")
                return self._describe(name, folder, commit, rest)
            if path.startswith(f"/{name}/resolve/"):
                revision, _, file = path.removeprefix(f"/{name}/resolve/").partition("/")
                if revision not in ("main", commit):
                    return 404, {"X-Error-Code": "RevisionNotFound"}, b""
                if not (folder / file).is_file():
                    return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, b""
                content = (folder / file).read_bytes()
                return 200, {"ETag": f'"{_compute_digest(content)}"', "X-Repo-Commit": commit}, content
        return 401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, b"{}"

    def _describe(self, name: str, folder: Path, commit: str, rest: list[str]) -> tuple[int, dict[str, str], bytes]:
        files = sorted(file for file in folder.iterdir() if file.is_file())
        if rest[0] == "tree":
            found: Any = [
                {
                    "type": "file",
                    "oid": _compute_digest(file.read_bytes()),
                    "size": file.stat().st_size,
                    "path": file.name,
                }
                for file in files
            ]
            if len(rest) > 2:  # a folder in the repository: there is none
                return 404, {"X-Error-Code": "EntryNotFound"}, b"{}"
        else:
            found = {"id": name, "modelId": name, "sha": commit, "private": False, "tags": ["llava"]}
            found["siblings"] = [{"rfilename": file.name} for file in files]
        return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()


def _compute_digest(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


@contextmanager
def run_hub(
    repositories: Mapping[str, tuple[Path, str]], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Hub]:
    """Serve repositories, and point this process's hub client at them and at an empty cache."""
    hub = Hub(repositories)
    thread = threading.Thread(target=hub.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(
        huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    # These objects keep the endpoint of their creation.
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", hub.url)
    monkeypatch.setattr(transformers.utils.hub, "_hf_api", None)
    huggingface_hub.close_session()
    try:
        yield hub
    finally:
        huggingface_hub.close_session()
        hub.server.shutdown()
        hub.server.server_close()
        thread.join()


@contextmanager
def forbid_network(monkeypatch: pytest.MonkeyPatch, *allowed: str) -> Iterator[list[str]]:
    """Refuse every connection and name look-up except those for ``allowed`` URLs; yields the list of refusals.

    The code under test may catch a refusal, so a test must also check the list.
    """
    ports = {urlsplit(url).port for url in allowed}
    tried: list[str] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def refuse_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[1] not in ports:
            tried.append(f"connect {address}")
            raise ConnectionRefusedError("the network is not for this test")
        connect(self, address)

    def refuse_look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if port not in ports:
            tried.append(f"look up {host}:{port}")
            raise socket.gaierror("the network is not for this test")
        return look_up(host, port, *args, **kwargs)

    huggingface_hub.close_session()  # an open connection would not be noticed
    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse_connect)
        patch.setattr(socket.socket, "connect_ex", refuse_connect)
        patch.setattr(socket, "getaddrinfo", refuse_look_up)
        yield tried
