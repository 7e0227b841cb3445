import torch

from safety_core.nano.pretrain.vision.loss import compute_dense_loss, measure_patch_accuracy
from safety_core.nano.pretrain.vision.tower import (
    HEADS,
)
from safety_core.nano.world.scene import GRID

EMPTY = {name: torch.zeros(1, GRID**2, dtype=torch.long) for name in HEADS}


def logits_for(targets: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Logits that are sure of the targets."""
    found = {
        name: torch.nn.functional.one_hot(target.clamp(min=0), HEADS[name]).float() * 50
        for name, target in targets.items()
    }
    return {**found, "early_letter": found["letter"]}


def test_right_labels_cost_nothing_and_wrong_ones_do() -> None:
    targets = {name: target.clone() for name, target in EMPTY.items()}
    targets["thing"][0, 5] = 3
    assert compute_dense_loss(logits_for(targets), targets) < 1e-3
    assert measure_patch_accuracy(logits_for(targets), targets)["thing"] == 1.0
    wrong = logits_for(EMPTY)
    assert compute_dense_loss(wrong, targets) > 1
    assert measure_patch_accuracy(wrong, targets)["thing"] == 0.0


def test_ignored_patches_teach_nothing() -> None:
    targets = {name: target.clone() for name, target in EMPTY.items()}
    targets["word"][0, :50] = -100
    logits = logits_for(EMPTY)
    before = compute_dense_loss(logits, targets)
    logits["word"][0, :50] = torch.randn(50, HEADS["word"]) * 9
    assert torch.equal(compute_dense_loss(logits, targets), before)


def test_labels_may_live_beside_any_device() -> None:
    """Class weights follow the logits: on the meta device nothing of the CPU may take part."""
    targets = {name: target.to("meta") for name, target in EMPTY.items()}
    logits = {name: value.to("meta") for name, value in logits_for(EMPTY).items()}
    assert compute_dense_loss(logits, targets).device.type == "meta"
