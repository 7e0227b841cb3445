"""One row over all pairs of a suite, in batches, by the rules of the guard.

Head first, from features and input embeddings; a refused pair never reaches the language model; the others are answered
in batches of like prompts. Knows nothing of figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from safety_core.errors import ConfigError, NoVerdictError, PromptError
from safety_core.evaluation.features import KeptFeatures
from safety_core.evaluation.judges import Judge
from safety_core.evaluation.judging import Chunk, Judged, chunks, judge, score_chunk
from safety_core.evaluation.measures import Outcome
from safety_core.evaluation.replies import Judgement, Reply
from safety_core.evaluation.rows import LoadedRow
from safety_core.evaluation.suites import Suite
from safety_core.model.hints import hint_for
from safety_core.policy import Decision
from safety_core.prompts import EncodedPrompt

BATCHES_PER_CHUNK = 8
"""Batches that are judged together, so that each can be filled with like prompts."""

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

    def _judged(self, row: LoadedRow, chunk: Chunk) -> list[Judged | None]:
        """The guard's decisions; None in rows without a head, and for prompts that are too long."""
        if not row.spec.use_head:
            return [None] * len(chunk.samples)
        readings = score_chunk(row.model, chunk, self._batch_size)
        return [judge(row.policy, row.model.taxonomy, entry) for entry in readings]

    def _judgement(self, risk_type: int, answer: Answer) -> Judgement:
        if answer.reply is None:
            return Judgement(kind=None, reason=answer.problem)
        return self._judge(self.suite.spec.taxonomy.types[risk_type], answer.reply)

    def _answers(self, row: LoadedRow, chunk: Chunk, judged: Sequence[Judged | None]) -> list[Answer]:
        """What becomes of every pair of a chunk."""
        answers = [REFUSED] * len(judged)
        prompts: dict[int, EncodedPrompt] = {}
        for index, entry in enumerate(judged):
            if entry is not None and entry.verdict.decision is Decision.REFUSED:
                continue
            prompt = None if entry is None and row.spec.use_head else _encode(row, chunk, index, entry)
            if prompt is None:
                answers[index] = Answer(reply=None, problem=TOO_LONG)
            else:
                prompts[index] = prompt

        def likeness(index: int) -> tuple[int, str, int]:
            # A batch lasts as long as its longest reply, and prompts of one intent get replies of like length.
            intent = str(chunk.samples[index].meta.get("intent"))
            return len(chunk.places[index]), intent, len(prompts[index].input_ids)

        alike = sorted(prompts, key=likeness)
        for start in range(0, len(alike), self._batch_size):
            batch = alike[start : start + self._batch_size]
            for index, answer in zip(batch, self._generate(row, chunk, batch, prompts), strict=True):
                answers[index] = answer
        return answers

    def _generate(
        self, row: LoadedRow, chunk: Chunk, batch: Sequence[int], prompts: Mapping[int, EncodedPrompt]
    ) -> list[Answer]:
        """Greedy replies of one batch. What fails in company is tried alone, so that it takes nobody with it."""
        vision, counts = chunk.select(batch)
        try:
            replies = row.model.generate(
                [prompts[index] for index in batch],
                vision,
                counts,
                inject=row.spec.use_llm_tokens,
                max_new_tokens=self.suite.spec.max_new_tokens,
            )
        except (NoVerdictError, PromptError) as exc:
            if len(batch) == 1:
                return [Answer(reply=None, problem=str(exc))]
            return [answer for index in batch for answer in self._generate(row, chunk, [index], prompts)]
        return [
            Answer(reply=Reply(text=made.text, truncated=made.finish_reason == "length"), tokens=len(made.token_ids))
            for made in replies
        ]


def _encode(row: LoadedRow, chunk: Chunk, index: int, judged: Judged | None) -> EncodedPrompt | None:
    """The prompt with its hint, if it is due one; None where it is too long."""
    turns = chunk.samples[index].turns if judged is None else judged.turns
    hint = hint_for(row.model.hints, judged.verdict) if judged is not None and row.spec.use_hints else None
    try:
        return row.model.prompts.encode(turns, len(chunk.places[index]), hint=hint)
    except PromptError:
        return None
