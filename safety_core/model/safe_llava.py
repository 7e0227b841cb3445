"""SafeLlava: a Hugging Face LLaVA with safety modules beside it.

The vision tower runs once (:meth:`SafeLlava.encode_images`); head and language model both read what it left. The head
judges from features and input embeddings, so a refusal costs no prefill. Decides nothing: policies do.
Shapes: B batch · T positions · N image patches · V vision width · D LLM width · S safety tokens · M safety features ·
F features of all of a sample's images · A answer tokens.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BaseImageProcessor, LlavaForConditionalGeneration, PreTrainedTokenizerBase

from safety_core.inputs.chat_template import PromptTemplate, TemplatedPromptBuilder, build_prompts
from safety_core.inputs.prompts import DEFAULT_MAX_PROMPT_TOKENS, EncodedPrompt, Turn
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.decoding import (
    Decoder,
    Generation,
    TextAssembler,
    finished,
)
from safety_core.model.head_inputs import View, ViewScores, batches_of, pair_scores, pieces_of, read_output, views_of
from safety_core.model.hints import default_hints
from safety_core.model.modules.attention import KeyValues
from safety_core.model.modules.head import HeadOutput
from safety_core.model.modules.safety_modules import SafetyModules
from safety_core.model.sampling import Sampling
from safety_core.model.spec import BackboneRef
from safety_core.model.vision.assembly import (
    IGNORED_LABEL,
    LmInputs,
    gather_features,
    gather_key_values,
    image_rows,
    pad_ids,
    pad_left,
    pad_right,
    splice,
)
from safety_core.model.vision.preprocessing import preprocess_images
from safety_core.model.vision.tower import VisionFeatures, projected_positions, run_tower
from safety_core.policy.book import Hints
from safety_core.scores import PairScores
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy

__all__ = [
    "HEAD_BATCH",
    "Assessed",
    "LmOutput",
    "SafeLlava",
    "as_turns",
    "gather_features",
    "pad_ids",
]

HEAD_BATCH = 64
"""Views that go through the head at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """What :meth:`SafeLlava.assess` found, with the features that generation will reuse."""

    pairs: list[PairScores]
    """Scores of each sample."""

    vision: VisionFeatures | None
    """Features of all images in order; None where no sample has one."""

    images_per_sample: list[int]
    """How many of them belong to each sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LmOutput:
    """What training needs of the language model: the answers only."""

    loss: Tensor
    """Mean cross-entropy over all answer tokens of the batch."""

    logits_AW: Tensor
    """Logits that predict the answer tokens, sample after sample."""

    labels_A: Tensor
    """The answer tokens."""


class SafeLlava(nn.Module):
    """A LLaVA and its safety modules.

    Args:
        backbone: the guarded model; its language model may have a PEFT adapter.
        safety: projector, head and tokens that fit the backbone.
        taxonomy: names of the head's classes.
        hints: texts that follow a cautioned prompt, per type and level.
        tokenizer: the backbone's.
        image_processor: the backbone's.
        source: location of the backbone's files; None if it was never saved.
        merged_adapter: folder of the adapter that was merged into the backbone on loading.
        prompt_template: format of conversations; LLaVA-1.5's where None.
    """

    def __init__(
        self,
        backbone: LlavaForConditionalGeneration,
        safety: SafetyModules,
        *,
        taxonomy: Taxonomy,
        hints: Hints,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: BaseImageProcessor,
        source: BackboneRef | None = None,
        merged_adapter: Path | None = None,
        prompt_template: PromptTemplate | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.safety = safety
        self.taxonomy = taxonomy
        self.hints = hints
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.source = source
        self.merged_adapter = merged_adapter
        self.projected_positions = projected_positions(backbone.config)
        text: Any = backbone.config.text_config
        longest = min(DEFAULT_MAX_PROMPT_TOKENS, text.max_position_embeddings)
        self.prompt_template = prompt_template
        self.prompts = build_prompts(tokenizer, backbone.config.image_token_id, longest, prompt_template)

    @classmethod
    def untrained(
        cls,
        backbone: LlavaForConditionalGeneration,
        *,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: BaseImageProcessor,
        config: SafetyConfig | None = None,
        taxonomy: Taxonomy = DEFAULT_TAXONOMY,
        hints: Hints | None = None,
        seed: int = 0,
        source: BackboneRef | None = None,
    ) -> "SafeLlava":
        """Put freshly initialised safety modules beside a backbone."""
        dims = BackboneDims.from_backbone(backbone.config)
        safety = SafetyModules(
            dims,
            config or SafetyConfig.default_for(dims),
            num_types=len(taxonomy.types),
            num_levels=len(taxonomy.levels),
        ).init_weights(torch.Generator().manual_seed(seed))
        return cls(
            backbone,
            safety,
            taxonomy=taxonomy,
            hints=default_hints(taxonomy) if hints is None else hints,
            tokenizer=tokenizer,
            image_processor=image_processor,
            source=source,
        )

    @property
    def config(self) -> SafetyConfig:
        """Shape and switches of the safety modules."""
        return self.safety.config

    @property
    def dims(self) -> BackboneDims:
        """Sizes of the backbone."""
        return self.safety.dims

    @property
    def device(self) -> torch.device:
        """Where inputs belong."""
        return self._embedding.weight.device

    @property
    def _embedding(self) -> nn.Embedding:
        embedding = self.backbone.get_input_embeddings()
        assert isinstance(embedding, nn.Embedding)
        return embedding

    # --- the picture, once ---------------------------------------------------------------------------------------

    def preprocess(self, images: Sequence[Image.Image]) -> Tensor:
        """Convert square RGB pictures to pixel_values_BCHW for :meth:`encode_images`."""
        return torch.from_numpy(self.preprocess_numpy(images))

    def preprocess_numpy(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Convert square RGB pictures to pixels_BCHW without torch, see :func:`preprocess_images`."""
        return preprocess_images(self.image_processor, images)

    @torch.no_grad()
    def encode_images(self, pixel_values_BCHW: Tensor) -> VisionFeatures:
        """Run the vision tower and LLaVA's own projector: the only place that does."""
        return run_tower(self.backbone, pixel_values_BCHW, self.dims, self.config.layers_for(self.dims))

    # --- the guard -----------------------------------------------------------------------------------------------

    def safe_features(self, vision: VisionFeatures) -> Tensor:
        """Run the safety projector: safe_BMD, one image a row."""
        return self.safety.safe_features(vision.layers)

    def head_logits(
        self,
        safe: Tensor | KeyValues | None,
        prompt_ids_BT: Tensor | None,
        prompt_mask_BT: Tensor | None = None,
        safe_mask_BF: Tensor | None = None,
        *,
        prompt_of_B: Tensor | None = None,
        attention: bool = True,
    ) -> HeadOutput:
        """Run the head; the path that training and scoring share.

        Args:
            safe: safety features safe_BFD of each sample's images one after the other, or what the head reads of
                them; None without any image.
            prompt_ids_BT: ids of the users' words, None without any prompt.
            prompt_mask_BT: True at real words; a row without any has no prompt. Default: all are real.
            safe_mask_BF: True at real features; a row without any has no image. Default: all are real.
            prompt_of_B: which of the prompts each sample has, where several share one. Default: in order.
            attention: whether to say where the head looked.
        """
        prompt_BTD = None
        if prompt_ids_BT is not None:
            with torch.no_grad():
                prompt_BTD = self._embedding(prompt_ids_BT).float()
        return self.safety.judge(
            prompt_BTD, prompt_mask_BT, safe, safe_mask_BF, prompt_of_B=prompt_of_B, attention=attention
        )

    @torch.inference_mode()
    def score(
        self,
        vision: VisionFeatures | None,
        images_per_sample: Sequence[int],
        prompt_ids: Sequence[Sequence[int] | None],
        *,
        heatmap: bool = False,
    ) -> list[PairScores]:
        """Judge samples from features alone: safety projector and head, nothing else.

        Args:
            vision: features of all samples' images in order; None where there is no image.
            images_per_sample: how many images each sample has.
            prompt_ids: :meth:`PromptBuilder.head_ids` of each sample; empty or None where there is no prompt.
            heatmap: also return the head's attention over each image's grid.

        Raises:
            ValueError: the counts disagree, or the head is switched off.
        """
        rows = image_rows(vision, images_per_sample, len(prompt_ids))
        safe_BMD = None if vision is None or not len(vision) else self.safe_features(vision)
        return self.score_rows(safe_BMD, rows, prompt_ids, heatmap=heatmap)

    @torch.inference_mode()
    def score_rows(
        self,
        safe_BMD: Tensor | None,
        rows: Sequence[Sequence[int]],
        prompt_ids: Sequence[Sequence[int] | None],
        *,
        heatmap: bool = False,
        known: Mapping[View, ViewScores] | None = None,
    ) -> list[PairScores]:
        """Judge samples that may share images and prompts: the head, and nothing else.

        Args:
            safe_BMD: :meth:`safe_features` of every image; None where no sample has one.
            rows: for each sample, the rows of its images.
            prompt_ids: as in :meth:`score`.
            heatmap: as in :meth:`score`.
            known: what :meth:`score_views` said of these images before, with heatmaps if they are asked for.

        Raises:
            ValueError: there are not as many prompts as samples, or the head is switched off.
        """
        samples = [(tuple(images), tuple(ids) if ids else None) for images, ids in zip(rows, prompt_ids, strict=True)]
        judged = dict(known or {})
        unknown = dict.fromkeys(view for sample in samples for view in views_of(*sample) if view not in judged)
        judged |= self.score_views(safe_BMD, list(unknown), heatmap=heatmap)
        return [pair_scores(images, prompt, judged) for images, prompt in samples]

    @torch.inference_mode()
    def score_views(
        self, safe_BMD: Tensor | None, views: Sequence[View], *, heatmap: bool = False
    ) -> dict[View, ViewScores]:
        """Judge single views of images and prompts; arguments and errors as of :meth:`score_rows`."""
        judged: dict[View, ViewScores] = {}
        for piece in self.score_views_in_pieces(safe_BMD, views, heatmap=heatmap):
            judged |= piece
        return judged

    @torch.inference_mode()
    def score_views_in_pieces(
        self,
        safe_BMD: Tensor | None,
        views: Sequence[View],
        *,
        heatmap: bool = False,
        limit: Callable[[], int] = lambda: sys.maxsize,
    ) -> Iterator[dict[View, ViewScores]]:
        """:meth:`score_views`, one pass of the head at a time.

        Args:
            limit: called before each pass; tokens (:func:`weight_of`, padding included) of the pass.
        """
        images = None if safe_BMD is None or not any(view.images for view in views) else self.safety.read(safe_BMD)
        for batch in batches_of(views, rows=HEAD_BATCH):
            for piece in pieces_of(batch, limit):
                output = self._judge(piece, images, heatmap)
                scores = read_output(output, grid=self.config.projector.grid, heatmap=heatmap)
                yield dict(zip(piece, scores, strict=True))

    def assess(
        self,
        images: Sequence[Sequence[Image.Image]],
        prompts: Sequence[Sequence[Turn] | str | None],
        *,
        heatmap: bool = False,
    ) -> Assessed:
        """Judge samples of 0..K pictures and an optional prompt; the features come back for generation.

        Args:
            images: square RGB pictures of each sample.
            prompts: conversation or single question of each sample, None where there is none.
            heatmap: as in :meth:`score`.
        """
        flat = [image for sample in images for image in sample]
        vision = self.encode_images(self.preprocess(flat)) if flat else None
        counts = [len(sample) for sample in images]
        ids = [None if prompt is None else self.prompts.head_ids(as_turns(prompt)) for prompt in prompts]
        return Assessed(pairs=self.score(vision, counts, ids, heatmap=heatmap), vision=vision, images_per_sample=counts)

    def _judge(
        self,
        views: Sequence[View],
        images: KeyValues | None,
        heatmap: bool,
    ) -> HeadOutput:
        """One padded batch of views through the head; a prompt that several share is read once."""
        device = self.device
        prompts = list(dict.fromkeys(view.prompt or () for view in views))
        ids_PT, mask_PT = pad_ids(prompts, device=device) if any(prompts) else (None, None)
        prompt_of_B = None
        if ids_PT is not None and len(prompts) < len(views):
            place = {prompt: index for index, prompt in enumerate(prompts)}
            prompt_of_B = torch.tensor([place[view.prompt or ()] for view in views], device=device)
        shown = [view.images for view in views]
        if images is None or not any(shown):
            return self.head_logits(None, ids_PT, mask_PT, prompt_of_B=prompt_of_B)
        features, safe_mask_BF = gather_key_values(images, shown)
        return self.head_logits(features, ids_PT, mask_PT, safe_mask_BF, prompt_of_B=prompt_of_B, attention=heatmap)

    # --- the language model --------------------------------------------------------------------------------------

    def build_inputs(
        self,
        encoded: Sequence[EncodedPrompt],
        vision: VisionFeatures | None,
        images_per_sample: Sequence[int],
        *,
        inject: bool | Sequence[bool] = True,
    ) -> LmInputs:
        """Words and pictures as left-padded input embeddings.

        Args:
            encoded: the prompts.
            vision: features of all samples' images in order.
            images_per_sample: how many images each prompt has.
            inject: whether the LLM safety tokens ride in front of each image, for all samples or one by one.

        Raises:
            ValueError: a prompt has another number of image placeholders than images.
        """
        return pad_left(self.embed(encoded, vision, images_per_sample, inject))

    @torch.inference_mode()
    def generate(
        self,
        encoded: Sequence[EncodedPrompt],
        vision: VisionFeatures | None,
        images_per_sample: Sequence[int],
        *,
        inject: bool | Sequence[bool] = True,
        max_new_tokens: int = 256,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int | None = None,
    ) -> list[Generation]:
        """Replies of a batch; arguments as in :meth:`build_inputs` and :class:`Sampling`.

        Raises:
            PromptError: a sampling option is out of range, or a prompt fills the context.
            GenerationError: the language model's output is not finite.
        """
        sampling = Sampling(max_new_tokens=max_new_tokens, temperature=temperature, top_p=top_p, seed=seed)
        decoder = self._decoder(encoded, vision, images_per_sample, inject, sampling)
        while not decoder.done:
            decoder.step()
        return [finished(decoder, row, self._text(ids)) for row, ids in enumerate(decoder.token_ids)]

    def lm_forward(
        self,
        encoded: Sequence[EncodedPrompt],
        vision: VisionFeatures | None,
        images_per_sample: Sequence[int],
        *,
        inject: bool | Sequence[bool] = True,
    ) -> LmOutput:
        """Teacher-forced loss of the answers (right padding; every other position is ignored).

        Raises:
            ValueError: a prompt was encoded without an answer, or the counts disagree.
        """
        answers = []
        for prompt in encoded:
            if prompt.answer_span is None:
                raise ValueError("a prompt without an answer cannot be trained on")
            answers.append(prompt.input_ids[slice(*prompt.answer_span)])
        embeds_BTD, mask_BT, labels_BT = pad_right(self.embed(encoded, vision, images_per_sample, inject), answers)
        hidden_BTD = self.backbone.model(
            inputs_embeds=embeds_BTD, attention_mask=mask_BT, use_cache=False
        ).last_hidden_state
        # Only the positions that predict an answer token meet the vocabulary: most of a prompt never does.
        predicted_BT = labels_BT[:, 1:] != IGNORED_LABEL
        labels_A = labels_BT[:, 1:][predicted_BT]
        logits_AW = self.backbone.lm_head(hidden_BTD[:, :-1][predicted_BT]).float()
        return LmOutput(loss=F.cross_entropy(logits_AW, labels_A), logits_AW=logits_AW, labels_A=labels_A)

    def embed(
        self,
        encoded: Sequence[EncodedPrompt],
        vision: VisionFeatures | None,
        images_per_sample: Sequence[int],
        inject: bool | Sequence[bool],
    ) -> list[Tensor]:
        """Input embeddings of each sample, [T, D]: image placeholders replaced by [safety tokens ; image features].

        Arguments and errors as of :meth:`build_inputs`, which pads them.
        """
        rows = image_rows(vision, images_per_sample, len(encoded))
        injected = [inject] * len(encoded) if isinstance(inject, bool) else list(inject)
        embedded = []
        for prompt, images, with_tokens in zip(encoded, rows, injected, strict=True):
            words_TD = self._embedding(torch.tensor(prompt.input_ids, device=self.device))
            pictures_PD = [] if vision is None else [vision.projected_BPD[image] for image in images]
            if with_tokens and self.safety.llm_tokens_SD is not None:
                pictures_PD = [torch.cat([self.safety.llm_tokens_SD.to(picture), picture]) for picture in pictures_PD]
            embedded.append(splice(words_TD, prompt.image_positions, pictures_PD))
        return embedded

    def _decoder(
        self,
        encoded: Sequence[EncodedPrompt],
        vision: VisionFeatures | None,
        images_per_sample: Sequence[int],
        inject: bool | Sequence[bool],
        sampling: Sampling,
    ) -> Decoder:
        with torch.inference_mode():
            inputs = self.build_inputs(encoded, vision, images_per_sample, inject=inject)
        return Decoder(
            self.backbone,
            inputs,
            sampling,
            eos_ids=self.eos_ids,
            banned_ids=self.banned_ids,
        )

    @property
    def context_length(self) -> int:
        """Most positions that the language model can read and make."""
        text: Any = self.backbone.config.text_config
        positions: int = text.max_position_embeddings
        return positions

    @property
    def positions_per_image(self) -> int:
        """Positions that one image takes in the language model, its safety tokens included."""
        tokens = self.safety.llm_tokens_SD
        return self.projected_positions + (0 if tokens is None else len(tokens))

    @property
    def banned_ids(self) -> tuple[int, ...]:
        """Tokens that a reply never holds: the image placeholder."""
        return (self.backbone.config.image_token_id,)

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """Tokens that end a reply."""
        own = self.tokenizer.eos_token_id
        configured = self.backbone.generation_config.eos_token_id if self.backbone.generation_config else None
        extra = configured if isinstance(configured, list) else [configured]
        spoken = self.prompts.end_ids if isinstance(self.prompts, TemplatedPromptBuilder) else ()
        return tuple({token for token in (own, *extra, *spoken) if isinstance(token, int)})

    def _text(self, token_ids: Sequence[int]) -> str:
        assembler = TextAssembler(self.tokenizer)
        for token in token_ids:
            assembler.push(token)
        assembler.finish()
        return assembler.text


def as_turns(prompt: Sequence[Turn] | str) -> Sequence[Turn]:
    """A single question as a conversation."""
    return [Turn(role="user", text=prompt)] if isinstance(prompt, str) else prompt
