"""SafeLlava: a Hugging Face LLaVA with safety modules beside it.

The vision tower runs once per image (:meth:`SafeLlava.encode_images`); the safety head and the language model both read
its features. The head scores requests without the language model, so a refusal costs no prefill. Makes no decisions:
policies do.
Shapes: B batch · T positions · N image patches · V vision width · D LLM width · S safety tokens · M safety features ·
F features of all of a sample's images · P distinct prompts.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from transformers import BaseImageProcessor, LlavaForConditionalGeneration, PreTrainedTokenizerBase

from safety_core.inputs.chat_template import PromptTemplate, TemplatedPromptBuilder, create_prompt_builder
from safety_core.inputs.conversation import DEFAULT_MAX_PROMPT_TOKENS
from safety_core.inputs.head_texts import TextViews
from safety_core.inputs.prompt_encoding import EncodedPrompt
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.head_inputs import (
    HeadInput,
    HeadScores,
    build_pair_scores,
    group_by_size,
    list_head_inputs,
    read_output,
    split_batch,
)
from safety_core.model.modules.attention import KeyValues
from safety_core.model.modules.head import HeadOutput
from safety_core.model.modules.novelty import NoveltyDetector
from safety_core.model.modules.safety_modules import SafetyModules
from safety_core.model.prompt_reader import PromptReader, PromptStates, ReadPrompts
from safety_core.model.spec import BackboneRef
from safety_core.model.vision.assembly import (
    LmInputs,
    gather_key_values,
    group_image_rows,
    pad_left,
    splice,
)
from safety_core.model.vision.preprocessing import preprocess_images
from safety_core.model.vision.tower import VisionFeatures, count_projected_positions, run_tower
from safety_core.policy.named_policies import Hints
from safety_core.score_calibration import ScoreCalibration
from safety_core.scores import PairScores
from safety_core.taxonomy import Taxonomy

HEAD_BATCH = 64
"""Maximum number of inputs in one pass of the head."""


class SafeLlava(nn.Module):
    """A LLaVA and its safety modules.

    Args:
        backbone: the guarded model; its language model may have a PEFT adapter.
        safety: projector, head and tokens with the backbone's sizes.
        taxonomy: names of the head's classes.
        hints: texts that follow a cautioned prompt, per type and level.
        tokenizer: the backbone's.
        image_processor: the backbone's.
        source: location of the backbone's files; None if it was never saved.
        merged_adapter: folder of the adapter that was merged into the backbone on loading.
        prompt_layers: a decoder of the first layers with a prompt adapter, through which the head reads texts; None for
            the language model's own layers.
        merged_prompt_adapter: folder of the adapter that was merged into ``prompt_layers`` on loading.
        prompt_template: format of conversations; LLaVA-1.5's if None.
        reader: name of the reader of lettering that the modules are trained with; None if there is none.
        text_views: texts of a conversation that the head judges; all if None.
        score_calibration: how the head's probabilities are recalibrated; not at all if None.
        novelty: measures how far requests lie outside of what was trained; None if this is not measured.
        generates: whether the language model is whole; otherwise the head can be used, and nothing else.
        bare: the same backbone without safety modules and adapter, for comparison; None if it is not kept.

    Raises:
        ConfigError: the language model has fewer layers than the head is to read.
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
        prompt_layers: nn.Module | None = None,
        merged_prompt_adapter: Path | None = None,
        prompt_template: PromptTemplate | None = None,
        reader: str | None = None,
        text_views: TextViews | None = None,
        score_calibration: ScoreCalibration | None = None,
        novelty: NoveltyDetector | None = None,
        generates: bool = True,
        bare: "SafeLlava | None" = None,
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
        self.merged_prompt_adapter = merged_prompt_adapter
        self.score_calibration = ScoreCalibration() if score_calibration is None else score_calibration
        self.novelty = novelty
        self.generates = generates
        self.bare = bare
        self.projected_positions = count_projected_positions(backbone.config)
        text: Any = backbone.config.text_config
        longest = min(DEFAULT_MAX_PROMPT_TOKENS, text.max_position_embeddings)
        self.prompt_template = prompt_template
        self.reader = reader
        self.prompts = create_prompt_builder(tokenizer, backbone.config.image_token_id, longest, prompt_template)
        self.prompts.text_views = TextViews() if text_views is None else text_views
        self.use_prompt_layers(prompt_layers)

    def use_prompt_layers(self, prompt_layers: nn.Module | None) -> None:
        """Read texts with these layers, see the class's argument."""
        self.prompt_layers = prompt_layers
        self.prompt_reader = PromptReader(
            self.backbone, self.safety.config.prompt_layers, self.prompts.text_frame, prompt_layers
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
        """Device of the model's inputs."""
        return self._embedding.weight.device

    @property
    def _embedding(self) -> nn.Embedding:
        embedding = self.backbone.get_input_embeddings()
        assert isinstance(embedding, nn.Embedding)
        return embedding

    # --- vision --------------------------------------------------------------------------------------------------

    def preprocess(self, images: Sequence[Image.Image]) -> Tensor:
        """Convert square RGB images to pixel_values_BCHW for :meth:`encode_images`."""
        return torch.from_numpy(self.preprocess_numpy(images))

    def preprocess_numpy(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Convert square RGB images to pixels_BCHW without torch, see :func:`preprocess_images`."""
        return preprocess_images(self.image_processor, images)

    @torch.no_grad()
    def encode_images(self, pixel_values_BCHW: Tensor) -> VisionFeatures:
        """Run the vision tower and LLaVA's own projector; no other method runs them."""
        return run_tower(self.backbone, pixel_values_BCHW, self.dims, self.config.select_layers(self.dims))

    # --- safety head ---------------------------------------------------------------------------------------------

    def project_features(self, vision: VisionFeatures) -> Tensor:
        """Run the safety projector; returns safe_BMD, one row per image."""
        return self.safety.project_features(vision.layers)

    def compute_head_logits(
        self,
        safe: Tensor | KeyValues | None,
        prompts: PromptStates | None,
        safe_mask_BF: Tensor | None = None,
        *,
        prompt_index_B: Tensor | None = None,
        need_attention: bool = True,
    ) -> HeadOutput:
        """Run the head; training and scoring both call this.

        Args:
            safe: safety features safe_BFD of each sample's images in order, or their keys and values; None without any
                image.
            prompts: the users' texts, from :attr:`prompt_reader`; None without any prompt.
            safe_mask_BF: True at real features; a row without any has no image. Default: all are real.
            prompt_index_B: index of each sample's prompt, if several samples share one. Default: in order.
            need_attention: whether to return the head's attention over the features.
        """
        states_PTD, mask_PT = (None, None) if prompts is None else (prompts.states_PTD, prompts.mask_PT)
        return self.safety.judge(
            states_PTD, mask_PT, safe, safe_mask_BF, prompt_index_B=prompt_index_B, need_attention=need_attention
        )

    @torch.inference_mode()
    def score_samples(
        self,
        safe_BMD: Tensor | None,
        rows: Sequence[Sequence[int]],
        prompt_ids: Sequence[Sequence[int] | None],
        *,
        heatmap: bool = False,
        known: Mapping[HeadInput, HeadScores] | None = None,
        read: ReadPrompts | None = None,
    ) -> list[PairScores]:
        """Score samples, which may share images and prompts.

        Args:
            safe_BMD: :meth:`project_features` of every image; None if no sample has one.
            rows: for each sample, the rows of its images.
            prompt_ids: :meth:`PromptBuilder.encode_user_words` of each sample; empty or None without a prompt.
            heatmap: whether to return the head's attention over each image's grid.
            known: results of :meth:`score_inputs` for the same images, with heatmaps if these are requested.
            read: prompts that :attr:`prompt_reader` has read; it reads the others.

        Raises:
            ValueError: the numbers of prompts and samples differ, or the head is switched off.
        """
        samples = [(tuple(images), tuple(ids) if ids else None) for images, ids in zip(rows, prompt_ids, strict=True)]
        scores, views = dict(known or {}), self.prompts.text_views
        listed = [list_head_inputs(*sample, images_alone=views.images_alone) for sample in samples]
        unknown = dict.fromkeys(one for of_sample in listed for one in of_sample if one not in scores)
        scores |= self.score_inputs(safe_BMD, list(unknown), heatmap=heatmap, read=read)
        return [
            build_pair_scores(
                images, prompt, scores, text_decides=views.without_images, images_alone=views.images_alone
            )
            for images, prompt in samples
        ]

    @torch.inference_mode()
    def score_inputs(
        self,
        safe_BMD: Tensor | None,
        inputs: Sequence[HeadInput],
        *,
        heatmap: bool = False,
        read: ReadPrompts | None = None,
    ) -> dict[HeadInput, HeadScores]:
        """Score distinct inputs of the head; arguments and errors are those of :meth:`score_samples`."""
        scores: dict[HeadInput, HeadScores] = {}
        for part in self.score_in_passes(safe_BMD, inputs, heatmap=heatmap, read=read):
            scores |= part
        return scores

    @torch.inference_mode()
    def score_in_passes(
        self,
        safe_BMD: Tensor | None,
        inputs: Sequence[HeadInput],
        *,
        heatmap: bool = False,
        read: ReadPrompts | None = None,
        limit: Callable[[], int] = lambda: sys.maxsize,
    ) -> Iterator[dict[HeadInput, HeadScores]]:
        """Yield the results of :meth:`score_inputs` after each pass of the head.

        Args:
            limit: called before each pass; returns the pass's size in tokens (:func:`estimate_cost`, with padding).
        """
        known: ReadPrompts = {} if read is None else read
        for _ in self.prompt_reader.read_in_passes([one.prompt or () for one in inputs], known):
            pass
        images = None
        if safe_BMD is not None and any(head_input.images for head_input in inputs):
            images = self.safety.project_key_values(safe_BMD)
        for batch in group_by_size(inputs, rows=HEAD_BATCH):
            for part in split_batch(batch, limit):
                output = self._run_head(part, images, heatmap, known)
                scores = read_output(
                    output, grid=self.config.projector.grid, heatmap=heatmap, calibration=self.score_calibration
                )
                yield dict(zip(part, scores, strict=True))

    def _run_head(
        self, inputs: Sequence[HeadInput], images: KeyValues | None, heatmap: bool, read: ReadPrompts
    ) -> HeadOutput:
        """Run the head on one padded batch; a prompt that several inputs share is processed once."""
        texts = list(dict.fromkeys(head_input.prompt or () for head_input in inputs))
        prompts = self.prompt_reader.read(texts, read) if any(texts) else None
        prompt_index_B = None
        if prompts is not None and len(texts) < len(inputs):
            index_of = {text: index for index, text in enumerate(texts)}
            indices = [index_of[head_input.prompt or ()] for head_input in inputs]
            prompt_index_B = torch.tensor(indices, device=self.device)
        image_rows = [head_input.images for head_input in inputs]
        if images is None or not any(image_rows):
            return self.compute_head_logits(None, prompts, prompt_index_B=prompt_index_B)
        features, safe_mask_BF = gather_key_values(images, image_rows)
        return self.compute_head_logits(
            features, prompts, safe_mask_BF, prompt_index_B=prompt_index_B, need_attention=heatmap
        )

    # --- language model ------------------------------------------------------------------------------------------

    def build_inputs(
        self,
        encoded: Sequence[EncodedPrompt],
        vision: VisionFeatures | None,
        images_per_sample: Sequence[int],
        *,
        inject: bool | Sequence[bool] = True,
    ) -> LmInputs:
        """Build left-padded input embeddings of text and images.

        Args:
            encoded: the prompts.
            vision: features of all samples' images in order.
            images_per_sample: number of images of each prompt.
            inject: whether to insert the LLM safety tokens before each image, for all samples or for each.

        Raises:
            ValueError: a prompt has another number of image placeholders than images.
        """
        return pad_left(self.embed(encoded, vision, images_per_sample, inject))

    def embed(
        self,
        encoded: Sequence[EncodedPrompt],
        vision: VisionFeatures | None,
        images_per_sample: Sequence[int],
        inject: bool | Sequence[bool],
    ) -> list[Tensor]:
        """Embed each sample, [T, D]: image placeholders are replaced by [safety tokens ; image features].

        Arguments and errors as of :meth:`build_inputs`, which pads the result.
        """
        rows = group_image_rows(vision, images_per_sample, len(encoded))
        injected = [inject] * len(encoded) if isinstance(inject, bool) else list(inject)
        embedded = []
        for prompt, images, with_tokens in zip(encoded, rows, injected, strict=True):
            words_TD = self._embedding(torch.tensor(prompt.input_ids, device=self.device))
            images_PD = [] if vision is None else [vision.projected_BPD[image] for image in images]
            if with_tokens and self.safety.llm_tokens_SD is not None:
                images_PD = [torch.cat([self.safety.llm_tokens_SD.to(image_PD), image_PD]) for image_PD in images_PD]
            embedded.append(splice(words_TD, prompt.image_positions, images_PD))
        return embedded

    @property
    def context_length(self) -> int:
        """Maximum number of positions of the language model, prompt and reply together."""
        text: Any = self.backbone.config.text_config
        positions: int = text.max_position_embeddings
        return positions

    @property
    def positions_per_image(self) -> int:
        """Positions of one image in the language model, its safety tokens included."""
        tokens = self.safety.llm_tokens_SD
        return self.projected_positions + (0 if tokens is None else len(tokens))

    @property
    def banned_ids(self) -> tuple[int, ...]:
        """Tokens that are never generated: the image placeholder."""
        return (self.backbone.config.image_token_id,)

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """Tokens that end a reply."""
        own = self.tokenizer.eos_token_id
        configured = self.backbone.generation_config.eos_token_id if self.backbone.generation_config else None
        extra = configured if isinstance(configured, list) else [configured]
        template = self.prompts.end_ids if isinstance(self.prompts, TemplatedPromptBuilder) else ()
        return tuple({token for token in (own, *extra, *template) if isinstance(token, int)})
