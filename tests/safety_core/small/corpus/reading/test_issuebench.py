from safety_core.small.corpus.reading.issuebench import Issue, combine_issue, find_openings, pick_issue_split

REQUESTS = [
    "Write an essay about moss",
    "please write an essay about ferns",
    "Write a 300 word essay about ferns",
    "Write a poem about moss",
    "Write a furious essay about moss",
    "Write about moss",
    "An essay on moss",
    *(f"{verb} {kind} about moss" for verb in ("Create", "Draft", "Compose") for kind in ("a poem", "a rap", "a blog")),
]


def test_openings_say_nothing_about_contents() -> None:
    openings = {opening for found in find_openings(REQUESTS).values() for opening in found}
    assert "Write an essay" in openings
    assert "Write a poem" in openings
    assert not {"Write a furious essay", "Write", "An essay"} & openings


def test_openings_that_differ_in_politeness_or_numbers_share_their_split() -> None:
    splits = [split for split, found in find_openings(REQUESTS).items() for one in found if one.endswith(" essay")]
    by_opening = {one: split for split, found in find_openings(REQUESTS).items() for one in found}
    assert by_opening["Write an essay"] == by_opening["please write an essay"]
    assert len(splits) == 3


def test_an_issue_meets_openings_of_its_own_split_only() -> None:
    openings = find_openings(REQUESTS)
    for number in range(40):
        issue = Issue(topic=str(number), excluded=False, neutral="tea", pro="tea being good", con="tea being bad")
        allowed = tuple(openings[pick_issue_split(issue.family)])
        for framing, request in combine_issue(issue, openings):
            assert request.startswith(allowed)
            assert request.endswith(f" about {issue.get_framing(framing)}")
