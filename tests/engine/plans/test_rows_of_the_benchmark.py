"""Every model of the plans' benchmark, on few rows: each plan gives bare Keras's numbers for the same batches."""

from __future__ import annotations

from functools import cache

import pytest

from jupyter_mltrain.domain.spec import Plan
from tests.benchmarks.plans.arms import bare, engine
from tests.benchmarks.plans.models import cases

NUM_ROWS = 200  # six batches and a ragged one
CASES = {case.name: case for case in cases([NUM_ROWS])}
PIPELINES = ("tf.data with augmentation", "FeatureSpace")
ALL = [(name, plan) for name in CASES for plan in (Plan.EPOCH_XLA, Plan.AUTO)]  # auto begins as epoch
COMPARABLE = [(name, plan) for name, plan in ALL if not (CASES[name].draws and plan is Plan.EPOCH_XLA)]  # XLA draws others


@pytest.mark.parametrize(("name", "plan"), COMPARABLE)
def test_every_plan_gives_keras_numbers(name, plan):
    expected = keras_history(name)
    trained = engine(CASES[name], NUM_ROWS, plan=plan, epochs=2, shuffle=False)
    assert trained.plan in plans_in_use(name, plan)
    assert trained.history.keys() == expected.keys() >= {"loss"}
    for metric, (first, second) in expected.items():
        assert trained.history[metric] == [pytest.approx(first, rel=1e-5), pytest.approx(second, rel=1e-4)], metric


@cache
def keras_history(name):
    return bare(CASES[name], NUM_ROWS, epochs=2, shuffle=False).history


def plans_in_use(name, asked):
    if name in PIPELINES and asked is not Plan.EPOCH_XLA:
        return [Plan.BLOCK]
    if asked is Plan.AUTO:
        return [Plan.EPOCH, Plan.EPOCH_XLA]
    return [asked]
