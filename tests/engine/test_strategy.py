"""The choice of devices, and training on two logical CPU devices in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

from jupyter_mltrain.domain.device import Device
from jupyter_mltrain.domain.errors import DeviceError
from jupyter_mltrain.engine.strategy import choose

CPU = Device(name="CPU:0", kind="CPU")
GPUS = tuple(Device(name=f"GPU:{number}", kind="GPU", description="Card") for number in range(2))


@pytest.mark.parametrize(
    ("asked", "found", "kind", "devices", "reason"),
    [
        ("auto", (CPU,), "cpu", ("CPU:0",), "CPU: this machine has no GPU."),
        ("auto", (CPU, GPUS[0]), "gpu", ("GPU:0",), "GPU:0: the one GPU of this machine."),
        ("auto", (CPU, *GPUS), "mirrored", ("GPU:0", "GPU:1"), "Mirrored over 2 GPUs"),
        ("cpu", (CPU, *GPUS), "cpu", ("CPU:0",), "CPU: asked for."),
        ("gpu:1", (CPU, *GPUS), "gpu", ("GPU:1",), "GPU:1: asked for."),
        ("gpu", (CPU, *GPUS), "gpu", ("GPU:0",), "GPU:0: asked for."),
        ("auto", (CPU, Device(name="CPU:1", kind="CPU")), "cpu", ("CPU:0",), "CPU: this machine has no GPU."),
        ("mirrored", (CPU, Device(name="CPU:1", kind="CPU")), "mirrored", ("CPU:0", "CPU:1"), "Mirrored over 2 CPUs"),
    ],
)
def test_choice(asked, found, kind, devices, reason):
    chosen = choose(asked, found)
    assert (chosen.kind, chosen.devices) == (kind, devices)
    assert chosen.reason.startswith(reason)


@pytest.mark.parametrize("asked", ["gpu:2", "gpu:7"])
def test_what_the_machine_lacks_is_an_error_that_lists_what_it_has(asked):
    with pytest.raises(DeviceError, match=r"GPU . for --strategy gpu:., this machine has CPU:0, GPU:0 \(Card\), GPU:1 \(Card\)"):
        choose(asked, (CPU, *GPUS))


SCRIPT = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="nocolor")
shell.run_line_magic("load_ext", "jupyter_mltrain")
def run(cell):
    result = shell.run_cell(cell)
    return type(result.error_in_exec).__name__ if result.error_in_exec else None
run('''
import numpy as np, keras
from keras import layers
rng = np.random.default_rng(0)
x = rng.normal(size=(232, 6)).astype("float32")
y = (x.sum(1) > 0).astype("int32")
z = x.sum(1, keepdims=True)
''')
CELLS = {
    "even": '''
model = keras.Sequential([keras.Input((6,)), layers.Dense(16, "relu"), layers.Dense(2, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, batch_size=58, epochs=3, shuffle=False, validation_data=(x, y))
''',
    "ragged": '''
model = keras.Sequential([layers.Dense(16, "relu"), layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.01), "mse")
history = model.fit(x[:231], z[:231], batch_size=63, epochs=3, shuffle=False)
''',
}
found = {}
for name, cell in CELLS.items():
    for strategy in ("auto", "mirrored"):
        error = run(f"%%train --seed 4 --strategy {strategy} --early-stop 9" + cell)
        assert error is None, error
        ns = shell.user_ns
        weights = [weight.numpy().tolist() for weight in ns["model"].weights]
        found[name, strategy] = {"loss": ns["history"].history["loss"], "weights": weights,
                                 "kind": ns["run"].result.strategy, "saved": (ns["run"].folder / "best.keras").exists()}
rehearsed = '''
model = keras.Sequential([layers.Dense(16, "relu"), layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x, z)
'''
error = run("%%train --seed 4 --strategy mirrored --dry-run" + rehearsed)
estimate = shell.user_ns["estimate"]
found["rehearsed", ""] = {"error": error, "plan": estimate.plan, "timed": estimate.step_seconds is not None,
                          "params": estimate.num_trainable, "bias": shell.user_ns["model"].weights[1].numpy().tolist()}
run(CELLS["even"])
found["outside", ""] = {"error": run("%%train --strategy mirrored\\nmodel.fit(x, y)")}
generator = "\\nmodel = keras.Sequential([layers.Dense(1)])\\nmodel.compile('sgd', 'mse')\\nmodel.fit(part for part in [(x, z)])"
found["generator", ""] = {"error": run("%%train --strategy mirrored" + generator)}
print(json.dumps([[*key, value] for key, value in found.items()]))
"""


@pytest.fixture(scope="module")
def two_devices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two_devices")
    script = folder / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    done = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {(name, strategy): value for name, strategy, value in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize(
    ("cell", "tolerance"),
    [("even", 1e-5), ("ragged", 5e-2)],  # a ragged batch is a mean of unequal means
)
def test_two_devices_give_one_devices_results(two_devices, cell, tolerance):
    one, two = two_devices[cell, "auto"], two_devices[cell, "mirrored"]
    assert (one["kind"], two["kind"]) == ("cpu", "mirrored")
    assert two["loss"] == pytest.approx(one["loss"], rel=tolerance)
    for ours, theirs in zip(two["weights"], one["weights"], strict=True):
        assert _flat(ours) == pytest.approx(_flat(theirs), abs=tolerance)
    assert two["saved"]


def test_a_model_built_before_is_an_error_that_says_so(two_devices):
    assert two_devices["outside", ""]["error"] == "DeviceError"


def test_a_dry_run_on_two_devices_times_keras_and_takes_it_back(two_devices):
    found = two_devices["rehearsed", ""]
    assert (found["error"], found["plan"], found["timed"], found["params"]) == (None, "keras", True, 6 * 16 + 16 + 16 + 1)
    assert found["bias"] == [0.0] * 16


def test_a_generator_is_refused_since_its_numbers_would_be_wrong_now_and_then(two_devices):
    assert two_devices["generator", ""]["error"] == "DataError"


def _flat(values):
    return [number for value in values for number in _flat(value)] if isinstance(values, list) else [values]
