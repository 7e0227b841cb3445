"""Creates the parts of a server when it starts, and closes them in reverse order when it stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from safety_core.engine.guard_info import GuardInfo
from safety_core.engine.protocols import GuardLike
from safety_core.engine.serving.async_guard import AsyncGuard
from safety_core.engine.serving.cores import CoreShare
from safety_core.engine.serving.engine_config import EngineConfig
from safety_core.errors import ConfigError
from safety_core.inputs.images.limits import ImageLimits
from safety_core.policy.named_policies import PolicyBook
from service.access.api_keys import KeySet, read_keys
from service.access.rate_limit import RateLimiter
from service.container import Service
from service.hot_reload import ReloadedFile, run_in_background
from service.ingress.decode_pool import DecodePool, start_pool
from service.ingress.error_budget import ErrorBudget
from service.ingress.image_fetcher import ImageFetcher
from service.ingress.image_loader import ImageLoader
from service.ingress.memory_budget import MemoryBudget, create_heap_trimmer
from service.ingress.request_resources import RequestResources
from service.policies import check_policies, check_policy_file, log_missing_policies, read_policies
from service.readiness import Readiness
from service.settings import Settings
from service.startup.guard_loading import load_configured_guard
from service.telemetry.audit import open_audit_log
from service.telemetry.metrics import Metrics

_WAITING_REQUESTS = 4
"""Maximum number of requests that wait for each thread that decodes expensive images; more could not be decoded in
time."""


@asynccontextmanager
async def open_service(settings: Settings, guard: GuardLike | None) -> AsyncIterator[Service]:
    """Start the parts of a server, and stop them after the context.

    Args:
        settings: settings of the operator.
        guard: the guard; loaded as the settings say if None.

    Raises:
        SafeVLMError: the checkpoint, the API keys, the policies or the audit log cannot be used, or the guard lacks
            what the settings ask for.
    """
    if guard is None:
        check_policy_file(settings)
        guard = await asyncio.to_thread(load_configured_guard, settings)
    if settings.playground_compare and not guard.info.compares:
        raise ConfigError("SAFEVLM_PLAYGROUND_COMPARE: this guard was loaded without the bare language model")
    rate_limiter = RateLimiter()
    keys, policies = _open_reloaded_files(settings, guard.info, rate_limiter)
    async with AsyncExitStack() as resources:
        audit_log = await resources.enter_async_context(open_audit_log(settings, checkpoint=guard.info.checkpoint))
        resources.callback(guard.fold_in_process().close)
        cores = CoreShare()
        config = derive_engine_config(settings, guard.info, cores)
        parsers = resources.enter_context(start_pool(max(settings.decode_workers, config.prepare_slots), "prepare"))
        decode_pool = _create_decode_pool(settings, cores)
        resources.callback(decode_pool.close)
        metrics = Metrics(names_risk=settings.expose_risk or settings.requires_api_keys)
        worker_died = asyncio.Event()
        engine = AsyncGuard(
            guard,
            preparers=parsers,
            observer=metrics,
            config=config,
            on_death=worker_died.set,
            cores=cores,
        )
        metrics.register_sources(engine, decode_pool, [keys, policies, audit_log])
        readiness = Readiness(
            engine, interval_s=settings.canary_interval_s, worker_died=worker_died, require_others=audit_log.require
        )
        error_budget = ErrorBudget()
        service = Service(
            settings=settings,
            guard=engine,
            metrics=metrics,
            readiness=readiness,
            parsers=parsers,
            memory=MemoryBudget(settings.memory_bytes // 2, released=create_heap_trimmer(parsers)),
            image_loader=_create_image_loader(settings, engine, decode_pool, error_budget),
            keys=keys,
            rate_limiter=rate_limiter,
            policies=policies,
            audit_log=audit_log,
            error_budget=error_budget,
        )
        try:
            async with (
                readiness.run_checks(),
                run_in_background(keys.watch(settings.reload_interval_s)),
                run_in_background(policies.watch(settings.reload_interval_s)),
            ):
                yield service
        finally:
            service.rejection_log.summarise()
            await engine.close(timeout_s=settings.shutdown_timeout_s)


def derive_image_limits(settings: Settings, info: GuardInfo) -> ImageLimits:
    """Derive the limits on one image."""
    return info.limit_images(settings.image_limits)


def derive_engine_config(settings: Settings, info: GuardInfo, cores: CoreShare) -> EngineConfig:
    """Derive the limits of the engine. Pictures are read on half of the cores, beside the model."""
    config = settings.engine
    if not info.reads_lettering:
        return config
    return replace(config, prepare_slots=max(config.prepare_slots, 1 + cores.total // 2))


def _open_reloaded_files(
    settings: Settings, info: GuardInfo, rate_limiter: RateLimiter
) -> tuple[ReloadedFile[KeySet], ReloadedFile[PolicyBook]]:
    """Read the API keys and the policies, and check each against the other when one changes."""
    keys = ReloadedFile(
        "API keys",
        [] if settings.api_keys_file is None else [settings.api_keys_file],
        lambda: read_keys(settings.api_keys_file, settings.api_keys),
        create_fallback=lambda: read_keys(None, settings.api_keys),
    )
    policies = ReloadedFile(
        "policies",
        [] if settings.policy is None else [settings.policy],
        lambda: read_policies(settings, info),
        blank_is_broken=True,  # an emptied file must not remove a stricter policy by accident
    )
    check_policies(keys.content, policies.content)
    keys.add_listener(lambda changed: rate_limiter.keep_only(changed.keys))
    keys.add_listener(lambda changed: log_missing_policies(changed, policies.content))
    policies.add_listener(lambda changed: log_missing_policies(keys.content, changed))
    return keys, policies


def _create_decode_pool(settings: Settings, cores: CoreShare) -> DecodePool:
    expensive_workers = min(settings.decode_workers, max(1, cores.total // 2))
    return DecodePool(
        workers=settings.decode_workers,
        expensive_workers=expensive_workers,
        cores=cores,
        max_waiting=_WAITING_REQUESTS * expensive_workers * settings.max_request_pixels,
        max_memory=settings.memory_bytes // 2,
    )


def _create_image_loader(
    settings: Settings, engine: AsyncGuard, decode_pool: DecodePool, error_budget: ErrorBudget
) -> ImageLoader:
    def require_room(count: int, resources: RequestResources) -> None:
        error_budget.require_budget(resources.client)
        engine.require_room(count, client=resources.client, deadline=resources.deadline)

    return ImageLoader(
        decode_pool=decode_pool,
        limits=derive_image_limits(settings, engine.info),
        max_cost=settings.max_request_pixels,
        fill=engine.info.pad_colour,
        fetcher=ImageFetcher(
            settings.image_url_hosts, max_bytes=settings.max_image_bytes, timeout_s=settings.image_url_timeout_s
        ),
        require_room=require_room,
    )
