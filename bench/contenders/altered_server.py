"""``python -m bench.contenders.altered_server``: our own server, changed where a measurement needs it; never for use.

``--unguarded`` judges nothing: tower and language model alone, the same HTTP, queues and batching around them.
``--endless`` makes every reply as long as was asked for, of tokens that are text: none ends it, none is silent.
"""

from collections.abc import Generator, Sequence
from typing import Annotated

import typer
import uvicorn

from safety_core.engine.generation.output_rail import ReplyDecision
from safety_core.engine.guard import Guard
from safety_core.engine.judging.decision import build_verdict
from safety_core.engine.judging.model_input import ModelInput
from safety_core.engine.judging.scored_decision import JudgedInput
from safety_core.engine.judging.scorer import Scorer
from safety_core.engine.load import load_guard
from safety_core.engine.messages import ChatRequest, GuardVerdict
from safety_core.engine.work import JudgedRequest, PreparedRequest, Work
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.tower import VisionFeatures
from safety_core.policy.book import ActivePolicy
from safety_core.policy.policy import Verdict, decide
from safety_core.scores import PairScores, RiskScores
from service.app import create_app
from service.settings import Settings
from service.settings.environment import read_settings
from service.startup.guard_loading import run_in_temporary_thread


class Unguarded(Guard):
    """A guard that lets everything through without a look; no safety token rides along."""

    def judge(self, batch: Sequence[PreparedRequest]) -> list[JudgedRequest | Exception]:
        """Run the vision tower, as answering needs it, and nothing else."""
        ready = [one for one in batch if isinstance(one, ModelInput)]
        vision, rows_of = Scorer(self.model, max_batch=self.limits.max_batch).encode_views(ready)
        return [
            JudgedInput(
                verdict=self._let_through(one),
                turns=one.request.turns,
                answerable=isinstance(one.request, ChatRequest),
                pictures=VisionFeatures((), vision[rows].projected_BPD.clone())
                if vision is not None and rows
                else None,
            )
            for one, rows in zip(ready, rows_of, strict=True)
        ]

    def judge_in_slices(
        self, batch: Sequence[PreparedRequest]
    ) -> Generator[Work, None, list[JudgedRequest | Exception]]:
        """The same without a pause."""
        yield from ()
        return self.judge(batch)

    def find_canary_failure(self, verdict: GuardVerdict) -> str | None:
        """None: there is nothing to complain of."""
        return None

    def _let_through(self, ready: ModelInput) -> GuardVerdict:
        taxonomy = self.model.taxonomy
        safe = RiskScores(
            types=tuple(float(name == taxonomy.safe_type) for name in taxonomy.types),
            levels=tuple(float(not level) for level in range(len(taxonomy.levels))),
        )
        images = (safe,) * len(ready.views)
        pair = PairScores(joint=safe, per_image=images, image=safe if images else None, text=safe)
        verdict: Verdict = decide(self.policy, taxonomy, safe)
        return build_verdict(self.policy, taxonomy, ready.request, pair, verdict, safe)


def main(
    unguarded: Annotated[bool, typer.Option(help="Judge nothing.")] = False,
    endless: Annotated[bool, typer.Option(help="Make every reply as long as was asked for.")] = False,
) -> None:
    """Serve, with the settings of ``SAFEVLM_*``."""
    settings = read_settings()
    guard = run_in_temporary_thread(lambda: _guard(settings, unguarded=unguarded, endless=endless))
    config = uvicorn.Config(
        create_app(settings, guard), host=settings.host, port=settings.port, log_config=None, access_log=False
    )
    uvicorn.Server(config).run()


def _guard(settings: Settings, *, unguarded: bool, endless: bool) -> Guard:
    guard = load_guard(
        settings.checkpoint,
        device=settings.device,
        dtype=settings.dtype,
        quantize=settings.quantize,
        limits=settings.guard_limits,
    )
    model = guard.model
    if endless:
        _without_end(model)
        _judging_in_vain(guard)
    if not unguarded:
        return guard
    model.safety.llm_tokens_SD = None
    return Unguarded(model, guard.policy, limits=guard.limits)


def _without_end(model: SafeLlava) -> None:
    """Every reply then ends by its limit only, and no token of it is one that clients never see."""
    silent = (model.backbone.config.image_token_id, *model.tokenizer.all_special_ids)
    type(model).eos_ids = property(lambda self: ())  # type: ignore[assignment, method-assign]
    type(model).banned_ids = property(lambda self: silent)  # type: ignore[assignment, method-assign]


def _judging_in_vain(guard: Guard) -> None:
    """The output rail then does its work and lets everything through: words beyond a reply's end mean nothing."""
    judge = guard.decide_replies

    def in_vain(replies: Sequence[str], rules: Sequence[ActivePolicy | None]) -> list[ReplyDecision | None]:
        judge(replies, rules)
        return [ReplyDecision.RELEASE] * len(replies)

    guard.decide_replies = in_vain  # type: ignore[method-assign]


if __name__ == "__main__":
    typer.run(main)
