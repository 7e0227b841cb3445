"""Rules for sets of harmless requests."""

from safety_core.data.labels import SAFE
from safety_core.small.corpus.labels.rules import Rule

BENIGN = (Rule(label=SAFE),)
"""Everything in the set is harmless."""

FREE_TASKS = ("common_gen", "commonsense_qa", "cosmos_qa", "qasc", "quartz", "ropes")
"""Sets behind T0's tasks whose own cards state MIT or CC-BY-4.0."""

OTHER_TASK = "other task"
"""Category of T0's other tasks: news agencies, review sites, encyclopedias, or research-only, or unstated."""

BENIGN_T0 = (
    Rule(categories=FREE_TASKS, surface="prompt", label=SAFE),
    Rule(
        categories=(OTHER_TASK,),
        surface="prompt",
        why="quotes news, reviews or articles whose own terms are research-only, share-alike or unstated",
    ),
    Rule(surface="lettering", why="exercises with long quotations: prompts only"),
)


def find_task(template: str) -> str:
    """Find the free set that a T0 template (``qasc_is_correct_1``) belongs to, or :data:`OTHER_TASK`."""
    return next((task for task in FREE_TASKS if template.startswith(f"{task}_")), OTHER_TASK)
