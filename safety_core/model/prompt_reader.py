"""Reads texts for the safety head: as input embeddings, or as hidden states after the language model's first layers.

Bare embeddings know no context; after some layers, the state of a word depends on the words before it. The layers read
the user's words alone, in a short frame of the prompt format (:attr:`PromptBuilder.text_frame`): no image, no system
prompt, no history. So a text has the same states whatever it is judged with, it is read once for all head inputs that
share it, and a refusal costs k of the language model's L layers for the words, and no prefill of the image.
Shapes: P distinct prompts · T positions of a prompt · D LLM width.
"""

import copy
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import LlavaForConditionalGeneration

from safety_core.errors import ConfigError
from safety_core.inputs.prompt_encoding import TextFrame
from safety_core.model.head_inputs import HeadInput, Prompt, group_by_size, split_batch
from safety_core.model.vision.assembly import pad_ids

_READ_BATCH = 64
"""Maximum number of texts in one pass."""

ReadPrompts = dict[Prompt, Tensor]
"""States of each prompt, [T, D], in the language model's precision."""


@dataclass(frozen=True, slots=True)
class PromptStates:
    """P texts as the head reads them."""

    states_PTD: Tensor
    """Embeddings or hidden states, padded on the right; float32."""

    mask_PT: Tensor
    """True at real positions; a row without any is no prompt."""

    @classmethod
    def pad(cls, rows: Sequence[Tensor]) -> "PromptStates":
        """Pad the states [T, D] of several prompts; a prompt may have no positions."""
        lengths_P = torch.tensor([len(row) for row in rows], device=rows[0].device)
        states_PTD = pad_sequence([row.float() for row in rows], batch_first=True)
        return cls(states_PTD, torch.arange(states_PTD.shape[1], device=rows[0].device) < lengths_P[:, None])


class PromptReader:
    """Reads prompts with the embeddings or the first layers of a backbone's language model.

    Args:
        backbone: the guarded model; an adapter of its language model may not change the first layers.
        layers: k, the number of layers; 0 for input embeddings.
        frame: ids before and after the words.
        own_layers: k layers to read with, for instance with a prompt adapter; None for those of the language model.

    Raises:
        ConfigError: the language model has fewer layers, or no list of layers.
    """

    def __init__(
        self,
        backbone: LlavaForConditionalGeneration,
        layers: int,
        frame: TextFrame,
        own_layers: nn.Module | None = None,
    ) -> None:
        check_prompt_layers(backbone, layers)
        self.layers = layers
        self._own_layers = own_layers
        self._backbone = backbone
        self._start, self._end = list(frame.start), list(frame.end)
        self._view: tuple[nn.Module, nn.Module] | None = None

    @property
    def token_cost(self) -> int:
        """Time to read one token, in tokens that the head reads; estimated from the sizes of the weights."""
        if not self.layers:
            return 0
        text: Any = self._backbone.config.text_config
        width: int = text.hidden_size
        inner: int = text.intermediate_size
        # Attention has at most four square matrices, the MLP three; the head takes about four for a token.
        return max(1, round(self.layers * (4 * width + 3 * inner) / (4 * width)))

    def estimate_cost(self, tokens: int) -> int:
        """Estimate the time to read a prompt of ``tokens``, in tokens of the head; nothing for an empty prompt."""
        return self.token_cost * (tokens + len(self._start) + len(self._end)) if tokens and self.layers else 0

    def read(self, prompts: Sequence[Prompt], known: ReadPrompts | None = None) -> PromptStates:
        """Read prompts, of which ``known`` may hold some; empty prompts have no positions."""
        if not self.layers:
            ids_PT, mask_PT = pad_ids(prompts, device=self._device)
            with torch.no_grad():
                return PromptStates(self._backbone.get_input_embeddings()(ids_PT).float(), mask_PT)
        states = dict(known or {})
        for _ in self.read_in_passes(prompts, states):
            pass
        return PromptStates.pad([states[prompt] for prompt in prompts])

    def get_states(self, prompts: Sequence[Prompt], known: ReadPrompts) -> list[Tensor]:
        """Return the states of prompts, [T, D]; with layers, ``known`` holds all of them."""
        if self.layers:
            return [known[prompt] for prompt in prompts]
        weight = self._embedding.weight.detach()
        return [weight[torch.tensor(prompt, device=weight.device)] for prompt in prompts]

    def read_in_passes(
        self, prompts: Sequence[Prompt], known: ReadPrompts, limit: Callable[[], int] = lambda: sys.maxsize
    ) -> Iterator[list[Prompt]]:
        """Read the prompts that ``known`` lacks into it; yields the prompts of each pass. Embeddings take no pass.

        Args:
            prompts: token ids of each prompt.
            known: states of prompts, which is completed.
            limit: called before each pass; returns its size, padding included (:meth:`estimate_cost`).
        """
        if not self.layers:
            return
        missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
        inputs = [HeadInput((), prompt) for prompt in missing if prompt]
        if () in missing:
            known[()] = self._embedding.weight.new_empty(0, self._embedding.embedding_dim)
        for batch in group_by_size(inputs, rows=_READ_BATCH):
            for part in split_batch(batch, limit, cost=lambda one: self.estimate_cost(len(one.prompt or ()))):
                texts = [one.prompt or () for one in part]
                known |= dict(zip(texts, self._run_layers(texts), strict=True))
                yield texts

    def _run_layers(self, prompts: Sequence[Prompt]) -> list[Tensor]:
        """Run the first layers on framed prompts; returns the states of the words and of the frame's end."""
        framed = [[*self._start, *prompt, *self._end] for prompt in prompts]
        # Padding on the right needs no mask, because attention is causal.
        ids_PT, _ = pad_ids(framed, device=self._device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.learns):
            hidden_PTD = self.first_layers(input_ids=ids_PT, use_cache=False).last_hidden_state
        return [row_TD[len(self._start) : len(ids)].clone() for row_TD, ids in zip(hidden_PTD, framed, strict=True)]

    @property
    def learns(self) -> bool:
        """Whether the layers have weights that are being trained; the language model's own never are."""
        return self._own_layers is not None and any(part.requires_grad for part in self._own_layers.parameters())

    @property
    def first_layers(self) -> nn.Module:
        """The layers as a model of their own; those of the language model share its weights."""
        if self._own_layers is not None:
            return self._own_layers
        # Built anew if the language model was replaced.
        decoder = get_decoder(self._backbone)
        if self._view is None or self._view[0] is not decoder:
            self._view = decoder, take_first_layers(decoder, self.layers)
        return self._view[1]

    @property
    def _embedding(self) -> nn.Embedding:
        embedding = self._backbone.get_input_embeddings()
        assert isinstance(embedding, nn.Embedding)
        return embedding

    @property
    def _device(self) -> torch.device:
        return self._embedding.weight.device


def get_decoder(backbone: LlavaForConditionalGeneration) -> nn.Module:
    """Return the decoder of the language model, without a PEFT wrapper."""
    language_model: Any = backbone.model.language_model
    decoder: nn.Module = language_model.get_base_model() if isinstance(language_model, PeftModel) else language_model
    return decoder


def check_prompt_layers(backbone: LlavaForConditionalGeneration, layers: int) -> None:
    """Raise ConfigError unless the language model has that many layers."""
    if not layers:
        return
    available = getattr(get_decoder(backbone), "layers", None)
    if not isinstance(available, nn.ModuleList) or not hasattr(get_decoder(backbone), "norm"):
        raise ConfigError("config.prompt_layers: the language model has no list of layers, so this must be 0")
    if layers > len(available):
        raise ConfigError(f"config.prompt_layers: {layers} layers are wanted, the language model has {len(available)}")


def take_first_layers(decoder: nn.Module, count: int) -> nn.Module:
    """Build a decoder of the first ``count`` layers without the final norm; shares every weight with ``decoder``."""
    view = copy.copy(decoder)
    # The copy is shallow: without dictionaries of its own, it would change the decoder, and run the decoder's hooks.
    view._modules = dict(decoder._modules)
    view._forward_hooks, view._forward_pre_hooks = OrderedDict(), OrderedDict()
    vars(view).pop("forward", None)
    layers: Any = decoder.layers
    view.layers, view.norm = nn.ModuleList(layers[:count]), nn.Identity()
    return view
