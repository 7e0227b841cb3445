"""The reference path: rows for losses, with labels for the answers alone."""

import torch

from tests.helpers.models.reference import IGNORED_LABEL, pad_right


def test_right_padding_labels_the_answers_only() -> None:
    _, mask, labels = pad_right([torch.zeros(4, 2), torch.zeros(3, 2)], [[7, 8], [9]])
    none = IGNORED_LABEL
    assert mask.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert labels.tolist() == [[none, none, 7, 8], [none, none, 9, none]]
