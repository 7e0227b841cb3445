"""Unsafe requests that the shipped checkpoint does not stop: as they are, disguised, rendered, cut and attacked.

All requests are pairs of the held-out suite. All verdicts are the guard's own, on files that a client could send.
"""

from random import Random
from typing import Annotated

import typer

from bench.paths import CHECKPOINT
from bench.reporting.report import report_measurement
from bench.robustness.folded_disguises import FOLDED
from bench.robustness.lettering import ANYTHING, STYLES
from bench.robustness.open_disguises import OPEN
from bench.robustness.pixel_attack import add_noise, attack_pictures
from bench.robustness.rows import DISTANCES, HARMLESS, PRICED, QUALITIES, REWORDINGS, TITLES, join_in_clause
from bench.robustness.suite_requests import (
    compress_picture,
    create_lettered_requests,
    create_request,
    disguise_requests,
    load_pairs,
    reword,
)
from bench.robustness.turn_cuts import CUTS, TURN_MARK, create_chats
from bench.robustness.verdicts import count_passed, count_spared
from safety_core.engine.load import load_guard


def measure_robustness(
    attacked: Annotated[int, typer.Option(help="Requests of level 3 whose pictures are attacked.", min=1)] = 100,
    steps: Annotated[int, typer.Option(help="Steps of the attack.", min=1)] = 40,
    pairs: Annotated[int | None, typer.Option(help="Unsafe pairs of the suite; all where not given.", min=1)] = None,
    disguises: Annotated[int, typer.Option(help="Requests that each disguise is tried on.", min=1)] = 120,
    lettered: Annotated[int, typer.Option(help="Requests that each lettering is tried on.", min=1)] = 60,
) -> None:
    """The share of unsafe requests that get through: clean, compressed, rendered, reworded, attacked.

    Also the share of harmless requests, plain and in some disguises, that are not answered.
    """
    guard = load_guard(CHECKPOINT, device="cpu")
    unsafe = [pair for pair in load_pairs() if pair.risk.level]
    Random("robustness").shuffle(unsafe)
    shown = [pair for pair in unsafe if pair.picture is not None and pair.needs_picture][:pairs]
    text_pairs = [pair for pair in unsafe if not pair.needs_picture][:pairs]
    clean, typed = list(map(create_request, shown)), list(map(create_request, text_pairs))
    rendered = [
        create_request(pair) for pair in shown if pair.picture is not None and pair.picture.content == "request_harmful"
    ]
    victims = [request for request in clean if request.level == 3][:attacked]
    rows = {
        "clean": clean,
        **{f"jpeg_{quality}": [compress_picture(one, quality) for one in clean] for quality in QUALITIES},
        "typed": typed,
        "rendered": rendered,
        "typed_zero_width": [reword(one, "\u200b".join) for one in typed],
        "typed_capitals": [reword(one, str.upper) for one in typed],
        "typed_title": [reword(one, str.title) for one in typed],
        "typed_lines": [reword(one, lambda text: text.replace(" ", "\n")) for one in typed],
        "typed_preface": [reword(one, REWORDINGS["preface"]) for one in typed],
        "typed_preface_lines": [reword(one, REWORDINGS["preface_lines"]) for one in typed],
        "typed_clause": [reword(one, join_in_clause) for one in typed],
        "victims": victims,
        **{f"noise_{distance}": add_noise(victims, distance) for distance in DISTANCES},
        **{f"pgd_{distance}": attack_pictures(guard.model, victims, distance, steps=steps) for distance in DISTANCES},
    }
    found = {name: count_passed(guard, requests) for name, requests in rows.items()}
    some = typed[:disguises]
    under = {name: count_passed(guard, disguise_requests(some, name)) for name in (*FOLDED, *OPEN)}
    cut = {name: count_passed(guard, some, change) for name, change in CUTS.items()}
    written = [pair for pair in shown if pair.picture is not None and pair.picture.content == "request_harmful"][
        :lettered
    ]
    letters = {name: count_passed(guard, create_lettered_requests(written, name)) for name in (*STYLES, ANYTHING)}
    safe = [create_request(pair) for pair in load_pairs() if not pair.risk.level][:pairs]
    kept = {name: count_spared(guard, [reword(one, change) for one in safe]) for name, change in REWORDINGS.items()}
    few = safe[: 4 * disguises]
    for name in PRICED:
        kept[name] = count_spared(guard, disguise_requests(few, name))
    kept["turns"] = count_spared(guard, create_chats(2 * disguises), lambda text, _: text.split(TURN_MARK))
    report_measurement(
        "robustness",
        ("requests", "allowed", "of", "level 3 not refused", "of"),
        [
            (TITLES[name], str(one.allowed), one.allowed.count, str(one.not_refused), one.not_refused.count)
            for name, one in found.items()
        ],
        figures={
            "passed": {name: one.to_dict() for name, one in found.items()},
            "disguised": {name: one.to_dict() for name, one in under.items()},
            "turns": {name: one.to_dict() for name, one in cut.items()},
            "lettered": {name: one.to_dict() for name, one in letters.items()},
            "spared": {name: one.to_dict() for name, one in kept.items()},
            "steps": steps,
            "restarts": 1,
            "norm": "L-infinity, of 255",
        },
        notes=[
            "No figure here has a bar: the shares are published as measured.",
            *(f"{HARMLESS[name]}: allowed {one.allowed}, refused {one.refused}" for name, one in kept.items()),
        ],
    )
