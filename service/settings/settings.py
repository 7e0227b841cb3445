"""The settings: each field with its type, default and description, and the limits that follow from them.

``docs/settings.md`` is generated from the descriptions. Nothing is read on import; see ``environment``.
"""

from typing import Literal, get_args

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from safety_core.cli.common import DEFAULT_CHECKPOINT
from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.serving.cores import CoreShare
from safety_core.engine.serving.engine_config import EngineConfig
from safety_core.inputs.images.limits import ImageLimits
from safety_core.lettering.readers import ReadPictures
from service.settings.values import (
    CheckpointPath,
    Comparison,
    HostList,
    LogFormatSetting,
    LogLevel,
    NetworkList,
    OptionalPath,
    OriginList,
    RefusalIn,
    RootPath,
    TextList,
    Untrained,
)

PREFIX = "SAFEVLM_"
"""Prefix of all variables."""

_MEGABYTE = 1024 * 1024


class Settings(BaseSettings):
    """Settings of one server; the variable of a field is ``SAFEVLM_`` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; `0.0.0.0` serves every network interface."
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    root_path: RootPath = Field(
        default="",
        description="Path prefix under which a proxy serves this server, such as `/guard`; the proxy may strip it.",
    )
    allowed_hosts: HostList = Field(
        default=(),
        description=(
            "Host names accepted in the `Host` header, separated by commas; `*.example.org` matches all subdomains, "
            "`*` any host; others get 421. If empty: any host if there are API keys, otherwise only loopback names."
        ),
    )
    allowed_origins: OriginList = Field(
        default=(),
        description=(
            "Origins (`https://app.example.org`) whose pages may call this server from a browser, separated by commas; "
            "this server's own pages always may."
        ),
    )
    trusted_proxies: NetworkList = Field(
        default=(),
        description=(
            "Addresses and networks of proxies whose `X-Forwarded-For`, `-Host` and `-Proto` headers are trusted, "
            "separated by commas; `-Host` and `-Proto` are always trusted from this machine."
        ),
    )
    log_level: LogLevel = Field(
        default="info", description="Minimum severity of log lines. Prompts, images and replies are never logged."
    )
    log_format: LogFormatSetting = Field(
        default="json", description="Format of log lines: `json`, one object per line, or `text`, for a terminal."
    )

    api_keys_file: OptionalPath = Field(
        default=None, description="YAML file with the digests of API keys; reloaded when it changes."
    )
    api_keys: str | None = Field(
        default=None,
        description=(
            "API keys as YAML, in the format of the key file. Without any key, the server listens on this machine only."
        ),
    )
    reload_interval_s: float = Field(
        default=2,
        gt=0,
        description="Interval in seconds between checks of the API key file, the policy file and the audit log.",
    )
    mode: Literal["chat", "guard"] = Field(
        default="chat",
        description=(
            "`chat` judges and answers; `guard` only judges: it loads no more of the language model than the safety "
            "head reads, and the chat endpoints return 501."
        ),
    )
    checkpoint: CheckpointPath = Field(
        default=DEFAULT_CHECKPOINT,
        description=(
            "Checkpoint directory, verified before anything is loaded from it. The default is found from any "
            "working directory."
        ),
    )
    fallback_checkpoint: CheckpointPath | None = Field(
        default=None,
        description=(
            "Checkpoint that is served, with a warning, while the backbone of `SAFEVLM_CHECKPOINT` was never fetched. "
            "If unset, the server does not start then; only `make serve` sets it (`docs/parts.md`)."
        ),
    )
    policy: OptionalPath = Field(
        default=None,
        description=(
            "YAML file of policies that change the checkpoint's own; reloaded when it changes (`docs/policy.md`)."
        ),
    )
    allow_untrained: Untrained = Field(
        default="no",
        description=(
            "Whether to serve a checkpoint whose safety modules were never trained: `no` or "
            f"`{get_args(Untrained)[1]}`."
        ),
    )
    device: str = Field(
        default="auto", description="Device of the model: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:N`."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Precision of the backbone: `float32`, `bfloat16` or `float16`; `auto` is bfloat16 on a GPU and "
        "float32 on the CPU, where replies may be decoded in bfloat16 (ADR 53).",
    )
    quantize: Literal["none", "int8", "nf4"] = Field(
        default="none",
        description=(
            "Quantization of the language model: `none`, `int8` or `nf4`. Vision tower and safety modules are not "
            "quantized."
        ),
    )

    read_pictures: ReadPictures = Field(
        default="auto",
        description="Whether lettering in pictures is judged: `true`, `false` or `auto` (`docs/lettering.md`).",
    )

    max_body_bytes: int = Field(
        default=20 * _MEGABYTE,
        ge=1,
        description="Maximum size of a request body in bytes, counted while it is received.",
    )
    max_image_bytes: int = Field(
        default=10 * _MEGABYTE, ge=1, description="Maximum size of one encoded image in bytes."
    )
    max_image_pixels: int = Field(default=25_000_000, ge=1, description="Maximum pixels of one image, by its header.")
    max_request_pixels: int = Field(
        default=80_000_000,
        ge=1,
        description=(
            "Decoding budget of one request in pixels, summed over its images. A large JPEG counts about a quarter of "
            "its pixels, more if it has many scans; other formats count up to three times theirs."
        ),
    )
    image_url_hosts: TextList = Field(
        default=(),
        description=(
            "Hosts from which images may be fetched by https URL, separated by commas; `*.example.org` matches all "
            "subdomains. If empty, nothing is fetched. The server connects to public addresses only."
        ),
    )
    image_url_timeout_s: float = Field(default=10, gt=0, description="Timeout in seconds for fetching one image.")
    max_images: int = Field(default=8, ge=1, description="Maximum number of images in one request.")
    max_prompt_tokens: int = Field(
        default=1024, ge=1, description="Maximum tokens of a prompt; longer prompts are rejected, never truncated."
    )
    max_judged_characters: int = Field(
        default=65_536,
        ge=1,
        description=(
            "Maximum number of characters in all texts of one moderation or guardrail request. Texts of more than "
            "`SAFEVLM_MAX_PROMPT_TOKENS` are judged in overlapping windows."
        ),
    )
    max_turns: int = Field(
        default=32,
        ge=1,
        description=(
            "Maximum number of messages in one conversation; each message is judged by itself and with the others."
        ),
    )
    max_choices: int = Field(default=4, ge=1, description="Maximum `n` of one chat completion.")
    max_tokens: int = Field(default=512, ge=1, description="Maximum `max_tokens` of a request.")
    max_tokens_excess: Literal["auto", "clamp", "reject"] = Field(
        default="auto",
        description=(
            "Handling of a larger `max_tokens`: `clamp` lowers it to the limit and reports the limit in the header "
            "`X-SafeVLM-Max-Tokens`, `reject` answers 400; `auto` clamps on the OpenAI-compatible paths and rejects on "
            "the others."
        ),
    )
    default_max_tokens: int = Field(default=256, ge=1, description="`max_tokens` of a request without this field.")
    max_requests: int = Field(
        default=128,
        ge=1,
        description=(
            "Maximum requests in progress (being received, waiting or running); further ones get 429 at once. While "
            "several clients have requests in progress, each may have at most half of this number."
        ),
    )
    max_tokens_in_flight: int = Field(
        default=65536,
        ge=1,
        description=(
            "Token budget of all accepted chats together: prompts, images and replies; chats beyond it get 429."
        ),
    )
    max_memory_mb: int = Field(
        default=1024,
        ge=64,
        description=(
            "Memory budget in megabytes for accepted requests, excluding the model: half for their data, half for "
            "decoding. Requests beyond the budget get 429; a single request is always served."
        ),
    )
    decode_workers: int = Field(
        default=2,
        ge=1,
        description=(
            "Number of threads that decode small images. The same number prepares texts, and the same number, but at "
            "most one for two cores, decodes large images."
        ),
    )
    max_batch: int = Field(default=16, ge=1, description="Maximum number of images judged together in one batch.")
    max_wait_ms: float = Field(
        default=2,
        ge=0,
        description="Maximum time in milliseconds that a batch waits for requests that are being prepared.",
    )
    max_replies: int = Field(
        default=32,
        ge=1,
        description="Maximum number of replies generated together in one batch; `1` disables batching.",
    )
    kv_positions: int = Field(
        default=32768,
        ge=1,
        description=(
            "Size of the KV cache in positions, of all replies together (0.5 MiB each in LLaVA-1.5-7B, 16 bit)."
        ),
    )
    cache_mb: int = Field(default=64, ge=0, description="Size of the verdict cache in megabytes; `0` disables it.")

    max_connections: int | None = Field(
        default=None,
        ge=1,
        description=(
            "Maximum number of open connections; beyond it, an idle connection is closed to make room. Default: as "
            "many as the limit on open files allows, at most 4096."
        ),
    )
    keep_alive_timeout_s: float = Field(
        default=75,
        gt=0,
        description="Seconds for which an idle connection is kept; should exceed the idle timeout of a proxy in front.",
    )
    header_timeout_s: float = Field(
        default=10, gt=0, description="Timeout in seconds for receiving a request head (slowloris protection)."
    )
    body_timeout_s: float = Field(default=30, gt=0, description="Timeout in seconds for receiving a request body.")
    send_timeout_s: float = Field(
        default=30,
        gt=0,
        description="Timeout in seconds for a client to read part of its reply; then the connection is closed.",
    )
    verdict_timeout_s: float = Field(
        default=30,
        gt=0,
        description=(
            "Timeout in seconds from the last byte of a request to its verdict, decoding and queueing included; "
            "then 503."
        ),
    )
    reply_timeout_s: float = Field(
        default=300, gt=0, description="Timeout in seconds from the verdict to the end of the reply."
    )
    canary_interval_s: float = Field(
        default=30, gt=0, description="Interval in seconds between checks of readiness with the canary image."
    )
    shutdown_timeout_s: float = Field(
        default=30, gt=0, description="Seconds for accepted requests to finish after SIGTERM."
    )

    audit_log: OptionalPath = Field(
        default=None,
        description=(
            "SQLite file that records every decision, with scores, key, policy and digests of images; a request whose "
            "entry cannot be written is not answered. If unset, nothing is stored."
        ),
    )
    audit_log_days: float = Field(default=30, gt=0, description="Days for which entries of the audit log are kept.")
    audit_log_entries: int = Field(
        default=1_000_000,
        ge=1,
        description="Maximum number of entries in the audit log; the oldest entries are deleted.",
    )
    reply_window: int = Field(
        default=20,
        ge=0,
        description=(
            "Interval in tokens between judgements of a reply while it is generated; the stream is delayed by the "
            "same number of tokens. The first windows are shorter; windows with few letters are longer. `0` disables "
            "the judgement of replies."
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
    playground_compare: Comparison = Field(
        default=False,
        description=(
            "Whether the playground also shows what the model replies without the guard; only on a loopback address, "
            "without a proxy (`docs/playground.md`)."
        ),
    )
    expose_risk: bool = Field(
        default=True,
        description="Whether replies contain scores and timings; if `false`, they contain only the decision.",
    )

    @property
    def image_limits(self) -> ImageLimits:
        """Limits on one image."""
        return ImageLimits(max_bytes=self.max_image_bytes, max_pixels=self.max_image_pixels)

    @property
    def memory_bytes(self) -> int:
        """Memory budget for accepted requests, in bytes."""
        return self.max_memory_mb * _MEGABYTE

    @property
    def guard_limits(self) -> GuardLimits:
        """Limits of the guard."""
        return GuardLimits(
            max_prompt_tokens=self.max_prompt_tokens,
            max_batch=self.max_batch,
            max_replies=self.max_replies,
            kv_positions=self.kv_positions,
            max_readings=max(1, CoreShare().total // 2),
            reply_window=self.reply_window,
            reply_threshold=self.reply_threshold,
        )

    @property
    def engine(self) -> EngineConfig:
        """Limits of the engine."""
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
    def exchange_timeout_s(self) -> float:
        """Seconds from the head of a request to the end of its reply if every phase takes as long as its timeout."""
        return self.body_timeout_s + self.verdict_timeout_s + self.reply_timeout_s + self.send_timeout_s

    @property
    def requires_api_keys(self) -> bool:
        """Whether requests need an API key: as soon as keys are configured, even while the key file has none."""
        return self.api_keys_file is not None or bool(self.api_keys)

    @property
    def allows_untrained(self) -> bool:
        """Whether the operator accepts a checkpoint without trained safety modules."""
        return self.allow_untrained != "no"
