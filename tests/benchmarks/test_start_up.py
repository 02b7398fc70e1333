"""The table of what comes before the first step."""

import start_up


def test_each_stage_has_its_median_and_all_of_them_theirs():
    rounds = [[1.0, 2.0, 3.0, 4.0, 5.0], [3.0, 2.0, 3.0, 4.0, 6.0], [2.0, 2.0, 9.0, 4.0, 5.0]]
    lines = start_up.as_markdown({"rounds": rounds, "machine": {"device": "A"}}).splitlines()
    shown = [line.split("|")[1:3] for line in lines if line.startswith("| ")][1:]
    assert [float(seconds) for _, seconds in shown] == [2.0, 2.0, 3.0, 4.0, 5.0, 18.0]
    assert [stage.strip() for stage, _ in shown] == [*start_up.STAGES, "in all"]
