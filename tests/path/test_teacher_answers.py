"""A teacher whose order of rows is right and whose answers are all alike is told before training."""

import torch
import transformers as tf

from chatstill.run import run as pipeline

from . import world


def leaning(copy_of, towards: float):
    """A right teacher whose first logit is so much higher."""
    folder = copy_of("bert")
    model = tf.AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        model.classifier.bias[0] += towards
    model.save_pretrained(folder)
    return folder


def test_one_class_for_all_dev_rows_is_a_warning_of_the_plan(run, copy_of):
    place = "teacher: answers on dev rows"
    assert place not in run("check").text
    said = run("check", teacher=leaning(copy_of, 100.0)).text
    assert said.count(place) == 1 and "'no_match'" in said and "AUC" in said


def test_evaluate_tells_it_too(run, copy_of):
    values = run("check").loaded.config
    where = world.console()
    metrics = pipeline.evaluate(leaning(copy_of, 100.0), values, console=where)
    (warning,) = metrics["dev"]["warnings"]
    assert "'no_match'" in warning and warning in world.said(where)
