from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.systems.baselines.registered import LOADERS, BaselineRequest, load_baseline


@pytest.mark.parametrize("name", LOADERS)
def test_baselines_of_words_need_the_corpus_and_say_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--corpus.*safevlm-small-data\.md"):
        load_baseline(BaselineRequest(name=name, build=tmp_path))


def test_an_unknown_baseline_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tfidf, minilm, judge, profanity"):
        load_baseline(BaselineRequest(name="oracle", build=tmp_path))
