"""A student far below its teacher is told, with the likely cause; a good or an uncertain one is not."""

import pytest

from chatstill.evaluate.gap import chance_of, gap_warning


def judged(value, main="accuracy", interval=None, **metrics):
    rows = [{"rows": 25}, {"rows": 75}]
    return {
        "main": main,
        "value": value,
        "interval": interval or (value - 0.02, value + 0.02),
        "metrics": {main: value, **metrics},
        "classes": rows,
    }


def warned(student, teacher, **how):
    settings = {"at_random": False, "steps": 5000, "learning_rate": 2e-5, **how}
    return gap_warning(student, teacher, **settings)


def test_chance_is_that_of_the_metric():
    assert chance_of(judged(0.9)) == 0.75
    assert chance_of(judged(0.9, "mrr", random_mrr=0.3)) == 0.3
    assert chance_of(judged(0.9, "auc")) == 0.5 and chance_of(judged(0.9, "corr")) == 0


def test_half_of_the_way_from_chance_to_the_teacher_is_the_limit():
    teacher = judged(0.95)
    assert warned(judged(0.86), teacher) == []
    (text,) = warned(judged(0.84), teacher)
    assert "accuracy 0.840 against 0.950; chance is 0.750" in text
    assert "learning rate was 2e-05" in text and "random" not in text


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"at_random": True}, "causes: it started from random weights"),
        (
            {"at_random": True, "all_but": "its heart"},
            "all of it but its heart started from random",
        ),
        ({"steps": 40}, "learnt for 40 steps"),
    ],
)
def test_the_likely_cause_is_named(how, says):
    (text,) = warned(
        judged(0.18, "mrr", random_mrr=0.15), judged(0.75, "mrr", random_mrr=0.15), **how
    )
    assert says in text


def test_an_uncertain_figure_or_a_teacher_at_chance_says_nothing():
    assert warned(judged(0.8, interval=(0.6, 0.96)), judged(0.95)) == []
    assert warned(judged(0.6), judged(0.74)) == []


def test_of_an_error_no_chance_is_known():
    student, teacher = (judged(value, "rmse") | {"lower_is_better": True} for value in (0.3, 0.9))
    assert warned(student, teacher) == []
