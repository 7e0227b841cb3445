"""A start of the projector that costs no training: ridge regression from the tower's classes to the words for them.

The rows of the tower's classifier stand for the classes: a feature that points along a row raises that class's score.
Ridge regression from these rows to the mean input embeddings of the classes' names gives a linear map that needs no
photograph, and knows the words for every class; docs/adr/0048 compares it with a regression on photographs. LLaVA's
projector, linear_1 → GELU → linear_2, then computes this map: linear_1 turns features into the map's principal
directions, so small that GELU halves them and does little else, and linear_2 makes words of them.
Shapes: C classes · V features · D width of the language model · T tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from safety_core.errors import ConfigError
from safety_core.model.safe_llava import SafeLlava
from safety_core.small.alignment.naming.things import Thing

PENALTY = 2.0
"""Ridge penalty, for rows of the classifier as the wheel gives them; chosen on development photographs."""

SPREAD = 0.25
"""Standard deviation of linear_1's outputs, small because GELU is nearly linear around zero."""

_SLOPE = 0.5
"""Slope of GELU at zero."""

STRENGTH = 3.0
"""Length of what is added to the mean of all words, as a multiple of what a word adds to it."""


@torch.no_grad()
def embed_names(model: SafeLlava, things: Sequence[Thing]) -> Tensor:
    """Compute words_CD, the mean input embedding of the name of each thing, as it stands within a sentence."""
    embedding = model.backbone.get_input_embeddings()
    rows = [model.prompts.encode_texts([f" {thing.noun}"])[0] for thing in things]
    means: list[Tensor] = [embedding(torch.tensor(ids, device=model.device)).float().mean(0) for ids in rows]
    return torch.stack(means)


@torch.no_grad()
def fit_words(prototypes_CV: Tensor, words_CD: Tensor, *, penalty: float = PENALTY) -> Tensor:
    """Fit map_VD by ridge regression, with both sides centred, in its dual form for fewer classes than features."""
    from_CV, to_CD = prototypes_CV - prototypes_CV.mean(0), words_CD - words_CD.mean(0)
    gram_CC = from_CV @ from_CV.T + penalty * torch.eye(len(from_CV), device=from_CV.device)
    map_VD: Tensor = from_CV.T @ torch.linalg.solve(gram_CC, to_CD)
    return map_VD


@torch.no_grad()
def start_projector(projector: nn.Module, map_VD: Tensor, words_CD: Tensor, feat_BNV: Tensor) -> None:
    """Set LLaVA's projector so that it computes a linear map of features, in the scale of words.

    Args:
        projector: LLaVA's projector with one layer of the tower.
        map_VD: the map of centred features to words without their mean.
        words_CD: embeddings of words, which give the mean and the scale of the output.
        feat_BNV: features of some photographs, which give the mean and the scale of the input.

    Raises:
        ConfigError: the projector has other widths than the map.
    """
    first, second = projector.linear_1, projector.linear_2
    assert isinstance(first, nn.Linear)
    assert isinstance(second, nn.Linear)
    if first.in_features != len(map_VD) or second.out_features != map_VD.shape[1]:
        raise ConfigError("the projector does not lie between this tower and this language model")
    places_PV = feat_BNV.flatten(0, 1)
    mean_V, mean_D = places_PV.mean(0), words_CD.mean(0)
    mapped_PD = (places_PV - mean_V) @ map_VD
    scale = STRENGTH * (words_CD - mean_D).norm(dim=1).mean() / mapped_PD.norm(dim=1).mean()
    axes_VR, sizes_R, out_RD = torch.linalg.svd(map_VD * scale, full_matrices=False)
    rank = min(len(sizes_R), first.out_features)
    axes_VR, weights_RD = axes_VR[:, :rank], sizes_R[:rank, None] * out_RD[:rank]
    shrink_R = SPREAD / ((places_PV - mean_V) @ axes_VR).std(0).clamp_min(1e-6)
    for tensor in (first.weight, first.bias, second.weight, second.bias):
        tensor.zero_()
    first.weight[:rank] = (axes_VR * shrink_R).T
    first.bias[:rank] = -(mean_V @ axes_VR) * shrink_R
    second.weight[:, :rank] = (weights_RD / (_SLOPE * shrink_R[:, None])).T
    second.bias.copy_(mean_D)


@torch.no_grad()
def rank_names(projector: nn.Module, words_CD: Tensor, feat_BNV: Tensor) -> Tensor:
    """Rank names by their likeness to the projected features of photographs; returns class_BC, the nearest first.

    Likeness is the cosine between the mean over a photograph's places and a name, both without the mean of all names.
    """
    mean_D = words_CD.mean(0)
    found_BD = projector(feat_BNV).float().mean(1) - mean_D
    names_CD = words_CD - mean_D
    likeness_BC = nn.functional.normalize(found_BD, dim=1) @ nn.functional.normalize(names_CD, dim=1).T
    return likeness_BC.argsort(dim=1, descending=True)
