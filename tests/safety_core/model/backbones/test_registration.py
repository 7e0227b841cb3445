import subprocess
import sys

from transformers import AutoModel

from safety_core.model.backbones.efficientnet_lite import EfficientNetLiteModel
from safety_core.model.backbones.registration import register_towers
from tests.helpers.models.tiny_convolutional import make_tower_config


def test_registering_twice_does_no_harm() -> None:
    register_towers()
    register_towers()
    assert type(AutoModel.from_config(make_tower_config())) is EfficientNetLiteModel


def test_whoever_can_load_a_backbone_knows_every_tower() -> None:
    code = (
        "import safety_core.model.checkpoint.backbone\n"
        "from transformers import AutoConfig\n"
        "print(AutoConfig.for_model('efficientnet_lite').map_side)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "9"
