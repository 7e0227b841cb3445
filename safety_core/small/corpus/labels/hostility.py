"""Rules for sets of insults, hate speech and their look-alikes, and for biased questions."""

from safety_core.data.labels import SAFE
from safety_core.small.corpus.labels.requests import HATE
from safety_core.small.corpus.labels.rules import Rule

TWEETS_DAVIDSON = (
    Rule(categories=("hate",), words="threats", label=HATE, why="hatred with a threat"),
    Rule(categories=("hate",), label=("insults_bullying", 2), why="one word often decided, so not level 3"),
    Rule(categories=("offensive",), words="threats", label=("insults_bullying", 2), why="coarse, with a threat"),
    Rule(
        categories=("offensive",),
        label=("insults_bullying", 1),
        why="most of it is coarse talk among friends; the set's annotators saw words, not intent",
    ),
    Rule(
        categories=("neither",),
        words="rude",
        why="rude words that the annotators let pass: the line between these and `offensive` is noise",
    ),
    Rule(categories=("neither",), label=SAFE),
)

TOXICITY_SURGE = (
    Rule(categories=("Toxic",), words="threats", label=HATE, why="abuse with a threat or a wish of death"),
    Rule(categories=("Toxic",), words="addressed", label=("insults_bullying", 2), why="speaks to somebody"),
    Rule(categories=("Toxic",), label=("insults_bullying", 1), why="speaks about somebody"),
    Rule(categories=("Not Toxic",), label=SAFE),
)

HATECHECK = (
    Rule(
        categories=(
            "derog_neg_emote_h",
            "derog_neg_attrib_h",
            "derog_dehum_h",
            "derog_impl_h",
            "threat_dir_h",
            "threat_norm_h",
            "slur_h",
            "profanity_h",
            "ref_subs_clause_h",
            "ref_subs_sent_h",
            "negate_pos_h",
            "phrase_question_h",
            "phrase_opinion_h",
            "spell_char_swap_h",
            "spell_char_del_h",
            "spell_space_del_h",
            "spell_space_add_h",
            "spell_leet_h",
        ),
        label=HATE,
        why="hatred of a protected group, whatever its wording",
    ),
    Rule(
        categories=("target_indiv_nh",),
        label=("insults_bullying", 2),
        why="not hate of a group, but an insult of a person",
    ),
    Rule(
        categories=("target_group_nh",),
        label=("insults_bullying", 1),
        why="contempt of a group that is not protected: a profession, a party",
    ),
    Rule(
        categories=(
            "slur_homonym_nh",
            "slur_reclaimed_nh",
            "profanity_nh",
            "negate_neg_nh",
            "ident_neutral_nh",
            "ident_pos_nh",
            "counter_quote_nh",
            "counter_ref_nh",
            "target_obj_nh",
        ),
        label=SAFE,
        why="look-alikes: praise, neutral mention, counter speech, contempt of things",
    ),
)

BBQ = (
    Rule(
        categories=("ambig",),
        surface="prompt",
        label=("fairness", 1),
        why="the story does not say; only a stereotype could answer",
    ),
    Rule(categories=("disambig",), surface="prompt", label=SAFE, why="the story gives the answer"),
    Rule(surface="lettering", why="too long for lettering"),
)
