"""The public sets: where each comes from, under which terms, and what it is used for.

The same table stands in docs/safevlm-small-data.md. Knows no file format and no labels.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

Terms = Literal["permissive", "attribution", "share-alike", "research-only", "unstated"]
"""Classes of terms, from the freest: no conditions but a notice; naming the author; the same licence for what is made
of it; research only; no terms stated, or terms that do not cover the photographs themselves."""

TERMS: tuple[Terms, ...] = get_args(Terms)

Use = Literal["words", "pictures", "alignment", "calibration", "development", "test"]
"""Training of the safety modules on words, and of the LoRA on replies to them; training of the safety modules on
pictures; alignment (projector and LoRA); choice of thresholds; measurements during development; the test split."""

FREE_TERMS: tuple[Terms, ...] = ("permissive", "attribution")
"""Terms under which what is trained on a set may be shipped with a notice alone."""

_TRAINED_WORDS: tuple[Use, ...] = ("words", "calibration", "development", "test")
_TRAINED_PICTURES: tuple[Use, ...] = ("pictures", "alignment", "calibration", "development", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One public set."""

    name: str
    """Name of the set, and of its file ``texts/NAME.jsonl``."""

    repository: str
    """``owner/name`` on GitHub."""

    path: str
    """The set's files in the repository."""

    commit: str

    licence: str
    """Licence as the repository or the set's authors state it."""

    terms: Terms

    uses: tuple[Use, ...] = _TRAINED_WORDS

    reason: str = ""
    """Why a set with other than free terms is used as it is, or why a set is kept from something."""

    @property
    def trained(self) -> bool:
        """Whether shipped weights are trained on the set."""
        return not {"words", "pictures", "alignment"}.isdisjoint(self.uses)


TEXT_SOURCES = (
    Source(
        name="catqa",
        repository="declare-lab/red-instruct",
        path="harmful_questions/catqa_english.json",
        commit="73c759c93d2f6b1d8c7b058ab7bcec5fb0c28fa2",
        licence="Apache-2.0",
        terms="permissive",
    ),
    Source(
        name="harmfulqa",
        repository="declare-lab/red-instruct",
        path="harmful_questions/harmfulqa.json",
        commit="73c759c93d2f6b1d8c7b058ab7bcec5fb0c28fa2",
        licence="Apache-2.0",
        terms="permissive",
    ),
    Source(
        name="strongreject",
        repository="andyrdt/refusal_direction",
        path="dataset/processed/strongreject.json",
        commit="9d852fae1a9121c78b29142de733cb1340770cc3",
        licence="MIT (upstream)",
        terms="permissive",
    ),
    Source(
        name="jailbreakbench",
        repository="andyrdt/refusal_direction",
        path="dataset/processed/jailbreakbench.json",
        commit="9d852fae1a9121c78b29142de733cb1340770cc3",
        licence="MIT (upstream)",
        terms="permissive",
        uses=("test",),
        reason="held out whole",
    ),
    Source(
        name="tdc2023",
        repository="andyrdt/refusal_direction",
        path="dataset/processed/tdc2023.json",
        commit="9d852fae1a9121c78b29142de733cb1340770cc3",
        licence="MIT (upstream)",
        terms="permissive",
    ),
    Source(
        name="harmbench_text",
        repository="busycalibrating/AdversariaLLM",
        path="data/behavior_datasets/harmbench_behaviors_text_all.csv",
        commit="f970939273ea17b491fadf6001fddc36ed3ae3ff",
        licence="MIT",
        terms="permissive",
    ),
    Source(
        name="simplesafetytests",
        repository="bertiev/SimpleSafetyTests",
        path="SimpleSafetyTests - test cases.csv",
        commit="d7aee9a9422a5a5488f478fd79c2479c891c0f3b",
        licence="CC-BY-4.0",
        terms="attribution",
        uses=("test",),
        reason="held out whole",
    ),
    Source(
        name="issuebench_issues",
        repository="paul-rottger/issuebench",
        path="2_final_dataset/prompt_ingredients/issues.csv",
        commit="730aa088c90fe89d37f2f562ed2e3c3c9a7948a6",
        licence="CC-BY-4.0",
        terms="attribution",
    ),
    Source(
        name="issuebench_templates",
        repository="paul-rottger/issuebench",
        path="2_final_dataset/prompt_ingredients/templates_full.csv",
        commit="730aa088c90fe89d37f2f562ed2e3c3c9a7948a6",
        licence="CC-BY-4.0",
        terms="attribution",
    ),
    Source(
        name="political_propositions",
        repository="paul-rottger/llm-values-pct",
        path="data/templates/pct_propositions.csv",
        commit="b4e5d89a83eb39c1806133e3c3b124f4c90ed40d",
        licence="CC-BY-4.0",
        terms="attribution",
    ),
    Source(
        name="political_neutral",
        repository="amazon-science/bold",
        path="prompts/political_ideology_prompt.json",
        commit="3ad652c773f5d1e30d5f6f61657ed934d768ecad",
        licence="CC-BY-SA-4.0",
        terms="share-alike",
        uses=("development",),
        reason="copyleft: measured during development, nothing that ships is trained on it",
    ),
    Source(
        name="tweets_davidson",
        repository="t-davidson/hate-speech-and-offensive-language",
        path="data/labeled_data.csv",
        commit="cb50f7e9eb855a99abc51423bf40df0e26d6fe30",
        licence="MIT",
        terms="permissive",
    ),
    Source(
        name="toxicity_surge",
        repository="surge-ai/toxicity",
        path="toxicity_en.csv",
        commit="ea80324b95ed7e3cc787bdb6faeb763fcc0ae258",
        licence="MIT",
        terms="permissive",
    ),
    Source(
        name="hatecheck",
        repository="paul-rottger/hatecheck-data",
        path="test_suite_cases.csv",
        commit="d84302298ceeb34f4b0dde2d8a1f4932c2caa612",
        licence="CC-BY-4.0",
        terms="attribution",
    ),
    Source(
        name="bbq",
        repository="nyu-mll/BBQ",
        path="data/*.jsonl",
        commit="bea11bd97d79217245b5871acd247b9d6eb24598",
        licence="CC-BY-4.0",
        terms="attribution",
    ),
    Source(
        name="pii",
        repository="microsoft/presidio-research",
        path="data/synth_dataset_v2.json",
        commit="7622dec1e5f7d25dc60b57c28c39f4c4af197018",
        licence="MIT (synthetic people)",
        terms="permissive",
    ),
    Source(
        name="covid_claims",
        repository="diptamath/covid_fake_news",
        path="data/Constraint_Train.csv",
        commit="030deba36d118c124709fd72d7d5f14c7bc69053",
        licence="MIT",
        terms="permissive",
    ),
    Source(
        name="truthfulqa",
        repository="frankxwang/probing-experiments",
        path="TruthfulQA.csv",
        commit="b7eb5a9f55e266503b18778bd3b9c1c6b314aea1",
        licence="Apache-2.0 (upstream)",
        terms="permissive",
    ),
    Source(
        name="benign_dolly",
        repository="SalesforceAIResearch/MobileAIBench",
        path="data/databricks_dolly_15k.csv",
        commit="9aca89218b5c271e5cf18fa857409b5e2a84c9bb",
        licence="CC-BY-SA-3.0",
        terms="share-alike",
        uses=("development",),
        reason="copyleft: measured during development, nothing that ships is trained on it",
    ),
    Source(
        name="benign_self_instruct",
        repository="yizhongw/self-instruct",
        path="data/seed_tasks.jsonl, human_eval/user_oriented_instructions.jsonl",
        commit="0b26ccaa415992100fa32df62d41b994cf928e23",
        licence="Apache-2.0",
        terms="permissive",
    ),
    Source(
        name="benign_t0",
        repository="yizhongw/self-instruct",
        path="data/finetuning/t0_train_50k/data_per_template/*",
        commit="0b26ccaa415992100fa32df62d41b994cf928e23",
        licence="Apache-2.0 repository; of the sets quoted, those under MIT or CC-BY-4.0 only",
        terms="attribution",
        reason="its tasks quote other sets: rows of the others are left out (rules of benign_t0)",
    ),
    Source(
        name="benign_fastchat",
        repository="lm-sys/FastChat",
        path="fastchat/llm_judge/data/{mt_bench,vicuna_bench}/question.jsonl",
        commit="0e6d3e4beaab66f4d3f93db72541a4abab8af28d",
        licence="Apache-2.0",
        terms="permissive",
    ),
    Source(
        name="benign_paired",
        repository="aounon/certified-llm-safety",
        path="data/safe_prompts.txt",
        commit="585385ae21fc4cc4f48d2c54180a72f92fdd292f",
        licence="MIT",
        terms="permissive",
        uses=("test",),
        reason="held out whole",
    ),
    Source(
        name="benign_vqa_pope",
        repository="AoiDragon/POPE",
        path="output/coco/*.json",
        commit="08d957b917e5a378a2f99d35b6293c536a66298b",
        licence="MIT",
        terms="permissive",
        uses=("test",),
        reason="held out whole",
    ),
    Source(
        name="benign_vqa_llava",
        repository="haotian-liu/LLaVA",
        path="playground and eval questions",
        commit="c121f0432da27facab705978f83c4ada465e46fd",
        licence="Apache-2.0",
        terms="permissive",
    ),
)
"""Sets of texts, each in ``texts/NAME.jsonl``."""

_NO_FREE_PHOTOGRAPHS = "no set of photographs with free terms is within reach (docs/adr/0046)"

PHOTO_SOURCES = (
    Source(
        name="imagenet",
        repository="EliSchwartz/imagenet-sample-images",
        path="*.JPEG",
        commit="bc69043e2862758a1906c6a24a792bb28c6bb2ff",
        licence="none stated; ImageNet's research terms",
        terms="research-only",
        uses=_TRAINED_PICTURES,
        reason=_NO_FREE_PHOTOGRAPHS,
    ),
    Source(
        name="coco",
        repository="lightly-ai/coco128_yolo",
        path="images/{train2017,val2017}/*.jpg and their labels",
        commit="6d6f7a059ea63efffdbe48aca2d52c04d4c510e9",
        licence="annotations CC-BY-4.0; photographs under the terms of their authors at Flickr",
        terms="unstated",
        uses=_TRAINED_PICTURES,
        reason=_NO_FREE_PHOTOGRAPHS,
    ),
    Source(
        name="flickr8k",
        repository="quantumnaan/sic_translator",
        path="data/Images/*.jpg and their captions",
        commit="d27da85cff2dbf143fcaf365aece667d66c4298f",
        licence="none stated; Flickr8k's research terms",
        terms="research-only",
        uses=_TRAINED_PICTURES,
        reason=_NO_FREE_PHOTOGRAPHS,
    ),
    Source(
        name="dreambooth",
        repository="google/dreambooth",
        path="dataset/*/*.jpg",
        commit="4f887af7970a06fc0cd3adaa1d0b368547d6a1d0",
        licence="CC-BY-4.0, partly Unsplash",
        terms="attribution",
        uses=("test",),
        reason="held out whole",
    ),
    Source(
        name="guns",
        repository="SasankYadati/Guns-Dataset",
        path="Images/*/*.jpeg",
        commit="0eb7329bb419b59f720481fff02d1962f86a4a15",
        licence="GPL-3.0 repository; photographs from the web, without terms of their own",
        terms="unstated",
        uses=_TRAINED_PICTURES,
        reason=_NO_FREE_PHOTOGRAPHS,
    ),
)
"""Sets of photographs, listed in ``photos.jsonl``."""

SOURCES: dict[str, Source] = {source.name: source for source in (*TEXT_SOURCES, *PHOTO_SOURCES)}
"""Every public set, by name."""


def list_sources(terms: Iterable[Terms]) -> tuple[str, ...]:
    """Names of the sets whose terms are among the given ones."""
    wanted = frozenset(terms)
    return tuple(name for name, source in SOURCES.items() if source.terms in wanted)
