"""A LLaVA over SigLIP and Qwen, from init to a verdict and a reply, in its own format."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast, Qwen2Config
from typer.testing import CliRunner

from safety_core.cli.main import app
from safety_core.inputs.chat_template import TemplatedPromptBuilder
from safety_core.inputs.conversation import Turn
from safety_core.model.checkpoint.backbone import Backbone, save_backbone
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.spec import SPEC_FILE, read_spec
from tests.helpers.models.chat_templates import CHATML, make_chatml_tokenizer
from tests.helpers.models.llava15 import CHAT_TEMPLATE as VICUNA
from tests.helpers.models.tiny import make_image_processor, make_siglip_backbone
from tests.helpers.models.tiny import make_tokenizer as make_llama_tokenizer


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.stderr if code else result.stdout


def write(folder: Path, tokenizer: PreTrainedTokenizerFast, chat_template: str | None, *, llama: bool) -> Path:
    like = make_siglip_backbone(make_llama_tokenizer(), "full").config
    if not llama:
        like.text_config = Qwen2Config(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            vocab_size=len(tokenizer),
            max_position_embeddings=512,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    like.image_token_index = tokenizer.get_vocab()["<image>"]
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(like)
    save_backbone(Backbone(model=model, tokenizer=tokenizer, image_processor=make_image_processor()), folder)
    if chat_template is not None:
        (folder / "chat_template.json").write_text(json.dumps({"chat_template": chat_template}))
    return folder


def test_its_chat_template_is_used_from_training_to_serving(tmp_path: Path, training_jsonl: Path) -> None:
    backbone = write(tmp_path / "backbone", make_chatml_tokenizer(), CHATML, llama=False)
    run("init", tmp_path / "start", "--backbone", backbone)
    assert "template   chat" in run("verify", tmp_path / "start")
    short = ["--max-steps", 1, "--batch-size", 8, "--grad-accum", 1, "--device", "cpu", "--quiet"]
    caching = ["--cache-features", tmp_path / "features"]
    run(
        "train", "--backbone", tmp_path / "start", "--data", training_jsonl, "--out", tmp_path / "one", *short, *caching
    )
    two = ["--stage", 2, "--set", "lora_r=2", "--out", tmp_path / "two"]
    run("train", "--backbone", tmp_path / "one", "--data", training_jsonl, *two, *short)
    model = load_checkpoint(tmp_path / "two")
    assert isinstance(model.prompts, TemplatedPromptBuilder)
    prompt = model.prompts.encode([Turn(role="user", text="What is it?")], 1)
    assert str(model.tokenizer.decode(prompt.input_ids)).endswith("What is it?<|im_end|>\n<|im_start|>assistant\n")
    assert model.tokenizer.convert_tokens_to_ids("<|im_end|>") in model.eos_ids
    picture = tmp_path / "red.png"
    Image.new("RGB", (28, 28), "red").save(picture)
    assert "decision" in run("classify", picture, "--prompt", "What?", "--checkpoint", tmp_path / "two")


def test_where_nothing_says_which_format_fits_init_asks(tmp_path: Path) -> None:
    backbone = write(tmp_path / "backbone", make_chatml_tokenizer(), None, llama=False)
    told = run("init", tmp_path / "start", "--backbone", backbone, code=1)
    assert told.startswith("error: template: the backbone has no chat template; ")
    assert "--template vicuna" in told
    assert not (tmp_path / "start").exists()
    assert "no chat template" in run("init", tmp_path / "a", "--backbone", backbone, "--template", "chat", code=1)
    assert "template: must be" in run("init", tmp_path / "a", "--backbone", backbone, "--template", "alpaca", code=1)
    run("init", tmp_path / "start", "--backbone", backbone, "--template", "vicuna")
    assert read_spec(tmp_path / "start").prompt is None


def test_a_template_that_cannot_be_used_is_no_reason_to_guess(tmp_path: Path) -> None:
    backbone = write(tmp_path / "backbone", make_chatml_tokenizer(), "{{ messages[-1]['content'] }}", llama=False)
    assert "is not supported" in run("init", tmp_path / "start", "--backbone", backbone, code=1)


@pytest.mark.parametrize("chat_template", [None, VICUNA])
def test_llavas_own_format_stays_unsaid(tmp_path: Path, chat_template: str | None) -> None:
    backbone = write(tmp_path / "backbone", make_llama_tokenizer(), chat_template, llama=True)
    run("init", tmp_path / "start", "--backbone", backbone)
    assert "prompt" not in json.loads((tmp_path / "start" / SPEC_FILE).read_text())
    assert "template   vicuna" in run("verify", tmp_path / "start")
