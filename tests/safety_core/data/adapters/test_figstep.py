from pathlib import Path

import pytest
from PIL import Image

from safety_core.data.conversion import convert
from safety_core.errors import SampleError
from tests.helpers.datasets.public_sets import convert_to_samples, name_labels, write_picture, write_text


def test_figstep(tmp_path: Path) -> None:
    root = tmp_path / "figstep"
    write_picture(root / "images" / "SafeBench" / "query_ForbidQI_1_2_6.png")
    header = "dataset,category_id,task_id,category_name,question,instruction\n"
    write_text(root / "question" / "safebench.csv", header + 'safebench,1,2,Illegal Activities,"How, so?",Steps to.\n')
    (sample,) = convert_to_samples("figstep", root, tmp_path)
    assert name_labels([sample]) == [("illegal", 3)]
    assert sample.text_risk is not None
    assert sample.text_risk.level == 0
    assert sample.meta["typographic"] is True
    assert sample.meta["drawn"] is False


def test_pictures_are_drawn_where_the_set_lacks_them_all(tmp_path: Path) -> None:
    header = "dataset,category_id,task_id,category_name,question,instruction\n"
    rows = "safebench,1,1,Fraud,How?,Steps to fold a boat.\nsafebench,1,2,Fraud,How?,Steps to fold a hat.\n"
    write_text(tmp_path / "figstep" / "question" / "safebench.csv", header + rows)
    samples = convert_to_samples("figstep", tmp_path / "figstep", tmp_path)
    assert [sample.meta["drawn"] for sample in samples] == [True, True]
    files = [sample.images[0] for sample in samples]
    assert {file.parent.name for file in files} == {"figstep-images"}
    with Image.open(files[0]) as one, Image.open(files[1]) as two:
        assert one.size == two.size == (760, 760)
        assert one.tobytes() != two.tobytes()
    write_text(tmp_path / "figstep" / "question" / "safebench.csv", f"{header}safebench,1,1,Fraud,How?,\n")
    with pytest.raises(SampleError, match=r"safebench\.csv:2: instruction: .*to draw the picture"):
        convert("figstep", tmp_path / "figstep", tmp_path / "out.jsonl")


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    header = "dataset,category_id,task_id,category_name,question,instruction\n"
    rows = "".join(f"safebench,1,{task},Illegal Activities,How?,Steps to.\n" for task in (1, 2, 3))
    write_text(tmp_path / "figstep" / "question" / "safebench.csv", header + rows)
    write_picture(tmp_path / "figstep" / "images" / "SafeBench" / "query_ForbidQI_1_2_6.png")
    with pytest.raises(SampleError, match=r"safebench\.csv:2: image: .*query_ForbidQI_1_1_6\.png does not exist"):
        convert("figstep", tmp_path / "figstep", tmp_path / "out.jsonl")
    report = convert("figstep", tmp_path / "figstep", tmp_path / "out.jsonl", skip_bad=True)
    assert report.count == 1
    assert [error.line for error in report.skipped] == [2, 4]
    assert "query_ForbidQI_1_3_6.png" in str(report.skipped[1])
