"""`%%tune --parallel`: trials in processes of their own, which bring what they would have brought in the kernel."""

from __future__ import annotations

import psutil
import pytest

import jupyter_mltrain
from jupyter_mltrain.api.training import Body
from jupyter_mltrain.domain.events import TrainControl, TrialEnded
from jupyter_mltrain.domain.run import RunStatus
from jupyter_mltrain.domain.search import Prune, SearchSpec
from jupyter_mltrain.domain.spec import TrainSpec
from jupyter_mltrain.engine.tuning import fork_server, places, process
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.tuning import tune as tune_cell

CELL = """
units = hp.Int("units", 2, 32, log=True)
model = keras.Sequential([keras.Input((2,)), layers.Dense(units, "relu"), layers.Dense(2, "softmax")])
adam = keras.optimizers.Adam(hp.Float("lr", 1e-3, 1e-1, log=True))
model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, validation_split=0.25, epochs=3)
"""
PRINTS_PROCESS = "import os\n" + CELL.replace("model.fit", "print(os.getpid())\nmodel.fit")
FIT = 'net(hp.Int("width", 2, 9)).fit(x, y)\n'


@pytest.fixture(autouse=True)
def no_process_stays():
    before = children()
    yield
    assert children() <= before


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def tune(line: str, cell: str = CELL) -> str:
    return f"%%tune {line}\n{cell}"


def told(search) -> list:
    """Return what each trial was and came to, without its times."""
    return [
        (trial.trial.number, trial.status, trial.trial.values, trial.trial.scores, [epoch.metrics for epoch in trial.epochs])
        for trial in search.trials
    ]


class TestWhatIsTried:
    def test_the_same_trials_as_one_after_the_other(self, tiny):
        line = "--trials 6 --seed 5 --oracle random --prune none"
        tiny.run(tune(f"one {line} --parallel 1")).run(tune(f"two {line} --parallel 2"))
        one, two = jupyter_mltrain.searches["one"], jupyter_mltrain.searches["two"]
        assert told(two) == told(one)
        assert two.best.trial.number == one.best.trial.number
        assert jupyter_mltrain.load_model(two.best.ref).count_params() == two.best.facts["model"]["num_params"]

    def test_two_run_at_a_time(self, tiny):
        tiny.run(tune("--trials 4 --parallel 2", 'hp.Int("a", 1, 99)\nimport time; time.sleep(2)\n' + FIT))
        started = [trial.started_at for trial in tiny["search"].trials]
        ended = [trial.ended_at for trial in tiny["search"].trials]
        assert started[1] < ended[0]
        assert started[3] < ended[2]
        assert all(begin >= min(ended[:2]) for begin in started[2:])

    def test_what_the_notebook_defines_goes_along(self, tiny):
        tiny.run(
            """
            big = np.random.default_rng(0).normal(size=(200_000, 2)).astype("float32")
            scale = 3.0
            def scaled(values): return values * scale
            @keras.saving.register_keras_serializable(package="mine")
            class Twice(layers.Layer):
                def call(self, inputs): return 2 * inputs
            double = lambda values: values + values
            """
        )
        cell = (
            'model = keras.Sequential([keras.Input((2,)), Twice(), layers.Dense(hp.Int("width", 1, 4))])\n'
            'model.compile("sgd", "mse")\n'
            'print("sum", float(scaled(double(big[:3])).sum()), big[:3].base is not None)\n'
            "model.fit(big[:64], scaled(x[:, :1].repeat(2, 0)), batch_size=32)\n"
        )
        tiny.run(tune("sent --trials 3 --parallel 2 --prune none", cell))
        assert [trial.status for trial in tiny["search"].trials] == [RunStatus.COMPLETED] * 3
        total = float((tiny["big"][:3] * 6).sum())
        assert tiny.stdout.count(f"sum {total} True") == 4  # and once in the kernel, up to the first fit
        model = jupyter_mltrain.load_model(f"sent/{tiny['search'].best.trial.number}")
        assert type(model.layers[0]).__name__ == "Twice"

    def test_the_lines_own_expressions_go_along(self, tiny):
        cell = 'model = net(hp.Int("width", 2, 9))'
        tiny.run("stop = keras.callbacks.EarlyStopping('loss', min_delta=9.0)")
        tiny.run(tune("--trials 2 --parallel 2 --data x[:16], y[:16] --callbacks stop --epochs 9", cell))
        assert [len(trial.epochs) for trial in tiny["search"].trials] == [2, 2]

    def test_a_function_from_python(self, tiny):
        tiny.run(
            """
            import jupyter_mltrain
            def body(hp):
                net(hp.Int("width", 2, 9)).fit(x, y, verbose=0)
            search = jupyter_mltrain.tune(body, trials=3, parallel=2)
            """
        )
        assert [trial.status for trial in tiny["search"].trials] == [RunStatus.COMPLETED] * 3

    def test_trials_that_fall_behind_are_stopped_early(self, tiny):
        cell = (
            'import time\nrate = hp.Choice("rate", [0.1, 1e-6, 2e-6, 3e-6])\nm = net()\nm.optimizer.learning_rate = rate\n'
            "wait = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(0.1 * (rate < 0.1)))\n"
            "m.fit(x, y, epochs=30, callbacks=[wait])"
        )
        tiny.run(tune("--oracle grid --parallel 2", cell))
        first, *_, last = tiny["search"].trials
        assert (first.status, last.status) == (RunStatus.COMPLETED, RunStatus.PRUNED)
        assert last.trial.values == {"rate": 3e-6}

    def test_each_process_draws_random_numbers_of_its_own(self, tiny):
        cell = "import random\nprint(np.random.random(), random.random())\n" + FIT.replace("2, 9", "2, 99")
        tiny.run(tune("--trials 4 --parallel 2 --prune none", cell))
        drawn = tiny.stdout.split()
        assert len(set(drawn)) == len(drawn) == 10  # and in the kernel, up to the first fit

    def test_an_import_that_fails_is_said(self, tiny, tmp_path, monkeypatch):
        (tmp_path / "tensorflow.py").write_text("raise ImportError('no TensorFlow here')")
        monkeypatch.syspath_prepend(tmp_path)
        tiny.run(tune("--trials 1 --parallel 2", FIT))
        assert "no TensorFlow here" in tiny["search"].trials[0].failure.traceback


class TestEnds:
    def test_a_trial_that_fails_says_which_line_of_the_cell(self, tiny):
        cell = 'width = hp.Int("width", 2, 9)\nif width > 2:\n    raise ValueError(f"wide {width}")\nnet(width).fit(x, y)'
        tiny.run(tune("--trials 4 --oracle random --seed 1 --max-failures 9 --parallel 2", cell))
        failed = next(trial for trial in tiny["search"].trials if trial.failure)
        assert failed.failure.message == f"wide {failed.trial.values['width']}"
        assert 'raise ValueError(f"wide {width}")' in failed.failure.traceback

    def test_a_process_that_dies_takes_only_its_trial_along(self, tiny):
        cell = (
            'import os, signal\nkind = hp.Choice("kind", ["a", "kill", "b", "c"])\n'
            'if kind == "kill":\n    os.kill(os.getpid(), signal.SIGKILL)\n'
        )
        tiny.run(tune("--oracle grid --parallel 2", cell + "net().fit(x, y)"))
        by_kind = {trial.trial.values["kind"]: trial for trial in tiny["search"].trials}
        assert {kind for kind, trial in by_kind.items() if trial.status is RunStatus.COMPLETED} == {"a", "b", "c"}
        assert by_kind["kill"].failure.kind == "ProcessDied"
        assert "SIGKILL" in by_kind["kill"].failure.message

    def test_max_time_ends_those_that_run(self, tiny):
        endless = CELL.replace("epochs=3", "epochs=100000")
        tiny.run(tune("--trials 99 --parallel 2 --max-time 15s --prune none", endless))
        assert [trial.status for trial in tiny["search"].trials] == [RunStatus.STOPPED] * 2
        assert all(len(trial.epochs) > 1 for trial in tiny["search"].trials)

    @pytest.mark.parametrize(
        ("prepare", "cell", "message"),
        [
            ("import tensorflow as tf\nrows = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)", "rows", "received rows, a"),
            ("log = open('log.txt', 'w')", "x, y; print(end='', file=log)", "received log, a TextIOWrapper"),
            ("rows = (row for row in [1])", "x, y; rows", "received rows, a generator"),
        ],
    )
    def test_what_cannot_be_sent_is_named(self, tiny, prepare, cell, message):
        fit, _, more = cell.partition("; ")
        tiny.run(prepare).try_run(tune("--parallel 2", f'{more}\nnet(hp.Int("width", 2, 9)).fit({fit})'))
        assert message in str(tiny.error)
        assert "make it within the cell" in str(tiny.error)
        assert type(tiny.error).__module__ == "jupyter_mltrain.domain.errors"

    @pytest.mark.parametrize("given", ["0", "many"])
    def test_a_number_that_is_none(self, tiny, given):
        tiny.try_run(tune(f"--parallel {given}"))
        assert "--parallel" in str(tiny.error)


@pytest.mark.parametrize("which", ["workers", "all, and what they come from"])
def test_processes_that_die_while_one_waits_cost_no_trial(tiny, tmp_path, which):
    tiny.run("def body(hp):\n    net(hp.Int('width', 2, 9)).fit(x, y, verbose=0)")
    killed, before, servers = [], children(), set(psutil.Process().children())

    def on_event(event):
        if isinstance(event, TrialEnded) and not killed:  # it has no other trial yet; the next is for it or for another
            fork_server = set(psutil.Process().children()) - servers
            killed.extend(children() - before - (fork_server if which == "workers" else set()))
            for process in killed:
                process.kill()
            psutil.wait_procs(killed)

    spec = SearchSpec(training=TrainSpec(), trials=4, parallel=2, prune=Prune.NONE)
    session = Session(str(tmp_path / "other"))
    search = tune_cell(session, spec, Body(tiny["body"]), on_event=on_event, control=TrainControl())
    session.close()
    assert len(killed) == (2 if which == "workers" else 3)
    assert RunStatus.COMPLETED in [trial.status for trial in search.trials[:2]]  # the other may have run when it was killed
    assert [trial.status for trial in search.trials[2:]] == [RunStatus.COMPLETED] * 2


def test_a_process_that_has_grown_is_replaced(tiny, monkeypatch):
    monkeypatch.setattr(process, "_MOST_GROWTH", 0.5)
    monkeypatch.setattr(process, "_NUM_UNTIL_SETTLED", 1)
    tiny.run(
        tune("--trials 6 --parallel 2 --prune none", "import os\n" + CELL.replace("model.fit", "print(os.getpid())\nmodel.fit"))
    )
    assert [trial.status for trial in tiny["search"].trials] == [RunStatus.COMPLETED] * 6
    assert len(set(tiny.stdout.split())) == 7  # and the kernel, for the rehearsal


class TestAuto:
    @pytest.fixture(autouse=True)
    def no_start(self, monkeypatch):
        """Let a process cost nothing to start, so that short trials are worth several."""
        monkeypatch.setattr(places, "SECONDS_TO_IMPORT", 0.0)
        monkeypatch.setattr(fork_server.ForkServer, "seconds_to_start", 0.0)
        monkeypatch.setattr(places, "_most_side_by_side", lambda _cores_each: 2)

    def test_it_begins_in_the_kernel_and_goes_on_in_processes_when_they_are_there(self, tiny, monkeypatch):
        after_each_from_the_third = iter([True, True, False])
        monkeypatch.setattr(fork_server.ForkServer, "is_starting", property(lambda _: next(after_each_from_the_third)))
        tiny.run(tune("--trials 8", PRINTS_PROCESS))
        own = str(psutil.Process().pid)
        pids = tiny.stdout.split()
        assert pids[:6] == [own] * 6  # the rehearsal and five trials
        assert len(pids) == 9
        assert own not in pids[6:]
        assert "side by side in 2 processes" in tiny.text
        assert [trial.trial.number for trial in tiny["search"].trials] == list(range(1, 9))

    def test_a_cell_that_leaves_something_in_the_notebook_stays(self, tiny):
        tiny.run("seen = []").run(tune("--trials 6", "seen.append(1)\n" + CELL))
        assert len(tiny["seen"]) == 7
        assert "side by side" not in tiny.text

    def test_a_cell_that_cannot_be_sent_stays(self, tiny):
        tiny.run("log = open('log.txt', 'w')").run(tune("--trials 6", "log.write('trial ')\n" + CELL))
        assert len(tiny["search"].trials) == 6
        assert "side by side" not in tiny.text

    def test_a_seed_keeps_the_order_of_the_trials(self, tiny):
        tiny.run(tune("--trials 6 --seed 1"))
        assert "side by side" not in tiny.text


def test_what_ran_when_a_search_was_cut_short_is_done_again(tiny):
    stop = "calls.append(1)\nif len(calls) == 2:\n    raise KeyboardInterrupt\n"  # in each process its second trial
    tiny.run("calls = []").run(tune("cut --trials 6 --seed 2 --oracle random --prune none --parallel 2", stop + CELL))
    cut = tiny["search"]
    assert cut.status is RunStatus.INTERRUPTED
    assert RunStatus.INTERRUPTED in {trial.status for trial in cut.trials}
    tiny.run(tune("--resume cut --parallel 1"))
    tiny.run(tune("whole --trials 6 --seed 2 --oracle random --prune none", CELL))
    assert told(jupyter_mltrain.searches["cut"]) == told(jupyter_mltrain.searches["whole"])
