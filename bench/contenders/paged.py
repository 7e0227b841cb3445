"""transformers' own continuous batching, with paged keys and values, fed prompts that are embeddings.

It takes token ids only. So a prompt's positions are written to rows of a pool, and the prompt is submitted as ids from
the end of the vocabulary on, each of which stands for one row; :class:`PooledEmbedding` turns them back. Greedy only.

What keeps it correct, as each of these fails silently:

- equal ids do not mean equal prompts, because rows are used again: blocks are never shared between prompts;
- the attention implementation is set on a config: the model that runs here is a twin with configs of its own, which
  shares every weight with the original and leaves it untouched;
- a switch to flash attention may fetch kernels from a hub: it is turned off.

Not-finite logits go unnoticed, and spread: all replies of a step attend within one sequence, under a mask that NaN
passes. transformers' loop is one thread for all replies; whatever it raises ends every reply and the loop.
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
"""How often the thread that calls back looks whether it should end."""


class PooledEmbedding(nn.Module):
    """A vocabulary's embedding that continues in a pool: id V + p is the pool's row p.

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
        """Embeddings of ids of either kind."""
        beyond = ids - self.words.num_embeddings
        words = self.words(ids.clamp_max(self.words.num_embeddings - 1))
        return torch.where((beyond >= 0)[..., None], F.embedding(beyond.clamp_min(0), self.pool_PD), words)


@dataclass(slots=True)
class _Running:
    """A reply that is being made."""

    rows: list[int]
    on_token: Callable[[int], None]
    on_done: Callable[[], None]
    told: int = field(default=0)
    """Tokens that were passed on."""


class PagedGenerator:
    """Makes replies together with :class:`transformers.ContinuousBatchingManager`, greedily.

    Used as a context manager, or between :meth:`start` and :meth:`stop`. Callbacks come from a thread of its own,
    which they should not hold up.

    Args:
        model: the model; its weights are shared, not copied.
        max_rows: replies at a time.
        pool_rows: positions of all prompts that wait or run.
        max_positions: room for keys and values.
        batch_tokens: most positions that one step reads: longer prompts are read in parts.
        page_size: positions of a page.
        ignore_eos: let every reply get as many tokens as were asked for.
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
            # Kept with a warning that it "might not be supported"; it looks at scores only, so it is.
            suppress_tokens=list(model.banned_ids),
        )
        self._manager: Any = None
        self._caller: threading.Thread | None = None
        self._ids = count()
        self._free = list(range(pool_rows))
        self._running: dict[str, _Running] = {}
        self._changed = threading.Condition()
        self.failures: dict[str, str] = {}
        """What became of replies that could not be made, by their ids."""

    def __enter__(self) -> "PagedGenerator":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether replies can be made: started, and not broken by an error since."""
        return self._manager is not None and bool(self._manager.is_running())

    def start(self) -> None:
        """Start both threads: transformers' loop and the one that calls back."""
        # The loop runs in the mode of whoever starts it (5.24), or without gradients (before).
        with torch.inference_mode():
            self._manager = self._twin.init_continuous_batching(
                generation_config=self._generation, continuous_batching_config=self._batching
            )
            self._manager.start()
        self._caller = threading.Thread(target=self._call_back, name="paged-callbacks", daemon=True)
        self._caller.start()

    def stop(self) -> None:
        """Give up what is running, and wait for both threads to end."""
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
        """Ask for a reply; waits while the pool is full.

        Args:
            embeds_TD: the prompt's embeddings, without padding.
            max_new_tokens: most tokens of the reply; fewer where the context ends earlier.
            on_token: called with each token, the end-of-sequence token included.
            on_done: called once after the last one, also where the reply failed; not where it was cancelled.

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
        """Stop a reply, at the latest after the step that runs; one that does not run is left as it is."""
        # In this order: the loop takes new prompts first and cancellations after them, so nobody reads the rows of
        # this one after another prompt has got them, but for a forward pass whose tokens no longer count.
        self._manager.cancel_request(request_id)
        self._leave(request_id)

    def _leave(self, request_id: str) -> _Running | None:
        """Forget a reply and give its rows back."""
        with self._changed:
            running = self._running.pop(request_id, None)
            if running is not None:
                # To the end, so that rows rest as long as they can.
                self._free += running.rows
                self._changed.notify_all()
        return running

    def _call_back(self) -> None:
        """Pass on what the loop made, until it has ended and nothing is left."""
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
            self._changed.notify_all()  # whoever waits for rows gets an error

    def _pass_on(self, output: Any) -> None:
        """Tell one reply's new tokens, and its end."""
        running = self._running.get(output.request_id)
        if running is None:
            return
        # After an error, what it brings may be less than what was told.
        for token in output.generated_tokens[running.told :]:
            running.told += 1
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
    """The same model with configs and modules of its own and the same weights, its embedding continued by a pool."""
    weights = {id(tensor): tensor for tensor in chain(backbone.parameters(), backbone.buffers())}
    twin = copy.deepcopy(backbone, weights)
    words = twin.get_input_embeddings()
    assert isinstance(words, nn.Embedding)
    embedding = PooledEmbedding(words, pool_rows)
    twin.set_input_embeddings(embedding)
    if "auto_switch_to_flash" not in _OPTIONS:
        # Before 5.19 only an implementation that is paged already is left as it is.
        twin.set_attn_implementation("paged|sdpa")
    return twin, embedding


_OPTIONS = frozenset(option.name for option in fields(ContinuousBatchingConfig))


def _create_batching_config(*, page_size: int, **sizes: int) -> ContinuousBatchingConfig:
    """The options of transformers' continuous batching, whose names changed between versions."""
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
