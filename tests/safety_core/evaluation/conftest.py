"""A system under evaluation for the tests of this package."""

from collections.abc import Callable
from pathlib import Path

import pytest

from safety_core.evaluation.runs.systems import LoadedSystem, SystemSpec, load_system


@pytest.fixture
def make_row(tiny_checkpoint: Path, mixed_policy: Path) -> Callable[..., LoadedSystem]:
    def make(*, use_head: bool = True, use_llm_tokens: bool = True, use_hints: bool = True) -> LoadedSystem:
        return load_system(
            SystemSpec(
                name="row",
                checkpoint=tiny_checkpoint,
                policy=mixed_policy,
                use_head=use_head,
                use_llm_tokens=use_llm_tokens,
                use_hints=use_hints,
            )
        )

    return make
