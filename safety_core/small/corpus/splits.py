"""Splits: every group goes whole into train, calibration, development or test, by a salted hash of its id.

Whole sources, functionalities and topics are held out for test; a group that touches one of them is test. Sets that
nothing shipped may be trained on are development. The result is committed as lists of salted hashes of ids
(:mod:`split_lists`), so that a change of code cannot move a record unseen. Knows no files.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from safety_core.small.corpus.hashing import SHARES, Shares, pick_split, rank
from safety_core.small.corpus.reading.issuebench import pick_issue_split
from safety_core.small.corpus.records import Record, Split
from safety_core.small.corpus.sources import SOURCES

HELD_OUT_FUNCTIONALITIES = frozenset(
    {"derog_impl_h", "phrase_opinion_h", "threat_norm_h", "counter_ref_nh", "ident_pos_nh", "target_obj_nh"}
)
"""Functionalities of HateCheck that are tested only, three of them hateful."""

HELD_OUT_PEOPLE = "Religion"
"""Kind of people in BBQ's questions that is tested only."""

PHOTO_SHARES: Mapping[str, Shares] = {
    "imagenet": (("test", 0.20), ("calibration", 0.08), ("development", 0.08), ("train", 0.64)),
    "coco": (("test", 0.50), ("calibration", 0.06), ("development", 0.06), ("train", 0.38)),
    "flickr8k": (("test", 0.12), ("calibration", 0.10), ("development", 0.08), ("train", 0.70)),
    "guns": (("test", 0.25), ("calibration", 0.10), ("development", 0.08), ("train", 0.57)),
    "dreambooth": (("test", 1.0),),
}
"""Shares of each set's photographs, in the order in which they are filled."""

COMBINED = "issuebench_issues"
"""The set whose texts are combinations: each issue has a split of its own, and near-duplicates are not looked for."""


def assign_splits(records: Sequence[Record]) -> dict[str, Split]:
    """Map the base id of each grouped record of a public set to its split."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.group].append(record)
    splits: dict[str, Split] = {}
    photos: dict[str, list[str]] = defaultdict(list)
    for group, members in groups.items():
        if members[0].photo is not None:
            photos[members[0].source].append(group)
        else:
            splits.update(dict.fromkeys((record.base_id for record in members), _pick_text_split(group, members)))
    for source, keys in photos.items():
        splits.update(_fill_photo_splits(PHOTO_SHARES[source], [groups[key] for key in keys]))
    return splits


def _pick_text_split(group: str, members: Sequence[Record]) -> Split:
    if any(map(is_held_out, members)):
        return "test"
    if members[0].source == COMBINED:
        return pick_issue_split(members[0].family.partition("/")[2])
    if not all(SOURCES[record.source].trained for record in members):
        return "development"
    return pick_split(group, SHARES)


def is_held_out(record: Record) -> bool:
    """Whether a record belongs to a source, functionality or topic that is tested only."""
    match record.source:
        case "hatecheck":
            return record.category in HELD_OUT_FUNCTIONALITIES
        case "bbq":
            return record.topic == HELD_OUT_PEOPLE
        case source:
            return SOURCES[source].uses == ("test",)


def _fill_photo_splits(shares: Shares, groups: Iterable[Sequence[Record]]) -> dict[str, Split]:
    """Fill the splits of one set one after the other, from groups in a fixed random order; risky kinds evenly."""
    strata: dict[str, list[Sequence[Record]]] = defaultdict(list)
    for members in groups:
        strata[members[0].kind].append(members)
    order: list[tuple[float, str, Sequence[Record]]] = []
    for stratum in strata.values():
        ranked = sorted(stratum, key=lambda members: rank(members[0].group))
        total = sum(map(len, ranked))
        done = 0
        for members in ranked:
            order.append(((done + 0.5) / total, rank(members[0].group), members))
            done += len(members)
    order.sort(key=lambda entry: entry[:2])
    ends = _sum_shares(shares, sum(len(members) for *_, members in order))
    splits: dict[str, Split] = {}
    for *_, members in order:
        split = next(split for split, end in ends if len(splits) < end)
        splits.update(dict.fromkeys((record.base_id for record in members), split))
    return splits


def _sum_shares(shares: Shares, total: int) -> list[tuple[Split, int]]:
    """Number of records up to the end of each split; the last split takes the rest."""
    ends: list[tuple[Split, int]] = []
    share_so_far = 0.0
    for split, share in shares:
        share_so_far += share
        ends.append((split, round(share_so_far * total)))
    ends[-1] = (ends[-1][0], total)
    return ends


def drop_leaks(records: Sequence[Record]) -> list[Record]:
    """Drop training records whose group has a record of another split, e.g. where a folder holds other rows."""
    evaluated = {record.group for record in records if record.split not in ("train", "dropped")}
    return [
        replace(record, split="dropped") if record.split == "train" and record.group in evaluated else record
        for record in records
    ]


def hold_out_source(records: Sequence[Record], source: str) -> list[Record]:
    """Move a whole source to test, for measurements with each source held out in turn; its near-duplicates drop."""
    moved = [replace(record, split="test") if record.source == source else record for record in records]
    return drop_leaks(moved)
