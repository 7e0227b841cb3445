"""Operators' files: what each field does, and that every mistake is reported with its line."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from safety_core.errors import ConfigError
from safety_core.policy.loader import read_book
from safety_core.policy.named_policies import ActivePolicy, Mode, PolicyBook
from safety_core.policy.policy import Action, Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY

T = DEFAULT_TAXONOMY
BASE = Policy.create_default(T)

FULL = """\
enabled: {misleading: false}
thresholds:
  privacy: {3: 0.4}
actions: {politics: {1: allow}}
refusals: {privacy: That stays private.}
fallback_refusal: Sorry, no.
hints:
  illegal: {1: Mind the law.}
translations:
  de:
    refusals: {privacy: Das bleibt geheim.}
    hints: {illegal: {2: Achte das Gesetz.}}
  pt-BR: {fallback_refusal: Não.}
mode: shadow
beside: [strict]
policies:
  strict:
    thresholds: {privacy: {2: 0.2}}
    mode: enforce
  quiet: {enabled: {politics: false}, translations: {de: {fallback_refusal: Nein.}}}
  same:
selectable: [strict]
"""


def book(text: str, tmp_path: Path, base: Policy = BASE) -> PolicyBook:
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return read_book(path, base, T)


@pytest.fixture
def full(tmp_path: Path) -> PolicyBook:
    return book(FULL, tmp_path)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert book("", tmp_path).select() == ActivePolicy(policy=BASE)
    assert book("# nothing\n", tmp_path).select().digest == PolicyBook.create(BASE).select().digest


def test_fields_lie_over_the_checkpoints_own(full: PolicyBook) -> None:
    active = full.select()
    assert active.policy.enabled == BASE.enabled - {"misleading"}
    assert active.policy.thresholds["privacy"] == {1: 0.5, 2: 0.5, 3: 0.4}
    assert active.policy.thresholds["illegal"] == BASE.thresholds["illegal"]
    assert active.policy.actions["politics"] == {**BASE.actions["politics"], 1: Action.ALLOW}
    assert active.policy.refusals == {**BASE.refusals, "privacy": "That stays private."}
    assert active.policy.fallback_refusal == "Sorry, no."
    assert active.hints == {"illegal": {1: "Mind the law."}}
    assert (active.mode, active.enforced) == (Mode.SHADOW, False)


def test_a_named_policy_lies_over_the_default_one(full: PolicyBook) -> None:
    strict, same = full.select("strict"), full.select("same")
    assert strict.policy.thresholds["privacy"] == {1: 0.5, 2: 0.2, 3: 0.4}
    assert strict.policy.enabled == full.select().policy.enabled
    assert strict.enforced
    assert same.policy == full.select().policy
    assert not same.enforced
    assert full.select("quiet").policy.enabled == BASE.enabled - {"misleading", "politics"}
    assert full.selectable == {"default", "strict"}


def test_those_beside_a_policy_have_nobody_beside_them(full: PolicyBook) -> None:
    (beside,) = full.select().beside
    assert (beside.name, beside.beside) == ("strict", ())
    assert full.select("strict").beside == ()  # it inherits the list, but is not beside itself
    assert [one.name for one in full.select("same").beside] == ["strict"]


def test_translations_fill_what_they_name_and_decide_nothing(full: PolicyBook) -> None:
    german, own = full.select(languages=["de-AT"]), full.select()
    assert german.policy.refusals["privacy"] == "Das bleibt geheim."
    assert german.policy.fallback_refusal == "Sorry, no."
    assert german.hints == {"illegal": {1: "Mind the law.", 2: "Achte das Gesetz."}}
    assert german.policy.thresholds == own.policy.thresholds
    assert (german.mode, german.beside) == (own.mode, own.beside)
    assert full.select(languages=["pt-br"]).policy.fallback_refusal == "Não."
    assert full.select(languages=["en", "de"]).policy == own.policy
    quiet = full.select("quiet", ["de"]).policy
    assert (quiet.refusals["privacy"], quiet.fallback_refusal) == ("Das bleibt geheim.", "Nein.")


def test_the_own_language_can_be_another(tmp_path: Path) -> None:
    text = "language: de\nfallback_refusal: Nein.\ntranslations: {en: {fallback_refusal: No.}}\n"
    found = book(text, tmp_path)
    assert found.select(languages=["de", "en"]).policy.fallback_refusal == "Nein."
    assert found.select(languages=["en", "de"]).policy.fallback_refusal == "No."
    assert found.select(languages=["fr"]).policy.fallback_refusal == "Nein."


def test_operators_are_warned_of_what_is_no_mistake(full: PolicyBook, tmp_path: Path) -> None:
    assert "policy default: in shadow mode, its decisions are not enforced" in full.warnings
    assert "policy default: misleading is disabled and never affects decisions" in full.warnings
    assert "policy default: actions.politics.1 allows that risk" in full.warnings
    assert "policy strict: the model was not trained on these hints: illegal.1, illegal.2" in full.warnings
    never = book("thresholds: {illegal: {3: 1.5}}\n", tmp_path)
    assert never.warnings == ("policy default: thresholds.illegal.3 is above 1 and never reached",)
    assert not book("thresholds: {illegal: {3: 0.2}}\n", tmp_path).warnings


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("enabled:\n  illegal: maybe\n", r"^policy\.yaml:2: enabled\.illegal: true or false"),
        ("enabled: {}\nthreshold: {}\n", r"^policy\.yaml:2: threshold: unknown field"),
        ("thresholds:\n  privacy:\n    1: 0.5\n    2: high\n", r"^policy\.yaml:4: thresholds\.privacy\.2: a number"),
        ("thresholds:\n  privacy:\n    3: -1\n", r"^policy\.yaml:3: thresholds\.privacy\.3: a number of at least 0"),
        ("thresholds:\n  privacy:\n    4: 0.5\n", r"^policy\.yaml:3: thresholds\.privacy\.4: unknown field"),
        ("thresholds:\n  weapons: {3: 0.5}\n", r"^policy\.yaml:2: thresholds\.weapons: unknown field"),
        ("actions:\n  privacy: {3: refused}\n", r"^policy\.yaml:2: actions\.privacy\.3: must be one of"),
        ("refusals:\n  privacy: ''\n", r"^policy\.yaml:2: refusals\.privacy: a non-blank string"),
        ('refusals:\n  privacy: "\\ud83d\\ude00"\n', r"^policy\.yaml:2: refusals\.privacy: a string without lone surr"),
        (f"refusals:\n  privacy: {'x' * 1001}\n", r"^policy\.yaml:2: refusals\.privacy: at most 1000"),
        (f"fallback_refusal: {'x' * 1001}\n", r"^policy\.yaml:1: fallback_refusal: at most 1000"),
        ("hints:\n  safe: {1: x}\n", r"^policy\.yaml:2: hints\.safe: unknown field"),
        ("hints:\n  privacy: {0: x}\n", r"^policy\.yaml:2: hints\.privacy\.0: unknown field"),
        ("hints:\n  privacy: {1: 7}\n", r"^policy\.yaml:2: hints\.privacy\.1: a string"),
        ("mode: watch\n", r"^policy\.yaml:1: mode: must be one of"),
        ("mode: [shadow]\n", r"^policy\.yaml:1: mode: must be one of"),
        ("language: 7\n", r"^policy\.yaml:1: language: a language tag"),
        ("translations:\n  no: {}\n", r"^policy\.yaml:1: translations\.False: a language tag such as .* in quotes"),
        ("translations:\n  de: {}\n  d_e: {}\n", r"^policy\.yaml:3: translations\.d_e: a language tag"),
        ("translations:\n  de:\n    hint: {}\n", r"^policy\.yaml:3: translations\.de\.hint: unknown field"),
        ("translations:\n  de: {refusals: {weapons: x}}\n", r"^policy\.yaml:2: .*weapons: unknown field"),
        ("beside:\n  - nobody\n", r"^policy\.yaml:2: beside\.0: there is no policy with this name"),
        ("beside: strict\n", r"^policy\.yaml:1: beside: a list"),
        ("selectable:\n  - default\n  - nobody\n", r"^policy\.yaml:3: selectable\.1: there is no policy"),
        ("policies:\n  a b: {}\n", r"^policy\.yaml:2: policies\.a b: a name"),
        ("policies:\n  default: {}\n", r"^policy\.yaml:2: policies\.default: a name"),
        ("policies:\n  strict:\n    selectable: []\n", r"^policy\.yaml:3: policies\.strict\.selectable: unknown"),
        (
            "policies:\n  strict:\n    thresholds:\n      privacy: {2: x}\n",
            r"^policy\.yaml:4: policies\.strict\.thresholds\.privacy\.2: a number",
        ),
        ("policies:\n  strict: {beside: [none]}\n", r"^policy\.yaml:2: policies\.strict\.beside\.0: there is no"),
        ("- enabled\n", r"^policy\.yaml:1: a mapping is needed"),
        ("enabled: {illegal: true}\nenabled: {}\n", r"^policy\.yaml:2: enabled: the field occurs twice"),
        ("enabled: {\n", r"^policy\.yaml:2: cannot be read as YAML"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=complaint):
        book(text, tmp_path)


@pytest.mark.parametrize(
    ("long", "text", "complaint"),
    [
        (
            {"refusals": {**BASE.refusals, "privacy": "x" * 1001}},
            "",
            r"^policy\.yaml:1: refusals\.privacy: at most 1000",
        ),
        ({"fallback_refusal": "x" * 1001}, "mode: shadow\n", r"^policy\.yaml:1: fallback_refusal: at most 1000"),
    ],
)
def test_a_long_text_of_the_checkpoint_must_be_replaced(
    long: dict[str, Any], text: str, complaint: str, tmp_path: Path
) -> None:
    base = replace(BASE, **long)
    with pytest.raises(ConfigError, match=complaint):
        book(text, tmp_path, base)
    short = "refusals: {privacy: No.}\nfallback_refusal: No.\n"
    assert book(short, tmp_path, base).select().policy.refusals["privacy"] == "No."


def test_a_policy_that_is_named_twice_stands_beside_another_once(tmp_path: Path) -> None:
    found = book("policies: {a: , b: , c: , d: }\nbeside: [a, b, c, d, a]\n", tmp_path)
    assert [one.name for one in found.select().beside] == ["a", "b", "c", "d"]


def test_how_much_a_file_may_say_is_bounded(tmp_path: Path) -> None:
    policies = "policies:\n" + "".join(f"  p{index}: {{}}\n" for index in range(32))
    with pytest.raises(ConfigError, match="at most 32 policies"):
        book(policies, tmp_path)
    letters = "abcdefghij"
    tags = "".join(f"  {a}{b}: {{}}\n" for a in letters for b in letters if a + b != "no")
    with pytest.raises(ConfigError, match="at most 64 languages"):
        book("translations:\n" + tags, tmp_path)
    few = "policies: {a: , b: , c: , d: , e: }\n"
    with pytest.raises(ConfigError, match="beside: at most 4 entries"):
        book(few + "beside: [a, b, c, d, e]\n", tmp_path)
