"""What every test may ask for. Imported where it is needed: a process that only hands out tests never loads torch."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from tests.helpers.clients import ServerProcess

# Every HTTP client that httpx makes loads all certificates of the system, for a twentieth of a second. No test reaches
# anything but plain HTTP on this machine, so they trust those in a folder that holds none.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)


def pytest_collection_finish() -> None:
    """Spare the collector the million objects of imported modules, which stay until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    from tests.helpers.tiny import make_tokenizer

    return make_tokenizer()


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A backbone's folder in Hugging Face layout, weights random."""
    from safety_core.model.checkpoint.backbone import Backbone, save_backbone
    from tests.helpers.tiny import make_backbone, make_image_processor

    folder = tmp_path_factory.mktemp("backbones") / "tiny"
    save_backbone(
        Backbone(model=make_backbone(tokenizer), tokenizer=tokenizer, image_processor=make_image_processor()), folder
    )
    return folder


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """A complete checkpoint, backbone included, that claims to be trained; do not write into it."""
    from tests.helpers.tiny import make_checkpoint

    return make_checkpoint(tiny_backbone, tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="session")
def nano_server() -> Iterator[ServerProcess]:
    """A server with the shipped checkpoint and nothing else set; do not stop it."""
    from tests.helpers.clients import ROOT, running_server

    with running_server(ROOT / "weights" / "safevlm-nano") as server:
        yield server
