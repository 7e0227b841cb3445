import io
from pathlib import Path

from bench.contenders.bare_parts import run_bare_parts
from tests.helpers.images.pictures import create_picture
from tests.helpers.models.tiny_convolutional import make_convolutional_checkpoint


def test_every_part_runs_without_a_server(tmp_path: Path) -> None:
    checkpoint = make_convolutional_checkpoint(tmp_path / "checkpoint")
    file = io.BytesIO()
    create_picture("red").views[0].save(file, "PNG")
    picture = tmp_path / "red.png"
    picture.write_bytes(file.getvalue())
    with run_bare_parts(checkpoint) as bare:
        costs = {part: bare.measure(part, picture, "What is it?", 3) for part in ("verdict", "first", "tokens")}
    assert all(cost.seconds > 0 and cost.cpu_s > 0 for cost in costs.values())
