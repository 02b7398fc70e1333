"""What a kept network says of the class that counts."""

from types import SimpleNamespace

import pytest

from chatstill.models.own import other_positive
from chatstill.tasks.base import Labels

TASK = Labels("classification", ("false", "true"), positive="true")


@pytest.mark.parametrize("kept", ["true", None, "spam"])
def test_the_same_class_none_or_one_of_another_task_is_nothing_to_tell(kept):
    config = SimpleNamespace(chatstill={} if kept is None else {"positive_label": kept})
    assert other_positive(config, TASK, "teacher", "teacher") == []
    assert other_positive(SimpleNamespace(), TASK, "teacher", "teacher") == []


def test_another_class_is_told_with_the_key():
    config = SimpleNamespace(chatstill={"positive_label": "false"})
    (found,) = other_positive(config, TASK, "teacher", "teacher")
    assert found.severity == "warning" and found.code == "labels.another-class-counts"
    assert '"positive_label": "false"' in found.hint
