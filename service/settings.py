"""Settings of the server: environment variables ``SAFEVLM_*``. ``docs/settings.md`` is generated from them.

Nothing is read on import: :func:`read_settings` reads the environment, once, when a server starts.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from safety_core.cli.common import SHIPPED_CHECKPOINT, find_checkpoint
from safety_core.engine.messages import GuardLimits
from safety_core.engine.serving.async_guard import EngineConfig
from safety_core.errors import ConfigError
from safety_core.inputs.images.decoding import ImageLimits
from service.access.addresses import TrustedProxies
from service.access.origins import ANY_HOST, parse_authority, parse_origin, serialize_origin
from service.telemetry.logs import LogFormat

PREFIX = "SAFEVLM_"

RefusalIn = Literal["refusal", "content", "both"]
"""Field of an OpenAI-style message that carries a refusal."""

Untrained = Literal["no", "yes-serve-although-nothing-is-guarded"]

_MEGABYTE = 1024 * 1024

_ADDRESS = r"[0-9.]{7,15}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
_NUMBER = r"[0-9]{1,5}"
_LINKS = tuple(
    (re.compile(rf"[A-Z0-9_]+_{name}"), re.compile(value))
    for name, value in (
        ("SERVICE_HOST", _ADDRESS),
        ("SERVICE_PORT(?:_[A-Z0-9_]+)?", _NUMBER),
        (r"PORT(?:_[0-9]{1,5}_(?:TCP|UDP|SCTP))?", rf"(?:tcp|udp|sctp)://(?:{_ADDRESS}|\[[0-9A-Fa-f:.]+\]):{_NUMBER}"),
        ("PORT_[0-9]{1,5}_(?:TCP|UDP|SCTP)_ADDR", _ADDRESS),
        ("PORT_[0-9]{1,5}_(?:TCP|UDP|SCTP)_PORT", _NUMBER),
        ("PORT_[0-9]{1,5}_(?:TCP|UDP|SCTP)_PROTO", "tcp|udp|sctp"),
    )
)
"""Names and values of the variables that Kubernetes sets in a pod for each service in its namespace."""
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class Settings(BaseSettings):
    """One server's settings; every field is the environment variable of its name in capitals behind ``SAFEVLM_``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; `0.0.0.0` serves every network interface."
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    root_path: str = Field(
        default="",
        description="Path prefix under which a proxy serves this server, such as `/guard`; the proxy may strip it.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description=(
            "Host names accepted in the `Host` header, separated by commas; `*.example.org` matches all subdomains, "
            "`*` any host; others get 421. If empty: any host with API keys, only loopback names without."
        ),
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description=(
            "Origins (`https://app.example.org`) whose pages may call this server from a browser, separated by commas; "
            "this server's own pages always may."
        ),
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description=(
            "Addresses and networks of proxies whose `X-Forwarded-For`, `-Host` and `-Proto` headers are trusted, "
            "separated by commas; `-Host` and `-Proto` are always trusted from this machine."
        ),
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log lines to write. No level writes prompts, pictures or replies."
    )

    log_format: LogFormat = Field(default="json", description="`json`, an object a line, or `text` for a terminal.")

    api_keys_file: Path | None = Field(
        default=None, description="YAML file with the digests of API keys; reloaded when it changes."
    )
    api_keys: str | None = Field(
        default=None,
        description="The same as YAML in a variable. Without any key the server listens on this machine only.",
    )
    reload_interval_s: float = Field(
        default=2,
        gt=0,
        description="Interval in seconds between checks of the API key file, the policy file and the audit log.",
    )

    checkpoint: Path = Field(
        default=SHIPPED_CHECKPOINT,
        description=(
            "Checkpoint directory, verified before anything is loaded from it. The default is found from any "
            "working directory."
        ),
    )
    policy: Path | None = Field(
        default=None,
        description="YAML file of policies over the checkpoint's own; reloaded when it changes (`docs/policy.md`).",
    )
    allow_untrained: Untrained = Field(
        default="no",
        description=(
            "A checkpoint whose safety modules were never trained is refused, "
            f"unless this is `{get_args(Untrained)[1]}`."
        ),
    )
    device: str = Field(default="auto", description="`auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:N`.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Precision of the backbone: `float32`, `bfloat16`, `float16`; `auto`: float32 on the CPU, "
        "bfloat16 on a GPU.",
    )
    quantize: Literal["none", "int8", "nf4"] = Field(
        default="none",
        description="`int8` or `nf4` for the language model; tower and safety modules stay in full precision.",
    )

    max_body_bytes: int = Field(
        default=20 * _MEGABYTE, ge=1, description="Bytes of a request's body, counted while reading."
    )
    max_image_bytes: int = Field(default=10 * _MEGABYTE, ge=1, description="Bytes of one encoded image.")
    max_image_pixels: int = Field(default=25_000_000, ge=1, description="Pixels of one image, by its header.")
    max_request_pixels: int = Field(
        default=80_000_000,
        ge=1,
        description=(
            "Decoding budget of one request in pixels, summed over its images. A large JPEG counts about a quarter of "
            "its pixels, more if it has many scans; other formats count up to three times theirs."
        ),
    )
    image_url_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description=(
            "Hosts from which pictures may be fetched by https URL, separated by commas; `*.example.org` matches all "
            "subdomains. If empty, nothing is fetched. Only public addresses are connected to."
        ),
    )
    image_url_timeout_s: float = Field(default=10, gt=0, description="Seconds to fetch one picture.")
    max_images: int = Field(default=8, ge=1, description="Images in one request.")
    max_prompt_tokens: int = Field(
        default=1024, ge=1, description="Tokens of a prompt; longer ones are refused, never cut."
    )
    max_judged_characters: int = Field(
        default=65_536,
        ge=1,
        description=(
            "Characters in all texts of one moderation or guardrail request. Texts of more than "
            "`SAFEVLM_MAX_PROMPT_TOKENS` are judged in overlapping windows."
        ),
    )
    max_turns: int = Field(
        default=32, ge=1, description="Messages of one conversation; each is judged with the others and by itself."
    )
    max_choices: int = Field(default=4, ge=1, description="Largest `n` of one chat completion.")
    max_tokens: int = Field(default=512, ge=1, description="Largest `max_tokens` that a client may ask for.")
    max_tokens_excess: Literal["auto", "clamp", "reject"] = Field(
        default="auto",
        description=(
            "What happens to a larger `max_tokens`: `clamp` lowers it to the limit and reports the limit in the header "
            "`X-SafeVLM-Max-Tokens`, `reject` answers 400; `auto` clamps on the OpenAI-compatible paths and rejects on "
            "the others."
        ),
    )
    default_max_tokens: int = Field(default=256, ge=1, description="`max_tokens` of a request that names none.")
    max_requests: int = Field(
        default=128,
        ge=1,
        description=(
            "Requests in progress at a time (being read, waiting or running); further ones get 429 at once. While "
            "several clients have requests in progress, each may have at most half of this number."
        ),
    )
    max_tokens_in_flight: int = Field(
        default=65536,
        ge=1,
        description="Token budget of all accepted chats together: prompts, pictures and replies; beyond it 429.",
    )
    max_memory_mb: int = Field(
        default=1024,
        ge=64,
        description=(
            "Memory budget in megabytes for accepted requests, apart from the model: half for their data, half for "
            "decoding. Requests beyond it get 429; a request that is alone is always served."
        ),
    )
    decode_workers: int = Field(
        default=2,
        ge=1,
        description=(
            "Threads for small images, as many for texts, and as many for large images, but at most one for two cores."
        ),
    )
    max_batch: int = Field(default=16, ge=1, description="Pictures judged together in one batch.")
    max_wait_ms: float = Field(
        default=2,
        ge=0,
        description="Longest time that a batch waits for requests that are being prepared.",
    )
    max_replies: int = Field(
        default=32, ge=1, description="Replies generated together in one batch; `1` disables batching."
    )
    kv_positions: int = Field(
        default=32768,
        ge=1,
        description="Room for their keys and values: replies times positions (each 0.5 MiB in LLaVA-1.5-7B, 16 bit).",
    )
    cache_mb: int = Field(default=64, ge=0, description="Megabytes for cached verdicts; `0` disables the cache.")

    max_connections: int | None = Field(
        default=None,
        ge=1,
        description=(
            "Connections open at a time; beyond that, an idle one is closed to make room. Default: as many as the "
            "limit on open files allows, at most 4096."
        ),
    )
    keep_alive_timeout_s: float = Field(
        default=75,
        gt=0,
        description="Seconds that an idle connection stays open; should exceed the idle timeout of a proxy in front.",
    )
    header_timeout_s: float = Field(default=10, gt=0, description="Seconds a client may take to send a request's head.")
    body_timeout_s: float = Field(default=30, gt=0, description="Seconds a client may take to send its request.")
    send_timeout_s: float = Field(
        default=30,
        gt=0,
        description="Seconds a client may take to accept a piece of its reply; then the connection is closed.",
    )
    verdict_timeout_s: float = Field(
        default=30,
        gt=0,
        description="Seconds from a request's last byte to its verdict, decoding and queueing included; then 503.",
    )
    reply_timeout_s: float = Field(default=300, gt=0, description="Seconds from the verdict to the end of the reply.")
    canary_interval_s: float = Field(
        default=30, gt=0, description="Seconds between two judgements of the canary image."
    )
    shutdown_timeout_s: float = Field(
        default=30, gt=0, description="Seconds that accepted requests get to finish on SIGTERM."
    )

    audit_log: Path | None = Field(
        default=None,
        description=(
            "SQLite file for every decision, with scores, key, policy and digests of pictures; a request whose entry "
            "cannot be written is not answered. If unset, nothing is stored."
        ),
    )
    audit_log_days: float = Field(default=30, gt=0, description="Days that an entry of the audit log is kept.")
    audit_log_entries: int = Field(
        default=1_000_000, ge=1, description="Entries that the audit log holds; the oldest are deleted."
    )

    reply_window: int = Field(
        default=20,
        ge=0,
        description=(
            "Tokens between two judgements of a reply while it is generated; its stream lags behind by as many. The "
            "first windows are shorter, those with few letters longer. `0` judges no generated reply."
        ),
    )

    reply_threshold: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Minimum refusal threshold for replies, even where the policy's is lower: scores from text alone "
        "are less reliable.",
    )

    refusal_in: RefusalIn = Field(
        default="refusal",
        description=(
            "Field of an OpenAI-style message that carries a refusal: `refusal`, as in OpenAI's API; `content`, for "
            "clients that read no other field; or `both`. A request can override it with its own `refusal_in` "
            "(`docs/integrations.md`)."
        ),
    )

    playground: bool = Field(default=True, description="Whether `/playground` is served (`docs/playground.md`).")

    expose_risk: bool = Field(
        default=True, description="Whether clients see scores and timings; `false` leaves them the decision only."
    )

    @field_validator("image_url_hosts", "allowed_hosts", "allowed_origins", "trusted_proxies", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        return [host.strip() for host in value.split(",") if host.strip()] if isinstance(value, str) else value

    @field_validator("checkpoint", "policy", "api_keys_file", "audit_log", mode="before")
    @classmethod
    def _is_some_path(cls, value: object) -> object:
        if value == "":  # a path of no characters would be the working directory
            raise ValueError("expected a path; leave the variable out where there is none")
        return value

    @field_validator("checkpoint")
    @classmethod
    def _is_found(cls, value: Path) -> Path:
        return find_checkpoint(value)

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _is_lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("root_path")
    @classmethod
    def _is_prefix(cls, value: str) -> str:
        if value and not _ROOT_PATH.fullmatch(value):
            raise ValueError("expected a path such as /guard, without a trailing slash")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_normalised_host(host) for host in value)

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(serialize_origin(*parse_origin(origin)) for origin in value)
        except ValueError as exc:
            raise ValueError("expected origins such as https://app.example.org") from exc

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            TrustedProxies(value)
        except ValueError as exc:
            raise ValueError("expected addresses or networks such as 10.0.0.0/8") from exc
        return value

    @property
    def image_limits(self) -> ImageLimits:
        """Bounds on one image."""
        return ImageLimits(max_bytes=self.max_image_bytes, max_pixels=self.max_image_pixels)

    @property
    def memory_bytes(self) -> int:
        """Bytes for accepted requests."""
        return self.max_memory_mb * _MEGABYTE

    @property
    def guard_limits(self) -> GuardLimits:
        """How much the guard takes at a time."""
        return GuardLimits(
            max_prompt_tokens=self.max_prompt_tokens,
            max_batch=self.max_batch,
            max_replies=self.max_replies,
            kv_positions=self.kv_positions,
            reply_window=self.reply_window,
            reply_threshold=self.reply_threshold,
        )

    @property
    def engine(self) -> EngineConfig:
        """Bounds of the engine."""
        return EngineConfig(
            max_requests=self.max_requests,
            max_batch=self.max_batch,
            max_wait_s=self.max_wait_ms / 1000,
            max_tokens_in_flight=self.max_tokens_in_flight,
            cache_bytes=self.cache_mb * _MEGABYTE,
            verdict_timeout_s=self.verdict_timeout_s,
            reply_timeout_s=self.reply_timeout_s,
        )

    @property
    def clamps_own(self) -> bool:
        """Whether a ``max_tokens`` above the limit is lowered to it on the server's own paths."""
        return self.max_tokens_excess == "clamp"

    @property
    def clamps_openai(self) -> bool:
        """Whether a ``max_tokens`` above the limit is lowered to it on the OpenAI-compatible paths."""
        return self.max_tokens_excess != "reject"

    @property
    def exchange_timeout_s(self) -> float:
        """Seconds from a request's head to the end of its reply if every phase uses up its timeout."""
        return self.body_timeout_s + self.verdict_timeout_s + self.reply_timeout_s + self.send_timeout_s

    @property
    def requires_api_keys(self) -> bool:
        """Whether callers need a key: as soon as there is a place for keys, even while it holds none."""
        return self.api_keys_file is not None or bool(self.api_keys)

    @property
    def allows_untrained(self) -> bool:
        """Whether the operator accepts a checkpoint that guards nothing."""
        return self.allow_untrained != "no"


def read_settings() -> Settings:
    """Settings from the environment.

    Raises:
        ConfigError: a value is malformed, or a variable with our prefix is none of ours (a typing mistake there could
            leave a guard weaker than its operator believes). The message names variables, never values.
    """
    known = {PREFIX + name.upper(): name for name in Settings.model_fields}
    links = set(_service_links(os.environ))
    unknown = sorted(
        name
        for name in os.environ
        if name.upper().startswith(PREFIX) and name.upper() not in known and name not in links
    )
    if unknown:
        raise ConfigError(f"unknown settings: {', '.join(_with_nearest(name, known) for name in unknown)}")
    try:
        # What is given here comes before the environment, where a link has the name of a setting.
        return Settings(**{known[name]: Settings.model_fields[known[name]].default for name in links & known.keys()})
    except ValidationError as exc:
        problems = [f"{PREFIX}{str(error['loc'][0]).upper()}: {_complaint(error)}" for error in exc.errors()]
        raise ConfigError("; ".join(problems)) from exc


def _service_links(environment: Mapping[str, str]) -> Iterator[str]:
    """Names of the variables that Kubernetes and Docker set for services whose names begin like our settings.

    For a service ``safevlm-guard`` these are ``SAFEVLM_GUARD_SERVICE_HOST``, ``SAFEVLM_GUARD_PORT=tcp://10.0.0.1:8000``,
    ``SAFEVLM_GUARD_PORT_8000_TCP_ADDR`` and others. One that has the name of a setting, such as ``SAFEVLM_PORT`` of a
    service ``safevlm``, is recognised by its value.
    """
    for name, value in environment.items():
        if name.startswith(PREFIX) and any(
            of_name.fullmatch(name) and of_value.fullmatch(value) for of_name, of_value in _LINKS
        ):
            yield name


def _complaint(error: ErrorDetails) -> str:
    """What is wrong with a value; the message of our own validator if one rejected it."""
    return str(error.get("ctx", {}).get("error") or error["msg"])


def _with_nearest(name: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(name.upper(), list(known), n=1, cutoff=0.75)
    return f"{name} (did you mean {nearest[0]}?)" if nearest else name


def _normalised_host(host: str) -> str:
    """An allowed host in the form that requests are compared with; a port is ignored."""
    if host == ANY_HOST:
        return host
    wildcard = "*." if host.startswith("*.") else ""
    name = host.removeprefix(wildcard)
    try:
        return wildcard + parse_authority(f"[{name}]" if name.count(":") > 1 and "[" not in name else name).host
    except ValueError as exc:
        raise ValueError("expected host names or addresses, without a scheme") from exc


def settings_table() -> str:
    """All settings as a Markdown table, as ``docs/settings.md`` shows it."""
    rows = ["| Variable | Default | Meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, ()) else str(field.default)
        shown = {"True": "true", "False": "false"}.get(default, default)
        rows.append(f"| `{PREFIX}{name.upper()}` | {f'`{shown}`' if shown else ''} | {field.description} |")
    return "\n".join(rows) + "\n"
