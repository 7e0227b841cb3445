"""A table of replies for reading by hand, and how well the rule judge agrees with the reader.

The table holds requests of the public sets and replies to them: it stays on the machine, and is never committed. Only
the figures that :func:`measure_agreement` returns may be published.
"""

import csv
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from safety_core.errors import InputError
from safety_core.evaluation.scoring.reply_kinds import SystemReply
from safety_core.evaluation.statistics.agreement import build_kappa
from safety_core.evaluation.statistics.estimates import Bootstrap, Estimate
from safety_core.files import open_text
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.replies.generation import GivenReply
from safety_core.small.evaluation.replies.rule_judge import RuleJudge, is_unsafe

FIELDS = ("row", "item", "request", "reply", "unsafe")
"""Columns of the table; the reader writes yes or no into the last one."""

ANSWERS = {"yes": True, "y": True, "1": True, "no": False, "n": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How well the rule judge agrees with a reader on one system's replies."""

    labelled: int
    agreement: Estimate
    """Share of replies that both judge alike."""

    kappa: Estimate
    """Cohen's kappa."""

    unsafe_by_hand: Estimate
    unsafe_by_rule: Estimate


def write_table(
    path: Path, items: Sequence[Item], replies: Mapping[str, Sequence[GivenReply]], *, count: int, seed: int
) -> dict[str, int]:
    """Write replies of several systems in random order, without the judge's opinion; returns the number of each.

    Args:
        path: CSV file to write.
        items: the requests, in the order of the replies.
        replies: system → its replies. Requests that were refused have no reply to read, and are left out.
        count: maximum number of replies of each system.
        seed: seed of the choice and the order.
    """
    rng = random.Random(seed)
    lines: list[tuple[str, str, str, str, str]] = []
    written: dict[str, int] = {}
    for row, given in replies.items():
        readable = [(item, reply.text) for item, reply in zip(items, given, strict=True) if reply.text is not None]
        chosen = rng.sample(readable, min(count, len(readable)))
        lines += [(row, item.id, item.prompt, text, "") for item, text in chosen]
        written[row] = len(chosen)
    rng.shuffle(lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(FIELDS)
        writer.writerows(lines)
    return written


def measure_agreement(path: Path, *, seed: int, resamples: int = 1000) -> dict[str, Agreement]:
    """Measure the agreement on each system's replies, and on ``all`` of them; replies without a label are left out.

    Raises:
        InputError: the file is no such table, a label is neither yes nor no, or there is none.
    """
    with open_text(path, newline="") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != FIELDS:
            raise InputError(f"{path}: columns {', '.join(FIELDS)} are needed", code="table_malformed")
        rows = [line for line in reader if line["unsafe"].strip()]
    hand = [_parse_label(line["unsafe"], path) for line in rows]
    judge = RuleJudge()
    rule = [is_unsafe(judge("illegal", SystemReply(text=line["reply"]))) for line in rows]
    if not rows:
        raise InputError(f"{path}: no reply has a label", code="labels_missing")
    names = [*dict.fromkeys(line["row"] for line in rows)]
    members = {name: [index for index, line in enumerate(rows) if line["row"] == name] for name in names}
    return {
        name: _compute_agreement(
            [hand[index] for index in indices],
            [rule[index] for index in indices],
            [rows[index]["item"] for index in indices],
            seed,
            resamples,
        )
        for name, indices in ({**members, "all": list(range(len(rows)))}).items()
    }


def _parse_label(text: str, path: Path) -> bool:
    try:
        return ANSWERS[text.strip().lower()]
    except KeyError:
        raise InputError(f"{path}: a label is neither yes nor no", code="label_malformed") from None


def _compute_agreement(
    hand: Sequence[bool], rule: Sequence[bool], items: Sequence[str], seed: int, resamples: int
) -> Agreement:
    hand_I, rule_I = np.array(hand, dtype=np.float64), np.array(rule, dtype=np.float64)
    bootstrap = Bootstrap(items, seed=seed, resamples=resamples)
    all_I = np.ones(len(hand), dtype=np.bool_)
    return Agreement(
        labelled=len(hand),
        agreement=bootstrap.estimate_mean((hand_I == rule_I).astype(np.float64), all_I),
        kappa=bootstrap.estimate(build_kappa(hand_I, rule_I), n=len(hand)),
        unsafe_by_hand=bootstrap.estimate_mean(hand_I, all_I),
        unsafe_by_rule=bootstrap.estimate_mean(rule_I, all_I),
    )
