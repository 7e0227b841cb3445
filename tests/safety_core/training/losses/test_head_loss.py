import torch
from torch.nn import functional as F

from safety_core.model.modules.head import HeadOutput
from safety_core.training.losses.head_loss import ClassWeights, compute_head_loss

OUTPUT = HeadOutput(type_logits_BC=torch.randn(4, 3), level_logits_BL=torch.randn(4, 2), attention_BF=None)
TYPES, LEVELS = torch.tensor([0, 1, 2, 1]), torch.tensor([0, 1, 1, 0])


def test_rows_are_summed_by_weight() -> None:
    weights = torch.tensor([1.0, 0.0, 2.0, 0.5])
    loss = compute_head_loss(OUTPUT, TYPES, LEVELS, weights, classes=ClassWeights.create_even(3, 2))
    expected = (F.cross_entropy(OUTPUT.type_logits_BC, TYPES, reduction="none") * weights).sum()
    torch.testing.assert_close(loss.type, expected)
    torch.testing.assert_close(loss.total, loss.type + loss.level)


def test_splitting_rows_changes_nothing() -> None:
    weights, classes = torch.ones(4), ClassWeights.create_even(3, 2)
    whole = compute_head_loss(OUTPUT, TYPES, LEVELS, weights, classes=classes).total
    halves = sum(
        compute_head_loss(
            HeadOutput(
                type_logits_BC=OUTPUT.type_logits_BC[part],
                level_logits_BL=OUTPUT.level_logits_BL[part],
                attention_BF=None,
            ),
            TYPES[part],
            LEVELS[part],
            weights[part],
            classes=classes,
        ).total
        for part in (slice(0, 1), slice(1, 4))
    )
    torch.testing.assert_close(torch.as_tensor(halves), whole)


def test_balanced_weights_have_mean_one_and_favour_the_rare() -> None:
    types, levels = [0] * 90 + [1] * 10, [0] * 100
    weights = ClassWeights.create_balanced(types, levels, 3, 2)
    torch.testing.assert_close(weights.types_C[1] / weights.types_C[0], torch.tensor(3.0))
    torch.testing.assert_close(weights.types_C[torch.tensor(types)].mean(), torch.tensor(1.0))
    torch.testing.assert_close(weights.types_C[2], torch.tensor(1.0))
    torch.testing.assert_close(weights.levels_L, torch.ones(2))


def test_class_weights_and_smoothing_change_the_loss() -> None:
    plain = compute_head_loss(OUTPUT, TYPES, LEVELS, torch.ones(4), classes=ClassWeights.create_even(3, 2))
    heavy = ClassWeights(torch.full((3,), 2.0), torch.ones(2))
    torch.testing.assert_close(
        compute_head_loss(OUTPUT, TYPES, LEVELS, torch.ones(4), classes=heavy).type, 2 * plain.type
    )
    smooth_loss = compute_head_loss(
        OUTPUT, TYPES, LEVELS, torch.ones(4), classes=ClassWeights.create_even(3, 2), label_smoothing=0.3
    )
    assert not torch.isclose(smooth_loss.type, plain.type)
