"""One term a hundred times another is said, once."""

from chatstill.train.balance import Balance


def record(phase="one", **terms):
    plain = {f"term/{name}": 1.0 for name in terms}
    return {"phase": phase, "loss": 3.0, **plain} | {
        f"term/{name}_weighted": value for name, value in terms.items()
    }


def test_said_once_of_each_pair_and_phase():
    balance = Balance()
    said = balance.look(record(soft=0.5, hidden=60.0, hard=10.0))
    assert said and "'hidden' outweighs 'soft' 120 times (60 against 0.5" in said
    assert balance.look(record(soft=0.5, hidden=70.0)) is None
    assert balance.look(record(soft=50.0, hidden=0.1))
    assert balance.look(record("two", soft=0.5, hidden=60.0))


def test_what_is_not_worth_a_word():
    balance = Balance()
    assert balance.look(record(soft=0.5, hidden=49.0)) is None
    assert balance.look(record(soft=0.5)) is None
    assert balance.look(record(soft=0.5, hard=0.0)) is None, "no labelled row in the step"
    assert balance.look({"phase": "one", "dev/acc": 0.5}) is None
