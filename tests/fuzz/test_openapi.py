"""Sends requests that are generated from the server's OpenAPI document, alone and in sequences.

All checks of schemathesis are on. Its checks of created and deleted resources do not apply to this API.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import seed, settings
from hypothesis import strategies as st
from schemathesis.generation.meta import TestPhase

from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.policy.policy import Decision
from service.access.api_keys import Scope, format_key_entry
from service.app import create_app
from service.ingress.multipart import MULTIPART
from service.settings import Settings
from tests.fuzz.bounds import bounds
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_base64_png, encode_png
from tests.helpers.server.threads import run_threaded_server

Case = schemathesis.Case[Any]

KEY = "a-key-for-everything"
KEYS = format_key_entry("everything", KEY, list(Scope))

KINDS_OF_PICTURE = {"image": encode_base64_png(), "binary": encode_png()}
"""Picture for each string format of the document."""


class FickleGuard(FakeGuard):
    """Selects the decision by the length of the texts, so that every kind of reply occurs."""

    def assess(self, request: GuardRequest) -> GuardVerdict:
        self.decision = list(Decision)[sum(len(turn.text) for turn in request.turns) % len(Decision)]
        return super().assess(request)


def config(*, edges: bool = True) -> schemathesis.Config:
    """Configure bounded runs with the same requests each time; ``edges`` adds requests with edge values of fields."""
    wanted = bounds()
    return schemathesis.Config.from_dict(
        {
            "seed": wanted.seed,
            # Generating a request may be slow, which is no fault of the server.
            "suppress-health-check": ["all"],
            "phases": {"coverage": {"enabled": edges}},
            "generation": {"max-examples": wanted.examples, "database": "none"},
            "operations": [
                {
                    # JSON Schema cannot express that the last turn must be the user's, nor that a text or a picture is
                    # needed.
                    "include-path": ["/v1/chat/completions", "/v1/moderations"],
                    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 400, 403]}},
                }
            ],
        }
    )


def document(**chosen: Any) -> dict[str, Any]:
    return create_app(Settings.model_construct(**chosen), FickleGuard()).openapi()


for kind, picture in KINDS_OF_PICTURE.items():
    schemathesis.openapi.format(kind, st.just(picture))
# Requests with edge values are generated while tests are collected, in every process; short runs generate them once. A
# request with a key takes the same path, and is authenticated in addition.
API = schemathesis.openapi.from_dict(document(), config=config(edges=bounds().keyless_edges))
API_WITH_KEYS = schemathesis.openapi.from_dict(document(api_keys=KEYS), config=config())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with run_threaded_server(FickleGuard()) as url:
        yield url


@pytest.fixture(scope="module")
def guarded_url() -> Iterator[str]:
    with run_threaded_server(FickleGuard(), api_keys=KEYS) as url:
        yield url


def is_clear(case: Case) -> bool:
    """Whether a request is known to be valid or invalid: the validity of a mutated form with files is unknown."""
    return (
        case.meta is None
        or case.meta.phase.name is not TestPhase.FUZZING
        or not (case.media_type == MULTIPART and case.meta.generation.mode.is_negative)
        or not (isinstance(case.body, dict) and case.body.get("image"))
    )


@API.parametrize()
def test_requests(case: Case, url: str) -> None:
    if is_clear(case):
        case.call_and_validate(base_url=url)


@API_WITH_KEYS.parametrize()
def test_requests_with_a_key_and_without(case: Case, guarded_url: str) -> None:
    if is_clear(case):
        case.call_and_validate(base_url=guarded_url, headers={"Authorization": f"Bearer {KEY}"})


@pytest.mark.slow
def test_sequences_of_requests(url: str) -> None:
    class Sequences(API.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"base_url": url}

    seed(bounds().seed)(Sequences)
    Sequences.run(settings=settings(max_examples=bounds().scenarios, deadline=None, database=None))
