"""transformers' own continuous batching, with paged keys and values, for prompts that are embeddings.

It accepts token ids only. A prompt's embeddings are therefore written to rows of a pool, and the prompt is submitted as
ids beyond the vocabulary, each of which stands for one row; :class:`PooledEmbedding` maps them back. Greedy only.

The following measures keep it correct; without them it fails silently:

- rows are reused, so equal ids do not mean equal prompts: blocks are never shared between prompts;
- the attention implementation is set on a config: the model that runs here is a twin with its own configs, which shares
  all weights with the original and does not change it;
- automatic flash attention may fetch kernels from a hub: it is turned off.

Logits that are not finite are not detected, and spread: all replies of a step attend within one sequence, under a mask
that NaN passes. transformers' loop is one thread for all replies; an error in it ends every reply and the loop.
Shapes: P pool rows · T positions · D LLM width.
"""

import copy
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from itertools import chain, count
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import GenerationConfig, LlavaForConditionalGeneration
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from safety_core.model.safe_llava import SafeLlava

_logger = logging.getLogger(__name__)

_POLL_S = 0.1
"""Interval in seconds between checks whether the callback thread should end."""


class PooledEmbedding(nn.Module):
    """An embedding whose vocabulary of size V is extended by a pool: id V + p is row p of the pool.

    Args:
        words: the vocabulary's own embedding.
        rows: rows of the pool.
    """

    pool_PD: Tensor

    def __init__(self, words: nn.Embedding, rows: int) -> None:
        super().__init__()
        self.words = words
        pool_PD = words.weight.new_zeros(rows, words.embedding_dim).detach()
        self.register_buffer("pool_PD", pool_PD, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Embeddings of ids of both kinds."""
        beyond = ids - self.words.num_embeddings
        words = self.words(ids.clamp_max(self.words.num_embeddings - 1))
        return torch.where((beyond >= 0)[..., None], F.embedding(beyond.clamp_min(0), self.pool_PD), words)


@dataclass(slots=True)
class _Running:
    """A reply that is being generated."""

    rows: list[int]
    on_token: Callable[[int], None]
    on_done: Callable[[], None]
    passed_on: int = field(default=0)
    """Number of tokens passed to the callback."""


class PagedGenerator:
    """Generates replies with :class:`transformers.ContinuousBatchingManager`, greedily.

    To be used as a context manager, or between :meth:`start` and :meth:`stop`. Callbacks run in a separate thread and
    should return quickly.

    Args:
        model: the model; its weights are shared, not copied.
        max_rows: maximum number of replies at a time.
        pool_rows: maximum number of positions of all waiting and running prompts.
        max_positions: room for keys and values.
        batch_tokens: maximum number of positions per step; longer prompts are read in parts.
        page_size: positions per page.
        ignore_eos: generate the requested number of tokens in every reply.
    """

    def __init__(
        self,
        model: SafeLlava,
        *,
        max_rows: int = 32,
        pool_rows: int = 1 << 13,
        max_positions: int = 1 << 13,
        batch_tokens: int = 512,
        page_size: int = 32,
        ignore_eos: bool = False,
    ) -> None:
        self._context = model.context_length
        self._twin, self._embedding = _create_twin(model.backbone, pool_rows)
        self._batching = _create_batching_config(
            max_requests_per_batch=max_rows,
            max_batch_tokens=max(batch_tokens, max_rows),
            num_blocks=-(-max_positions // page_size),
            page_size=page_size,
        )
        self._generation = GenerationConfig(
            do_sample=False,
            eos_token_id=[-1] if ignore_eos else list(model.eos_ids),
            # Kept despite a warning that it "might not be supported": it reads only scores, so it is supported.
            suppress_tokens=list(model.banned_ids),
        )
        self._manager: Any = None
        self._caller: threading.Thread | None = None
        self._ids = count()
        self._free = list(range(pool_rows))
        self._running: dict[str, _Running] = {}
        self._changed = threading.Condition()
        self.failures: dict[str, str] = {}
        """Error messages of failed replies, by their ids."""

    def __enter__(self) -> "PagedGenerator":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether replies can be generated: started, and not ended by an error."""
        return self._manager is not None and bool(self._manager.is_running())

    def start(self) -> None:
        """Start both threads: transformers' loop and the callback thread."""
        # The loop inherits the mode of the starting thread (5.24), or runs without gradients (before).
        with torch.inference_mode():
            self._manager = self._twin.init_continuous_batching(
                generation_config=self._generation, continuous_batching_config=self._batching
            )
            self._manager.start()
        self._caller = threading.Thread(target=self._call_back, name="paged-callbacks", daemon=True)
        self._caller.start()

    def stop(self) -> None:
        """Cancel all running replies and wait for both threads to end."""
        if self._manager is None or self._caller is None:
            return
        self._manager.stop(block=True, hard_stop=True)
        self._caller.join()
        self._manager = None

    def submit(
        self,
        embeds_TD: Tensor,
        *,
        max_new_tokens: int,
        on_token: Callable[[int], None],
        on_done: Callable[[], None],
    ) -> str:
        """Submit a prompt; waits while the pool is full.

        Args:
            embeds_TD: the prompt's embeddings, without padding.
            max_new_tokens: maximum number of tokens of the reply; fewer if the context ends earlier.
            on_token: called with each token, including the end-of-sequence token.
            on_done: called once after the last token, also if the reply failed, but not if it was cancelled.

        Raises:
            ValueError: the prompt is empty, or leaves no room for a reply, in the context or in the pool.
            RuntimeError: not started, stopped, or broken.
        """
        length = len(embeds_TD)
        if not 0 < length < self._context or length > len(self._embedding.pool_PD):
            raise ValueError(f"a prompt of {length} positions does not fit")
        name = f"paged-{next(self._ids)}"
        with self._changed:
            self._changed.wait_for(lambda: len(self._free) >= length or not self.alive)
            if not self.alive:
                raise RuntimeError("the paged generator does not run")
            rows = self._free[:length]
            del self._free[:length]
            self._running[name] = _Running(rows, on_token, on_done)
        pool_PD = self._embedding.pool_PD
        pool_PD[torch.tensor(rows, device=pool_PD.device)] = embeds_TD.to(pool_PD)
        vocabulary = self._embedding.words.num_embeddings
        taken = self._manager.add_request(
            [vocabulary + row for row in rows],
            request_id=name,
            max_new_tokens=min(max_new_tokens, self._context - length),
            streaming=True,
        )
        if taken is None:
            self._leave(name)
            raise RuntimeError("the paged generator does not run")
        return name

    def cancel(self, request_id: str) -> None:
        """Stop a reply, at the latest after the current step; has no effect on replies that do not run."""
        # In this order: the loop processes new prompts before cancellations. The rows may therefore be read after
        # another prompt has taken them, but only by a forward pass whose tokens are discarded.
        self._manager.cancel_request(request_id)
        self._leave(request_id)

    def _leave(self, request_id: str) -> _Running | None:
        """Remove a reply and free its rows."""
        with self._changed:
            running = self._running.pop(request_id, None)
            if running is not None:
                # Appended, so that rows are reused as late as possible.
                self._free += running.rows
                self._changed.notify_all()
        return running

    def _call_back(self) -> None:
        """Call the callbacks with the loop's output until the loop has ended and all output is processed."""
        while True:
            running = self.alive
            output = self._manager.get_result(timeout=_POLL_S)
            if output is not None:
                try:
                    self._pass_on(output)
                except Exception:
                    _logger.exception("a callback failed")
            elif not running:
                break
        with self._changed:
            self._changed.notify_all()  # callers that wait for rows get an error

    def _pass_on(self, output: Any) -> None:
        """Call the callbacks with a reply's new tokens and its end."""
        running = self._running.get(output.request_id)
        if running is None:
            return
        # After an error there may be fewer tokens than were passed on.
        for token in output.generated_tokens[running.passed_on :]:
            running.passed_on += 1
            running.on_token(token)
        if not output.is_finished():
            return
        if output.error is not None:
            self.failures[output.request_id] = output.error
        if self._leave(output.request_id) is not None:
            running.on_done()


def _create_twin(
    backbone: LlavaForConditionalGeneration, pool_rows: int
) -> tuple[LlavaForConditionalGeneration, PooledEmbedding]:
    """Copy the model without its weights, and extend the embedding by a pool."""
    weights = {id(tensor): tensor for tensor in chain(backbone.parameters(), backbone.buffers())}
    twin = copy.deepcopy(backbone, weights)
    words = twin.get_input_embeddings()
    assert isinstance(words, nn.Embedding)
    embedding = PooledEmbedding(words, pool_rows)
    twin.set_input_embeddings(embedding)
    if "auto_switch_to_flash" not in _OPTIONS:
        # Before 5.19, only an implementation that is already paged is kept.
        twin.set_attn_implementation("paged|sdpa")
    return twin, embedding


_OPTIONS = frozenset(option.name for option in fields(ContinuousBatchingConfig))


def _create_batching_config(*, page_size: int, **sizes: int) -> ContinuousBatchingConfig:
    """Create the options of transformers' continuous batching, whose names differ between versions."""
    options: dict[str, Any] = {
        **sizes,
        "page_size" if "page_size" in _OPTIONS else "block_size": page_size,
        "allow_block_sharing": False,
        "use_cuda_graph": False,
        "use_async_batching": False,
    }
    if "auto_switch_to_flash" in _OPTIONS:
        options["auto_switch_to_flash"] = False
    return ContinuousBatchingConfig(**options)
