import pytest

from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import SampleError
from safety_core.inputs.conversation import Turn
from safety_core.model.safe_llava import SafeLlava
from tests.helpers.datasets.corpora import build_corpus


def test_a_prompt_that_is_too_long_names_its_record(model: SafeLlava) -> None:
    turns = (Turn(role="user", text="word " * 600), Turn(role="assistant", text="No."))
    sample = Sample(id="x", images=(), conversation=turns, label=RiskLabel(type=6, level=0), file="data.jsonl", line=9)
    with pytest.raises(SampleError, match=r"data\.jsonl:9: conversations: [Tt]he prompt has"):
        build_corpus(model, [sample])
