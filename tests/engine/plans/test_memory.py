"""What is free, and what data and variables take."""

from __future__ import annotations

import math
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import psutil
import pytest
import tensorflow as tf
from keras import layers

from jupyter_mltrain.engine.plans import memory

GIGABYTE = 2**30


@pytest.fixture
def container(tmp_path, monkeypatch):
    """A container of 8 GB, 7 of them in use, 5 of those for files that were read."""
    monkeypatch.setattr(memory, "_CONTAINER", tmp_path)
    stat = f"anon {2 * GIGABYTE}\nactive_file {GIGABYTE}\ninactive_file {4 * GIGABYTE}\nslab 12"
    for name, text in (("memory.max", 8 * GIGABYTE), ("memory.current", 7 * GIGABYTE), ("memory.stat", stat)):
        (tmp_path / name).write_text(f"{text}\n")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=64 * GIGABYTE))
    monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(free=3 * GIGABYTE))
    return tmp_path


def test_a_container_has_what_is_not_in_use_and_what_the_kernel_gives_up(container):
    assert memory.free_memory() == memory.free_memory(["CPU:0"]) == 6 * GIGABYTE
    assert memory.most_memory() == 9 * GIGABYTE


def test_a_container_without_a_limit_and_no_container_have_what_the_machine_has(container):
    (container / "memory.max").write_text("max\n")
    assert memory.free_memory() == 64 * GIGABYTE
    (container / "memory.max").unlink()
    assert memory.free_memory() == 64 * GIGABYTE


@pytest.fixture
def cards(container, monkeypatch):
    """Two GPUs of 40 GB; TensorFlow has taken 10 of each, and uses 4 of them."""
    known = {"GPU:0": (40 * GIGABYTE, 30 * GIGABYTE), "GPU:1": (40 * GIGABYTE, 20 * GIGABYTE)}
    monkeypatch.setattr(memory, "gpu_memory", lambda: known)
    used = {"current": 4 * GIGABYTE, "peak": 10 * GIGABYTE}
    monkeypatch.setattr(tf.config.experimental, "get_memory_info", lambda name: used)
    return known


def test_of_gpus_the_one_with_the_least_counts_and_what_tensorflow_took_is_free_for_it(cards):
    assert memory.free_memory(["GPU:0"]) == 36 * GIGABYTE
    assert memory.free_memory(["GPU:0", "GPU:1"]) == 26 * GIGABYTE
    assert memory.most_memory(["GPU:0", "GPU:1"]) == 36 * GIGABYTE


def test_nothing_is_refused_on_a_gpu_of_unknown_size(cards):
    cards.clear()
    assert memory.most_memory(["GPU:0"]) == math.inf
    assert memory.free_memory(["GPU:0"]) == 6 * GIGABYTE


def test_data_are_counted_as_the_tensors_that_they_become():
    assert memory.num_bytes(np.zeros((10, 3))) == memory.num_bytes(np.zeros((10, 3), "float16")) == 10 * 3 * 4
    assert memory.num_bytes({"a": (np.zeros(5, "int64"), None), "b": [tf.zeros((2, 3), tf.uint8)]}) == 5 * 8 + 6
    assert memory.num_bytes(pd.DataFrame({"a": np.zeros(1000)})) >= 4000
    assert memory.num_bytes([tf.data.Dataset.range(5), 3.0]) == 0


def test_variables_are_counted_by_shape_and_dtype():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3, dtype="bfloat16"), layers.Dropout(0.1), layers.Dense(1)])
    assert memory.variable_bytes(model.variables) == 2 * (15 + 3) + 2 * 8 + 4 * (3 + 1)  # the seed of Dropout is two numbers
