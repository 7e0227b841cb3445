import pytest
import torch
from torch import nn

from safety_core.errors import ConfigError
from safety_core.model.safe_llava import SafeLlava
from safety_core.small.alignment.naming.things import find_thing
from safety_core.small.alignment.projector.start import embed_names, fit_words, rank_names, start_projector


class Projector(nn.Module):
    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(width_in, width_out), nn.Linear(width_out, width_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.linear_2(nn.functional.gelu(self.linear_1(x)))
        return out


def test_a_name_is_embedded_as_the_mean_of_its_tokens(backbone: SafeLlava) -> None:
    (words_D,) = embed_names(backbone, [find_thing("dome")])
    ids = backbone.tokenizer(" dome", add_special_tokens=False)["input_ids"]
    expected_D = backbone.backbone.get_input_embeddings()(torch.tensor(ids)).mean(0)
    torch.testing.assert_close(words_D, expected_D)


def test_the_fit_is_ridge_regression() -> None:
    torch.manual_seed(0)
    rows_CV, words_CD = torch.randn(7, 4).double(), torch.randn(7, 3).double()
    centred_CV, centred_CD = rows_CV - rows_CV.mean(0), words_CD - words_CD.mean(0)
    expected_VD = torch.linalg.solve(centred_CV.T @ centred_CV + 2 * torch.eye(4), centred_CV.T @ centred_CD)
    torch.testing.assert_close(fit_words(rows_CV, words_CD, penalty=2.0), expected_VD)


def test_the_started_projector_finds_the_names_of_classes() -> None:
    torch.manual_seed(0)
    rows_CV, words_CD = torch.randn(10, 40), torch.randn(10, 24)
    labels_B = torch.arange(40) % 10
    feat_BNV = (rows_CV[labels_B] + 0.3 * torch.randn(40, 40))[:, None] + 0.5 * torch.randn(40, 9, 40)
    projector = Projector(40, 24)
    before = (rank_names(projector, words_CD, feat_BNV)[:, 0] == labels_B).float().mean()
    start_projector(projector, fit_words(rows_CV, words_CD), words_CD, feat_BNV)
    after = (rank_names(projector, words_CD, feat_BNV)[:, 0] == labels_B).float().mean()
    assert before < 0.4
    assert after > 0.9


def test_another_width_is_an_error() -> None:
    with pytest.raises(ConfigError, match="does not lie between"):
        start_projector(Projector(5, 4), torch.zeros(6, 4), torch.zeros(3, 4), torch.zeros(1, 2, 6))
