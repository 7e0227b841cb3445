"""Fixtures for more than one folder of tests, each built once per process.

``tests/conftest.py`` loads this plugin into every process, also into those that only distribute tests. It therefore
imports nothing heavy: each fixture imports what it needs.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.paths import NANO_CHECKPOINT

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from safety_core.evaluation.suites.suite import Suite
    from tests.helpers.models.smoke_build import SmokeBuild
    from tests.helpers.server.processes import ServerProcess


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """The tiny backbone's tokenizer."""
    from tests.helpers.models.tiny import make_tokenizer

    return make_tokenizer()


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A backbone's folder in Hugging Face layout, with random weights."""
    from safety_core.model.checkpoint.backbone import Backbone, save_backbone
    from tests.helpers.models.tiny import make_backbone, make_image_processor

    folder = tmp_path_factory.mktemp("backbones") / "tiny"
    save_backbone(
        Backbone(model=make_backbone(tokenizer), tokenizer=tokenizer, image_processor=make_image_processor()), folder
    )
    return folder


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """A complete checkpoint, backbone included, that claims to be trained; do not write into it."""
    from tests.helpers.models.tiny import make_checkpoint

    return make_checkpoint(tiny_backbone, tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="session")
def reading_checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """As ``tiny_checkpoint``, but its head reads texts through one of the language model's two layers."""
    from tests.helpers.models.tiny import make_checkpoint

    return make_checkpoint(tiny_backbone, tmp_path_factory.mktemp("checkpoints") / "reading", prompt_layers=1)


@pytest.fixture(scope="session")
def adapted_checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Path:
    """As ``tiny_checkpoint``, but its language model has an adapter of stage 2."""
    from safety_core.model.checkpoint.checkpoint import load_checkpoint
    from tests.helpers.models.tiny import attach_random_adapter, save_trained

    model = load_checkpoint(tiny_checkpoint)
    attach_random_adapter(model)
    return save_trained(model, tmp_path_factory.mktemp("checkpoints") / "adapted")


@pytest.fixture(scope="session")
def untrained_checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """A checkpoint as ``safevlm init`` makes it; do not write into it."""
    from safety_core.model.checkpoint.checkpoint import init_checkpoint

    return init_checkpoint(tiny_backbone, tmp_path_factory.mktemp("untrained") / "tiny")


@pytest.fixture(scope="session")
def unfetched_checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Path:
    """A checkpoint ``wanted`` whose backbone was never fetched; do not write into it."""
    from tests.helpers.models.tiny import make_unfetched

    return make_unfetched(tiny_checkpoint, tmp_path_factory.mktemp("unfetched") / "wanted")


@pytest.fixture(scope="session")
def training_jsonl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSONL file of a small training set, with its pictures beside it."""
    from tests.helpers.datasets.training_rows import write_training_set

    return write_training_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def varied_suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """A suite of 24 varied pairs."""
    from safety_core.evaluation.suites.suite import load_suite
    from tests.helpers.datasets.suite_factory import create_varied_records, write_suite

    return load_suite(write_suite(tmp_path_factory.mktemp("varied"), create_varied_records(24)))


@pytest.fixture(scope="session")
def mixed_policy(tiny_checkpoint: Path, varied_suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a policy under which the tiny checkpoint allows, cautions and refuses pairs of ``varied_suite``."""
    from tests.helpers.datasets.mixed_policies import create_mixed_policy

    path = tmp_path_factory.mktemp("policy") / "policy.json"
    path.write_text(json.dumps(create_mixed_policy(tiny_checkpoint, varied_suite).to_dict()))
    return path


@pytest.fixture(scope="session")
def smoke_build(tmp_path_factory: pytest.TempPathFactory) -> SmokeBuild:
    """A finished ``safevlm nano build --smoke``."""
    from tests.helpers.models.smoke_build import SmokeBuild, build_smoke

    root = tmp_path_factory.mktemp("nano") / "smoke"
    return SmokeBuild(root=root, output=build_smoke(root))


@pytest.fixture(scope="session")
def nano_server() -> Iterator[ServerProcess]:
    """A server with the shipped checkpoint and default settings; do not stop it."""
    from tests.helpers.server.processes import run_server

    with run_server(NANO_CHECKPOINT) as server:
        yield server


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the environment's ``SAFEVLM_*`` settings for one test."""
    for name in os.environ:
        if name.startswith("SAFEVLM_"):
            monkeypatch.delenv(name)


@pytest.fixture
def same_log_levels() -> Iterator[None]:
    """Restore the levels of all loggers that a server configures."""
    names = (None, "service", "safety_core", "uvicorn", "uvicorn.access", "PIL", "python_multipart")
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)
