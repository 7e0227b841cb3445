"""Sends JSON to an endpoint: bounded bytes and time, retries with growing pauses, and no exception for a failed item.

A failure that concerns one request is returned as a code, so that the run goes on and counts the item as unanswered. A
failure that concerns all requests (a rejected key, an unknown path or model, a server that is gone) is raised, so that
a run stops and can be resumed. Bodies are never logged.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.endpoints.addresses import Address, parse_address, read_key

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

MAX_BYTES = 4 * 1024 * 1024
"""Most bytes of a response."""

LONGEST_PAUSE_S = 60.0
"""Longest pause in seconds before a retry, even if the server asks for a longer one."""

UNREACHABLE, TIMED_OUT, TOO_LARGE, MALFORMED = "unreachable", "timed_out", "response_too_large", "response_malformed"
"""Codes of failures without a status."""

MAX_FAILURES = 5
"""Requests that fail one after the other, each with all its attempts, until the server counts as gone."""

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_FATAL = frozenset({401, 403, 404, 405})


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """How an endpoint is asked."""

    url: str
    """Base URL as OpenAI's clients take it."""

    key_variable: str
    """Environment variable that contains the API key; not set if the endpoint needs none."""

    timeout_s: float = 120.0
    """Longest time in seconds for one response."""

    attempts: int = 5
    """Number of times that a request is sent at most."""

    first_pause_s: float = 1.0
    """Pause in seconds before the first retry; each further one is twice as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The outcome of a request."""

    data: Any = None
    """The body as JSON; None after a failure."""

    seconds: float = 0.0
    """Time of the last attempt."""

    problem: str | None = None
    """Code of the failure: ``http_STATUS``, with ``/CODE`` if the body names a code, or one of the codes above."""

    pause_s: float | None = None
    """Seconds after which the server wants to be asked again."""

    may_retry: bool = False
    """Whether another attempt may succeed."""


class EndpointClient:
    """A client of one endpoint; may be used by several threads.

    Args:
        settings: address, key and bounds.

    Raises:
        ConfigError: the address or the key cannot be used, or a library is not installed.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.address: Address = parse_address(settings.url)
        key = read_key(settings.key_variable, self.address)
        self._settings = settings
        self._httpx = _import_httpx()
        self._client = self._httpx.Client(
            timeout=self._httpx.Timeout(settings.timeout_s),
            headers={"authorization": f"Bearer {key}"} if key else {},
            follow_redirects=False,
            trust_env=not self.address.is_local,  # proxies are for other machines
        )
        self._failures = 0
        """Requests since the last one that was served."""
        logging.getLogger("httpx").setLevel(logging.WARNING)

    def post(self, path: str, body: Mapping[str, Any]) -> Response:
        """Send a body and return the JSON that comes back.

        Args:
            path: path below the base URL, with its slash.
            body: an object that can be written as JSON.

        Raises:
            ConfigError: the server rejects the key, has no such path or model, or did not serve the last requests.
        """
        return self._send("POST", path, json.dumps(body).encode())

    def find_model(self) -> str:
        """Find the model of a server that serves one model only.

        Raises:
            ConfigError: the server cannot be asked, or serves none or several.
        """
        response = self._send("GET", "/models", None)
        try:
            names = [str(entry["id"]) for entry in response.data["data"]]
        except (TypeError, KeyError):
            names = []
        if response.problem is not None or len(names) != 1:
            found = response.problem or f"it serves {len(names)} models"
            raise ConfigError(f"--model: name the model of the endpoint; it could not be found ({found})")
        return names[0]

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, method: str, path: str, content: bytes | None) -> Response:
        from tenacity import Retrying, retry_if_result, stop_after_attempt

        retrying = Retrying(
            stop=stop_after_attempt(self._settings.attempts),
            retry=retry_if_result(_may_retry),
            wait=self._choose_pause,
            retry_error_callback=_get_last_response,
        )
        response = retrying(self._try, method, path, content)
        if response.problem is not None and response.problem.removeprefix("http_")[:3] in map(str, _FATAL):
            raise ConfigError(
                f"the endpoint answers {response.problem} to {path}: check its URL, its key and the name of the model"
            )
        self._failures = self._failures + 1 if response.may_retry else 0
        if self._failures >= MAX_FAILURES:
            raise ConfigError(
                f"the endpoint failed {self._failures} times in a row, the last time with {response.problem}; the same "
                "command goes on where this run stopped"
            )
        return response

    def _choose_pause(self, state: RetryCallState) -> float:
        response = _get_last_response(state)
        own = self._settings.first_pause_s * 2.0 ** (state.attempt_number - 1)
        return min(LONGEST_PAUSE_S, max(own, response.pause_s or 0.0))

    def _try(self, method: str, path: str, content: bytes | None) -> Response:
        started = time.perf_counter()
        headers = {} if content is None else {"content-type": "application/json"}
        try:
            with self._client.stream(method, self.address.base + path, content=content, headers=headers) as answer:
                received = self._read(answer, started)
                seconds = time.perf_counter() - started
                if received is None:
                    return Response(problem=TOO_LARGE, seconds=seconds)
                return _read_response(answer, received, seconds)
        except (self._httpx.TimeoutException, TimeoutError):
            return Response(problem=TIMED_OUT, seconds=time.perf_counter() - started, may_retry=True)
        except self._httpx.HTTPError:
            return Response(problem=UNREACHABLE, seconds=time.perf_counter() - started, may_retry=True)

    def _read(self, answer: httpx.Response, started: float) -> bytes | None:
        """Read a body; None if it is too large. Raises TimeoutError if it takes too long altogether."""
        received = bytearray()
        for chunk in answer.iter_bytes():
            received += chunk
            if len(received) > MAX_BYTES:
                return None
            if time.perf_counter() - started > self._settings.timeout_s:
                raise TimeoutError
        return bytes(received)


def _import_httpx() -> Any:
    try:
        import httpx
        import tenacity  # noqa: F401
    except ImportError as exc:
        raise ConfigError("endpoints need the extra eval: pip install 'safevlm-guard[eval]'") from exc
    return httpx


def _read_response(answer: httpx.Response, content: bytes, seconds: float) -> Response:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        data = None
    if answer.status_code == 200:
        if not isinstance(data, dict):
            return Response(problem=MALFORMED, seconds=seconds)
        return Response(data=data, seconds=seconds)
    code = _find_code(data)
    return Response(
        problem=f"http_{answer.status_code}{f'/{code}' if code else ''}",
        seconds=seconds,
        pause_s=_parse_pause(answer.headers.get("retry-after", "")),
        may_retry=answer.status_code in _RETRIED,
    )


def _find_code(data: object) -> str | None:
    """Find the machine-readable code of an error in OpenAI's format; never a text."""
    error = data.get("error") if isinstance(data, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[\w.-]{1,64}", code) else None


def _parse_pause(header: str) -> float | None:
    return float(header) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", header.strip()) else None


def _may_retry(response: Response) -> bool:
    return response.may_retry


def _get_last_response(state: RetryCallState) -> Response:
    assert state.outcome is not None, "an attempt was made"
    response: Response = state.outcome.result()
    return response
