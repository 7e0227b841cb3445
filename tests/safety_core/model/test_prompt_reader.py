"""What the head reads of a text: the states after the language model's first layers, of the user's words alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from peft import LoraConfig
from PIL import Image
from transformers import LlavaConfig, LlavaForConditionalGeneration, PreTrainedTokenizerFast, masking_utils

from safety_core.errors import ConfigError
from safety_core.inputs.conversation import Turn
from safety_core.inputs.prompt_encoding import TextFrame
from safety_core.model.checkpoint.adapter import attach_adapter, merge_adapter
from safety_core.model.config import BackboneDims
from safety_core.model.prompt_reader import PromptReader, PromptStates, ReadPrompts, get_decoder, take_first_layers
from safety_core.model.safe_llava import SafeLlava
from tests.helpers.models import llava15
from tests.helpers.models.tiny import create_model, make_backbone

FRAME = TextFrame(start=(0, 7), end=(9, 8))
PROMPTS = [(5, 6, 7), (11,), (), (12, 13, 14, 15, 16)]


@pytest.fixture
def backbone(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    return make_backbone(tokenizer)


@contextmanager
def count_layers(backbone: LlavaForConditionalGeneration) -> Iterator[dict[int, list[int]]]:
    """For each layer of the language model, the numbers of texts of its passes."""
    calls: dict[int, list[int]] = {}
    layers: Any = get_decoder(backbone).layers
    hooks = [
        layer.register_forward_pre_hook(
            lambda _, args, kwargs, index=index: calls.setdefault(index, []).append(
                len(args[0] if args else kwargs["hidden_states"])
            ),
            with_kwargs=True,
        )
        for index, layer in enumerate(layers)
    ]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def read_alone(backbone: LlavaForConditionalGeneration, prompt: tuple[int, ...], layers: int) -> torch.Tensor:
    """The reference: all layers on one framed text, with all hidden states."""
    ids = torch.tensor([[*FRAME.start, *prompt, *FRAME.end]])
    with torch.no_grad():
        # The last hidden state that transformers returns is normalised, so one layer more must follow.
        states = get_decoder(backbone)(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states
    hidden: torch.Tensor = states[layers][0]
    return hidden[len(FRAME.start) :]


def test_states_are_those_of_the_whole_language_model(backbone: LlavaForConditionalGeneration) -> None:
    states = PromptReader(backbone, 1, FRAME).read(PROMPTS)
    for row, prompt in enumerate(PROMPTS):
        read = states.states_PTD[row][states.mask_PT[row]]
        if prompt:
            torch.testing.assert_close(read, read_alone(backbone, prompt, 1), atol=1e-5, rtol=1e-4)
        else:
            assert not len(read), "a request without words has no words to read"


def test_all_layers_without_the_final_norm_can_be_read(backbone: LlavaForConditionalGeneration) -> None:
    decoder: Any = get_decoder(backbone)
    last = PromptReader(backbone, 2, FRAME).read([PROMPTS[0]]).states_PTD[0]
    ids = torch.tensor([[*FRAME.start, *PROMPTS[0], *FRAME.end]])
    with torch.no_grad():
        expected = decoder(input_ids=ids, use_cache=False).last_hidden_state[0, len(FRAME.start) :]
        torch.testing.assert_close(decoder.norm(last), expected, atol=1e-5, rtol=1e-4)


def test_embeddings_are_read_without_frame_and_layers(backbone: LlavaForConditionalGeneration) -> None:
    reader = PromptReader(backbone, 0, FRAME)
    with count_layers(backbone) as calls:
        states = reader.read(PROMPTS)
    assert calls == {}
    assert states.mask_PT.sum(1).tolist() == [len(prompt) for prompt in PROMPTS]
    embeddings = backbone.get_parameter("model.language_model.embed_tokens.weight").detach()
    torch.testing.assert_close(states.states_PTD[1, 0], embeddings[11])
    assert reader.estimate_cost(100) == 0
    assert list(reader.read_in_passes(PROMPTS, {})) == []


def test_only_the_first_layers_run_and_each_text_once(backbone: LlavaForConditionalGeneration) -> None:
    reader = PromptReader(backbone, 1, FRAME)
    read: ReadPrompts = {}
    with count_layers(backbone) as calls:
        passes = list(reader.read_in_passes([*PROMPTS, *PROMPTS], read))
        reader.read(PROMPTS, read)
        assert list(reader.read_in_passes(PROMPTS, read)) == []
    assert set(calls) == {0}
    assert sum(calls[0]) == 3, "four texts, one of them empty"
    assert sorted(prompt for part in passes for prompt in part) == sorted(prompt for prompt in PROMPTS if prompt)


def test_passes_keep_to_the_limit_and_change_nothing(backbone: LlavaForConditionalGeneration) -> None:
    reader = PromptReader(backbone, 1, FRAME)
    limit = 2 * reader.estimate_cost(5)
    read: ReadPrompts = {}
    for part in reader.read_in_passes([(number, number + 1) for number in range(4, 20)], read, limit=lambda: limit):
        assert max(reader.estimate_cost(len(prompt)) for prompt in part) * len(part) <= limit
    whole = reader.read(list(read))
    torch.testing.assert_close(PromptStates.pad(list(read.values())).states_PTD, whole.states_PTD)


def test_cost_grows_with_layers_and_words_and_counts_the_frame(backbone: LlavaForConditionalGeneration) -> None:
    one, two = PromptReader(backbone, 1, FRAME), PromptReader(backbone, 2, FRAME)
    assert 0 < one.estimate_cost(1) < one.estimate_cost(2) < two.estimate_cost(2)
    assert one.estimate_cost(10) == one.token_cost * 14
    assert one.estimate_cost(0) == 0


@pytest.mark.parametrize("layers", [3, 100])
def test_layers_that_do_not_exist_are_refused(backbone: LlavaForConditionalGeneration, layers: int) -> None:
    with pytest.raises(ConfigError, match=f"{layers} layers are wanted, the language model has 2"):
        PromptReader(backbone, layers, FRAME)


def test_a_view_of_the_first_layers_leaves_the_model_as_it_is(backbone: LlavaForConditionalGeneration) -> None:
    decoder: Any = get_decoder(backbone)
    ids = torch.tensor([[1, 2, 3]])
    before = decoder(input_ids=ids).last_hidden_state
    counted: list[int] = []
    hook = decoder.register_forward_hook(lambda *_: counted.append(1))
    view: Any = take_first_layers(decoder, 1)
    view(input_ids=ids)
    hook.remove()
    assert counted == [], "hooks on the model do not run for its first layers"
    assert len(decoder.layers) == 2
    torch.testing.assert_close(decoder(input_ids=ids).last_hidden_state, before)
    assert view.layers[0] is decoder.layers[0]


@pytest.mark.parametrize("merged", [False, True])
def test_an_adapter_on_later_layers_changes_nothing(backbone: LlavaForConditionalGeneration, merged: bool) -> None:
    reader = PromptReader(backbone, 1, FRAME)
    before = reader.read(PROMPTS).states_PTD
    config = LoraConfig(
        r=2,
        target_modules=["q_proj", "down_proj"],
        layers_to_transform=[1],
        layers_pattern="layers",
        init_lora_weights=False,
    )
    attach_adapter(backbone, config)
    if merged:
        merge_adapter(backbone)
    torch.testing.assert_close(reader.read(PROMPTS).states_PTD, before)


def test_scores_depend_on_the_order_of_the_words_and_on_nothing_beside_them(
    tokenizer: PreTrainedTokenizerFast, pictures: list[Image.Image]
) -> None:
    model = create_model(tokenizer, prompt_layers=1)
    ids = [tuple(model.prompts.encode_user_words([Turn(role="user", text=text)])) for text in ("red knife", "a")]
    safe_BMD = model.project_features(model.encode_images(model.preprocess(pictures[:2])))
    with count_layers(model.backbone) as calls:
        pairs = model.score_samples(safe_BMD, [(0, 1), (0,), ()], [ids[0], ids[0], ids[1]])
    assert sum(calls[0]) == 2, "two texts, whatever number of views they are judged with"
    (alone,) = model.score_samples(None, [()], [ids[0]])
    assert alone.text is not None
    assert pairs[0].text is not None
    assert pairs[0].text.types == pytest.approx(alone.text.types, abs=1e-6)
    read = model.prompt_reader.read([ids[0]])
    turned = PromptReader(model.backbone, 1, model.prompts.text_frame).read([tuple(reversed(ids[0]))])
    assert not torch.allclose(read.states_PTD.mean(1), turned.states_PTD.mean(1))


def test_llava_7b_has_the_right_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published sizes, on the meta device, where transformers cannot look at the values of positions."""
    monkeypatch.setattr(masking_utils, "find_packed_sequence_indices", lambda positions: None)
    with torch.device("meta"):
        backbone = LlavaForConditionalGeneration(LlavaConfig(**llava15.CONFIG))
        reader = PromptReader(backbone, 12, FRAME)
        states = reader.read([(1, 2, 3), (4,)])
    assert BackboneDims.read_config(backbone.config).llm_width == 4096
    assert tuple(states.states_PTD.shape) == (2, 5, 4096)
    assert reader.token_cost == 36


def test_the_tokenizers_words_stand_in_the_prompts_frame(model: SafeLlava) -> None:
    frame = model.prompts.text_frame
    tokens = model.tokenizer.decode([*frame.start, *frame.end])
    assert tokens == "<s>USER:  ASSISTANT:"
