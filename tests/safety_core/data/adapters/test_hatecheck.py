from pathlib import Path

import pytest

from safety_core.data.adapters.hatecheck import ADAPTER
from safety_core.data.conversion import convert
from safety_core.data.labels import LabelTable
from safety_core.errors import SampleError
from safety_core.small.corpus.labels.hostility import HATECHECK
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.public_sets import convert_to_samples, name_labels, write_text

HEADER = (
    ",functionality,case_id,test_case,label_gold,target_ident,direction,focus_words,focus_lemma,ref_case_id,"
    "ref_templ_id,templ_id\n"
)
CASES = """0,derog_neg_emote_h,1,I cannot bear these people.,hateful,women,general,bear,bear,,,1
1,target_indiv_nh,2,You are a fool.,non-hateful,,,fool,fool,,,2
2,target_group_nh,3,All bankers are fools.,non-hateful,,,fool,fool,,,3
3,ident_pos_nh,4,"They are lovely, all of them.",non-hateful,women,,lovely,lovely,,,4
"""


def test_hatecheck(tmp_path: Path) -> None:
    write_text(tmp_path / "hatecheck" / "test_suite_cases.csv", HEADER + CASES)
    samples = convert_to_samples("hatecheck", tmp_path / "hatecheck", tmp_path)
    assert name_labels(samples) == [
        ("insults_bullying", 3),
        ("insults_bullying", 2),
        ("insults_bullying", 1),
        ("safe", 0),
    ]
    assert [sample.id for sample in samples] == ["1", "2", "3", "4"]
    assert samples[3].turns[0].text == "They are lovely, all of them."
    assert samples[3].meta["subset"] == "ident_pos_nh"


def test_an_unknown_gold_label_is_an_error(tmp_path: Path) -> None:
    write_text(tmp_path / "test_suite_cases.csv", HEADER + CASES.replace(",non-hateful,women", ",unsure,women"))
    with pytest.raises(SampleError, match=r"test_suite_cases\.csv:5: label_gold"):
        convert("hatecheck", tmp_path, tmp_path / "out.jsonl")


def test_labels_are_those_of_the_corpus_of_the_small_checkpoint() -> None:
    table = LabelTable(ADAPTER.labels, {}, DEFAULT_TAXONOMY)
    for rule in HATECHECK:
        for functionality in rule.categories:
            gold = "non-hateful" if functionality.endswith("_nh") else "hateful"
            label = table.find_label(f"{gold}/{functionality}")
            assert (DEFAULT_TAXONOMY.types[label.type], label.level) == rule.label
