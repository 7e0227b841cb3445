"""One row over all pairs of a suite, in batches, by the rules of the guard.

Through the guard and generator that a server runs: head first, from features and input embeddings; a refused pair never
reaches the language model; the others are answered side by side. Knows nothing of figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from safety_core.engine.generation.generator import Generator, Job, Row
from safety_core.engine.guard import Guard
from safety_core.engine.judging.variant_decision import Reading
from safety_core.engine.messages import GuardLimits
from safety_core.errors import ConfigError, PromptError
from safety_core.evaluation.runs.systems import LoadedRow
from safety_core.evaluation.scoring.guard_scores import Chunk, chunks, judge, score_chunk
from safety_core.evaluation.scoring.judges import Judge
from safety_core.evaluation.scoring.reply_kinds import Judgement, Reply
from safety_core.evaluation.scoring.vision_features import KeptFeatures
from safety_core.evaluation.statistics.measures import Outcome
from safety_core.evaluation.suites.suite import Suite
from safety_core.model.hints import hint_for
from safety_core.model.sampling import Sampling
from safety_core.policy.policy import Decision

BATCHES_PER_CHUNK = 8
"""Batches whose pictures are kept at a time, so that like prompts can be found among them."""

_MAX_POSITIONS = 1 << 16
"""Room for keys and values: replies at a time times positions of the longest."""

TOO_LONG = "the prompt is too long for the model"

Progress = Callable[[int, int], None]
"""Called with the pairs that are done and the pairs that there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one pair: a reply, or the reason why there is none."""

    reply: Reply | None
    """The reply."""

    problem: str | None = None
    """Why there is none."""

    tokens: int = 0
    """Tokens that the language model made."""


REFUSED = Answer(reply=Reply(text=None))


class Replay:
    """Runs rows over one suite.

    Args:
        suite: the pairs.
        judge: says of which kind a reply is.
        batch_size: pairs that head and language model take at a time.
        cache: features that rows share; None for one of the default size.
    """

    def __init__(self, suite: Suite, judge: Judge, *, batch_size: int = 64, cache: KeptFeatures | None = None) -> None:
        self.suite = suite
        self._judge = judge
        self._batch_size = batch_size
        self._cache = KeptFeatures() if cache is None else cache

    def run(self, row: LoadedRow, progress: Progress | None = None) -> list[Outcome]:
        """Outcomes of a row in the suite's order.

        Raises:
            ConfigError: the checkpoint's taxonomy is not the suite's.
            SampleError: a picture cannot be read, or is transparent.
        """
        if row.model.taxonomy != self.suite.spec.taxonomy:
            raise ConfigError(f"row {row.spec.name}: the checkpoint's taxonomy is not the suite's")
        pairs = self.suite.pairs
        outcomes: list[Outcome] = []
        size = BATCHES_PER_CHUNK * self._batch_size
        for chunk in chunks(row.model, [pair.sample for pair in pairs], size, self._cache):
            judged = self._judged(row, chunk)
            for entry, answer in zip(judged, self._answers(row, chunk, judged), strict=True):
                pair = pairs[len(outcomes)]
                outcomes.append(
                    Outcome(
                        pair=pair,
                        verdict=None if entry is None else entry.verdict,
                        scores=None if entry is None else entry.scores,
                        reply=answer.reply,
                        judgement=self._judgement(pair.sample.label.type, answer),
                        tokens=answer.tokens,
                    )
                )
            if progress is not None:
                progress(len(outcomes), len(pairs))
        return outcomes

    def _judged(self, row: LoadedRow, chunk: Chunk) -> list[Reading | None]:
        """The guard's decisions; None in rows without a head, and for prompts that are too long."""
        if not row.spec.use_head:
            return [None] * len(chunk.samples)
        guard = Guard(row.model, row.policy, limits=GuardLimits(tower_batch=self._batch_size))
        readings = score_chunk(guard, chunk, self._batch_size)
        return [judge(row.policy, row.model.taxonomy, entry) for entry in readings]

    def _judgement(self, risk_type: int, answer: Answer) -> Judgement:
        if answer.reply is None:
            return Judgement(kind=None, reason=answer.problem)
        return self._judge(self.suite.spec.taxonomy.types[risk_type], answer.reply)

    def _answers(self, row: LoadedRow, chunk: Chunk, judged: Sequence[Reading | None]) -> list[Answer]:
        """What becomes of every pair of a chunk: who is not refused is answered, by continuous batching."""
        answers = [REFUSED] * len(judged)
        generator = Generator(row.model, max_rows=self._batch_size, max_positions=_MAX_POSITIONS)
        rows: dict[int, Row] = {}
        for index, entry in enumerate(judged):
            if entry is not None and entry.verdict.decision is Decision.REFUSED:
                continue
            try:
                if entry is not None or not row.spec.use_head:
                    rows[index] = generator.row(self._job(row, chunk, index, entry))
            except PromptError:
                pass
            if index not in rows:
                answers[index] = Answer(reply=None, problem=TOO_LONG)
        # Prompts of like length are padded least.
        alike = sorted(rows, key=lambda index: rows[index].prompt_positions)
        generator.run([rows[index] for index in alike])
        for index in alike:
            answers[index] = _answer(rows[index])
        return answers

    def _job(self, row: LoadedRow, chunk: Chunk, index: int, judged: Reading | None) -> Job:
        """What the row's language model gets; raises PromptError where it is too long."""
        turns = chunk.samples[index].turns if judged is None else judged.turns
        hint = hint_for(row.model.hints, judged.verdict) if judged is not None and row.spec.use_hints else None
        return Job(
            prompt=row.model.prompts.encode(turns, len(chunk.places[index]), hint=hint),
            pictures=chunk.pictures(index),
            inject=row.spec.use_llm_tokens,
            sampling=Sampling(max_new_tokens=self.suite.spec.max_new_tokens),
        )


def _answer(row: Row) -> Answer:
    if row.failure is not None:
        return Answer(reply=None, problem=str(row.failure))
    reply = Reply(text=row.text, truncated=row.finish_reason == "length")
    return Answer(reply=reply, tokens=len(row.token_ids))
