"""Plans the samples of a split: how many of each kind, about which photographs, in a fixed random order.

Everything follows from the photographs, the number of samples and the seed. Draws and writes nothing.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from safety_core.small.alignment.samples.collages import LAYOUTS, Collage, arrange
from safety_core.small.alignment.samples.conversations import Exchange, Wording
from safety_core.small.alignment.samples.photos import Photo

SHARES: dict[str, float] = {
    "caption": 0.20,
    "description": 0.06,
    "name": 0.22,
    "yes": 0.11,
    "no": 0.11,
    "things": 0.02,
    "collage": 0.18,
    "person": 0.05,
    "unknowable": 0.05,
}
"""Share of each sort of sample. ``things`` are numbers of things in photographs; ``collage`` is everything that is
asked about collages: what is where, where something is, of how many photographs, a description."""

_PER_COLLAGE = 3
"""Questions about one collage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSample:
    """One sample before its files are written."""

    picture: Photo | Collage
    exchange: Exchange


class SamplePlanner:
    """Plans samples about photographs.

    Args:
        photos: what is known about each photograph.
        seed: seed of all choices.
    """

    def __init__(self, photos: Sequence[Photo], seed: int) -> None:
        self._photos = photos
        self._rng = random.Random(seed)
        self._word = Wording(self._rng)

    def plan(self, total: int) -> list[PlannedSample]:
        """Plan about ``total`` samples; fewer where the photographs do not give enough of a sort."""
        planned: list[PlannedSample] = []
        for sort, share in SHARES.items():
            number = round(share * total)
            planned += islice(self._list_sort(sort, number), number)
        return planned

    def _list_sort(self, sort: str, number: int) -> Iterator[PlannedSample]:
        match sort:
            case "caption":
                return self._list_captions()
            case "collage":
                return self._list_collages(-(-number // _PER_COLLAGE))
            case "description":
                return self._ask_photos(number, self._word.describe)
            case "name":
                return self._ask_photos(number, self._word.name)
            case "yes":
                return self._ask_photos(number, self._word.affirm)
            case "no":
                return self._ask_photos(number, self._word.deny)
            case "things":
                return self._ask_photos(number, self._word.count_things)
            case "person":
                return self._ask_photos(number, self._word.decline_identity)
            case _:
                return self._ask_photos(number, self._word.decline_facts)

    def _ask_photos(self, number: int, word: Callable[[Photo], Exchange | None]) -> Iterator[PlannedSample]:
        """Ask about photographs in turn, all once before any twice; none where no photograph gives an answer."""
        askable = [photo for photo in self._photos if word(photo) is not None]
        self._rng.shuffle(askable)
        for photo in islice(cycle(askable), number):
            exchange = word(photo)
            assert exchange is not None
            yield PlannedSample(picture=photo, exchange=exchange)

    def _list_captions(self) -> Iterator[PlannedSample]:
        """Each caption once, the photographs in turn."""
        captions = [(place, photo, text) for photo in self._photos for place, text in enumerate(photo.captions)]
        self._rng.shuffle(captions)
        captions.sort(key=lambda entry: entry[0])
        for _, photo, text in captions:
            exchange = self._word.describe(photo, text)
            assert exchange is not None
            yield PlannedSample(picture=photo, exchange=exchange)

    def _list_collages(self, number: int) -> Iterator[PlannedSample]:
        """Ask about collages of photographs that have names, each photograph in turn."""
        named = [photo for photo in self._photos if photo.main is not None]
        if len(named) < max(map(len, LAYOUTS)):
            return
        self._rng.shuffle(named)
        turns = cycle(named)
        for _ in range(number):
            collage = arrange([*islice(turns, self._rng.choice((2, 2, 3, 4)))], self._rng)
            exchanges = [self._word.describe_collage(collage), self._word.count_photographs(collage)]
            for photo, where in collage.parts:
                assert photo.main is not None
                exchanges.append(self._word.find_thing_at(photo.main, where))
                if photo.main.is_countable:
                    exchanges.append(self._word.find_place_of(photo.main, where))
            picked = self._rng.sample([one for one in exchanges if one is not None], _PER_COLLAGE)
            yield from (PlannedSample(picture=collage, exchange=exchange) for exchange in picked)
