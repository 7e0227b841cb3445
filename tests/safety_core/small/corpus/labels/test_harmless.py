from safety_core.small.corpus.labels.harmless import OTHER_TASK, find_task


def test_tasks_are_told_by_the_set_that_they_quote() -> None:
    assert find_task("qasc_is_correct_1") == "qasc"
    assert find_task("cosmos_qa_no_prompt_id") == "cosmos_qa"
    assert find_task("yelp_review_full_this_place") == OTHER_TASK
    assert find_task("") == OTHER_TASK
