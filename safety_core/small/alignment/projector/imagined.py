"""Imagined pictures: features of a photograph in which another class stands in the place of its subject.

Photographs show only some of the tower's classes. What a class looks like to the tower is also in its classifier: the
positive part of a class's row is nearer to the features of a photograph of that class than most other photographs are
(docs/adr/0048). So every class can be named in training, in a real photograph's surroundings, without a photograph.
Shapes: B pictures · N places · V features · C classes.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from safety_core.inputs.conversation import Turn
from safety_core.inputs.prompt_encoding import EncodedPrompt
from safety_core.model.safe_llava import SafeLlava
from safety_core.small.alignment.naming.things import Thing
from safety_core.small.alignment.samples.conversations import Exchange, Wording
from safety_core.small.alignment.samples.photos import Photo

_KEPT = 0.5
"""Share of a class's features that one picture shows: no two photographs show all the same ones."""

_REMOVED = 0.8
"""Share of the subject's own features that is removed."""

_STRENGTHS = (0.6, 1.1)
"""Least and greatest length of the new features, as a multiple of the old ones'."""

_PLACES = 27
"""Places of a picture that the language model sees, which take a third of the time of all of them."""

_ATTEMPTS = 4
"""Attempts until the tower takes the picture for the new class; the last one counts in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImaginedBatch:
    """Imagined pictures with one question each."""

    feat_BNV: Tensor
    encoded: tuple[EncodedPrompt, ...]


class Imagination:
    """Imagines pictures of the tower's classes.

    Args:
        model: gives the prompt format.
        classifier: the tower's classifier.
        classes: the classes by position.
    """

    def __init__(self, model: SafeLlava, classifier: nn.Linear, classes: Sequence[Thing]) -> None:
        if len(classes) != classifier.out_features:
            raise ValueError(f"{len(classes)} names were given for {classifier.out_features} classes")
        self._model, self._classifier, self._classes = model, classifier, classes
        rows_CV = classifier.weight.detach()
        self._prototypes_CV = nn.functional.normalize((rows_CV - rows_CV.mean(0)).clamp_min(0), dim=1)

    @torch.no_grad()
    def imagine(self, feat_BNV: Tensor, key: str) -> ImaginedBatch:
        """Put a random class into each photograph, and ask for its name or for a description.

        Args:
            feat_BNV: features of photographs.
            key: seed of all choices.
        """
        rng = random.Random(key)
        pictures, encoded = [], []
        for feat_NV in feat_BNV:
            position = rng.randrange(len(self._classes))
            places = sorted(rng.sample(range(len(feat_NV)), min(_PLACES, len(feat_NV))))
            pictures.append(self._replace_subject(feat_NV, position, rng)[places])
            exchange = self._word(self._classes[position], rng)
            turn = Turn(role="user", text=exchange.question)
            encoded.append(self._model.prompts.encode([turn], 1, answer=exchange.answer))
        return ImaginedBatch(feat_BNV=torch.stack(pictures), encoded=tuple(encoded))

    def _word(self, thing: Thing, rng: random.Random) -> Exchange:
        wording = Wording(rng)
        picture = Photo.of(thing)
        exchange = wording.name(picture) if rng.random() < 0.75 else wording.describe(picture)
        assert exchange is not None
        return exchange

    def _replace_subject(self, feat_NV: Tensor, position: int, rng: random.Random) -> Tensor:
        """Replace what the tower sees, where it sees it, by another class."""
        scores_NC = self._classifier(feat_NV).softmax(-1)
        best = self._classifier(feat_NV.mean(0)).argmax()
        here_N1 = (scores_NC[:, best] / scores_NC[:, best].max())[:, None]
        size_N1 = feat_NV.norm(dim=1, keepdim=True)
        generator = torch.Generator().manual_seed(rng.getrandbits(63))
        replaced_NV = feat_NV
        for _ in range(_ATTEMPTS):
            kept_V = (torch.rand(feat_NV.shape[1], generator=generator) < _KEPT).to(feat_NV)
            class_V = nn.functional.normalize(self._prototypes_CV[position] * kept_V, dim=0)
            added_NV = here_N1 * size_N1 * rng.uniform(*_STRENGTHS) * class_V
            replaced_NV = feat_NV * (1 - _REMOVED * here_N1) + added_NV
            if int(self._classifier(replaced_NV.mean(0)).argmax()) == position:
                break
        return replaced_NV
