"""`%%tune` through a real shell: what is tried, recorded, stopped, resumed and left."""

from __future__ import annotations

import math

import keras
import pytest

import jupyter_mltrain
from jupyter_mltrain.domain.run import RunStatus

NET = """
units = hp.Int("units", 2, 32, log=True)
model = keras.Sequential([keras.Input((2,)), layers.Dense(units, "relu"), layers.Dense(2, "softmax")])
adam = keras.optimizers.Adam(hp.Float("lr", 1e-3, 1e-1, log=True))
model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
"""
CELL = NET + "model.fit(x, y, validation_split=0.25, epochs=3)\n"


def tune(line: str, cell: str = CELL) -> str:
    return f"%%tune {line}\n{cell}"


def hparams_of(trial) -> dict:
    """Return what TensorBoard's HParams tab shows of a trial."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2

    metadata = EventAccumulator(str(trial.folder / "tensorboard")).Reload().SummaryMetadata("_hparams_/session_start_info")
    started = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content).session_start_info
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in started.hparams.items()}


class TestWhatIsTried:
    def test_the_body_runs_once_a_trial_in_a_copy_of_the_namespace(self, tiny):
        tiny.run("model = count = None").run(tune("first --trials 4 --seed 1", CELL + "count = units"))
        search = tiny["search"]
        assert search.status is RunStatus.COMPLETED
        assert [trial.trial.number for trial in search.trials] == [1, 2, 3, 4]
        assert tiny["model"] is tiny["count"] is None
        assert "hp" not in tiny.shell.user_ns
        values = [trial.trial.values for trial in search.trials]
        assert all(2 <= each["units"] <= 32 and 1e-3 <= each["lr"] <= 1e-1 for each in values)
        assert len({each["lr"] for each in values}) == 4
        assert [len(trial.epochs) for trial in search.trials] == [3] * 4

    def test_the_best_is_the_one_with_the_best_objective_at_its_best_epoch(self, tiny):
        tiny.run(tune("--trials 5 --seed 1 --objective val_accuracy --prune none"))
        search = tiny["search"]
        reached = [max(epoch.metrics["val_accuracy"] for epoch in trial.epochs) for trial in search.trials]
        assert [trial.trial.scores["val_accuracy"] for trial in search.trials] == reached
        assert search.best.trial.scores["val_accuracy"] == max(reached)

    def test_data_may_come_from_the_line(self, tiny):
        tiny.run(tune("--trials 2 --data x, y --epochs 2", NET))
        assert [len(trial.epochs) for trial in tiny["search"].trials] == [2, 2]
        assert list(tiny["search"].best.trial.scores) == ["loss"]

    def test_epochs_batch_size_and_callbacks_may_be_tuned(self, tiny):
        fit = (
            'model.fit(x, y, epochs=hp.Int("epochs", 1, 4), batch_size=hp.Choice("batch", [8, 16]),\n'
            '    callbacks=[keras.callbacks.ReduceLROnPlateau("loss", patience=hp.Int("wait", 1, 3))])'
        )
        tiny.run(tune("--trials 5 --seed 3 --prune none", NET + fit))
        for trial in tiny["search"].trials:
            assert len(trial.epochs) == trial.trial.values["epochs"]
            assert trial.facts["hyperparams"]["batch_size"] == trial.trial.values["batch"]
            assert trial.trial.values["wait"] in (1, 2, 3)

    @pytest.mark.parametrize(
        "define",
        [
            "def build(hp):\n    return net(hp.Int('width', 2, 9))",
            (
                "import keras_tuner\nclass Nets(keras_tuner.HyperModel):\n"
                "    def build(self, hp):\n        return net(hp.Int('width', 2, 9))"
            ),
            "lambda hp: net(hp.Int('width', 2, 9))",
        ],
    )
    def test_a_cell_may_define_how_a_model_is_built(self, tiny, define):
        tiny.run(tune("--trials 3 --data x, y --epochs 1", define))
        sizes = [trial.facts["model"]["num_params"] for trial in tiny["search"].trials]
        assert sizes == [5 * trial.trial.values["width"] + 2 for trial in tiny["search"].trials]

    def test_a_hypermodel_may_have_a_fit_of_its_own(self, tiny):
        tiny.run(
            tune(
                "--trials 2 --data x, y",
                "import keras_tuner\nclass Nets(keras_tuner.HyperModel):\n"
                "    def build(self, hp):\n        return net(hp.Int('width', 2, 9))\n"
                "    def fit(self, hp, model, *args, **options):\n"
                "        return model.fit(*args, batch_size=hp.Choice('batch', [4, 16]), epochs=2, **options)",
            )
        )
        assert {trial.facts["hyperparams"]["batch_size"] for trial in tiny["search"].trials} <= {4, 16}
        assert [len(trial.epochs) for trial in tiny["search"].trials] == [2, 2]

    def test_conditional_hyperparameters_have_values_where_they_are_active(self, tiny):
        cell = (
            'kind = hp.Choice("kind", ["plain", "wide"])\n'
            'with hp.conditional_scope("kind", ["wide"]):\n    width = hp.Int("width", 5, 9)\n'
            "net(width or 3).fit(x, y)"
        )
        tiny.run(tune("--trials 8 --seed 2 --oracle random", cell))
        values = [trial.trial.values for trial in tiny["search"].trials]
        assert {each["kind"] for each in values} == {"plain", "wide"}
        assert all(("width" in each) == (each["kind"] == "wide") for each in values)
        space = {each["name"]: each for each in tiny["search"].facts["space"]}
        assert space["width"]["condition"] == "kind in wide"

    def test_hyperparameters_of_a_loop_are_found_on_the_way(self, tiny):
        cell = 'widths = [hp.Int(f"width_{n}", 2, 5) for n in range(hp.Int("layers", 1, 3))]\nnet(sum(widths)).fit(x, y)'
        tiny.run(tune("--trials 10 --seed 2", cell))
        for trial in tiny["search"].trials:
            values = trial.trial.values
            assert len([name for name in values if name.startswith("width")]) == values["layers"]

    @pytest.mark.parametrize("oracle", ["random", "grid", "bayesian", "hyperband", "tpe"])
    def test_every_oracle(self, tiny, oracle):
        tiny.run(tune(f"--oracle {oracle} --trials 6 --seed 4"))
        search = tiny["search"]
        assert (search.facts["oracle"], len(search.trials)) == (oracle, 6)
        assert search.best.trial.scores["val_loss"] == min(trial.trial.scores["val_loss"] for trial in search.trials)

    def test_an_oracle_of_the_user(self, tiny):
        tiny.run(
            "import keras_tuner\nclass Mine(keras_tuner.oracles.RandomSearchOracle):\n"
            "    def populate_space(self, trial_id):\n"
            "        return {'status': 'RUNNING', 'values': {'units': 2 + len(self.start_order), 'lr': 0.01}}\n"
        )
        tiny.run(tune('--trials 3 --oracle Mine(objective=keras_tuner.Objective("val_accuracy", "max"))'))
        assert [trial.trial.values["units"] for trial in tiny["search"].trials] == [2, 3, 4]
        assert [str(each) for each in tiny["search"].objectives] == ["val_accuracy:max"]

    def test_hyperband_goes_on_from_the_weights_of_the_round_before(self, tiny):
        tiny.run(tune("--oracle hyperband --seed 4 --epochs 9"))
        trials = tiny["search"].trials
        assert {len(trial.epochs) for trial in trials} == {1, 2, 3, 6, 9}
        later = next(trial for trial in trials if len(trial.epochs) == 2)
        first = next(trial for trial in trials if trial.trial.values == later.trial.values)
        assert later.epochs[0].metrics["loss"] < first.epochs[0].metrics["loss"]

    def test_several_objectives_give_a_front(self, tiny):
        tiny.run(tune("--trials 6 --seed 1 --objective val_loss,-num_params"))
        search = tiny["search"]
        scores = [(trial.trial.scores["val_loss"], trial.trial.scores["num_params"]) for trial in search.front]
        assert scores == sorted(scores)
        assert [size for _, size in scores] == sorted((size for _, size in scores), reverse=True)
        assert min(trial.trial.scores["num_params"] for trial in search.trials) == scores[-1][1]

    def test_executions_of_a_trial_are_averaged(self, tiny):
        tiny.run(tune("--trials 2 --executions-per-trial 3 --seed 1"))
        trial = tiny["search"].trials[0]
        assert len(set(trial.facts["executions"])) == 3
        assert trial.trial.scores["val_loss"] == pytest.approx(sum(trial.facts["executions"]) / 3)
        assert isinstance(jupyter_mltrain.load_model(tiny["search"].best), keras.Model)

    def test_a_seed_repeats_the_search(self, tiny):
        tiny.run(tune("--trials 4 --seed 5"))
        first = tiny["search"]
        tiny.run(tune("--trials 4 --seed 5"))
        for one, other in zip(first.trials, tiny["search"].trials, strict=True):
            assert (one.trial.values, one.trial.scores) == (other.trial.values, other.trial.scores)


class TestWhatIsLeft:
    def test_trials_are_runs_that_can_be_found_compared_and_loaded(self, tiny):
        tiny.run(tune("left --trials 3 --seed 1 --prune none"))
        search = tiny["search"]
        assert len(jupyter_mltrain.runs) == 0
        assert jupyter_mltrain.runs["left/2"].trial.values == search.trials[1].trial.values
        tiny.run("%runs compare left/1 left#1/2")
        assert "val_loss, best epoch" in tiny.text
        model = jupyter_mltrain.load_model(search.best)
        loss = model.evaluate(tiny["x"][24:], tiny["y"][24:], verbose=0)[0]
        assert loss == pytest.approx(search.best.trial.scores["val_loss"], rel=1e-5)
        assert hparams_of(search.best).items() >= search.best.trial.values.items()

    def test_only_trials_that_may_win_keep_a_model(self, tiny):
        tiny.run(tune("--trials 8 --seed 1 --prune none"))
        best, kept = math.inf, []
        for trial in tiny["search"].trials:
            if trial.trial.scores["val_loss"] < best:
                best = trial.trial.scores["val_loss"]
                kept.append(trial.trial.number)
        files = [trial.trial.number for trial in tiny["search"].trials if (trial.folder / "best.keras").exists()]
        assert files == kept
        assert len(kept) < 8

    def test_the_best_can_be_registered(self, tiny):
        tiny.run(tune("--trials 3 --register nets"))
        version = jupyter_mltrain.models["nets"]
        assert version.run_ref == tiny["search"].best.ref
        assert version.metrics["val_loss"] == tiny["search"].best.trial.scores["val_loss"]
        assert isinstance(jupyter_mltrain.load_model("nets"), keras.Model)
        assert tiny["search"].best.result.model_id == "nets@1"
        tiny.run(tune("--resume nets --trials 3"))  # which finds nothing better
        assert [each.version for each in jupyter_mltrain.models.versions("nets")] == [1]
        assert tiny.text.count("is registered as nets") == 1

    def test_what_is_registered_is_what_was_built(self, tiny):
        tiny.run(tune("--oracle hyperband --seed 4 --epochs 3 --register halved"))
        version = jupyter_mltrain.models["halved"]
        assert version.run_ref == tiny["search"].best.ref
        assert version.num_params == jupyter_mltrain.load_model("halved").count_params()
        assert version.num_params == 5 * tiny["search"].best.trial.values["units"] + 2

    def test_the_data_of_the_line_are_asked_for_once_a_trial(self, tiny):
        tiny.run("asked = []\ndef data():\n    asked.append(1)\n    return x, y")
        tiny.run("%%train --data data()\nnet()")
        assert len(tiny["asked"]) == 1
        tiny.run(tune("--trials 2 --data data()", "def build(hp):\n    return net(hp.Int('width', 2, 9))"))
        assert len(tiny["asked"]) == 1 + 1 + 2  # the rehearsal asks too

    def test_a_data_frame_of_trials(self, tiny):
        tiny.run(tune("--trials 3"))
        frame = tiny["search"].frame()
        assert list(frame["hp.units"]) == [trial.trial.values["units"] for trial in tiny["search"].trials]

    def test_the_same_text_for_the_same_search(self, tiny):
        texts = []
        for _ in range(2):
            tiny.run(tune("same --trials 3 --seed 1"))
            texts.append(tiny.text)
        assert texts[0] == texts[1]
        assert "best trial" in texts[0]

    def test_show_and_list(self, tiny):
        tiny.run(tune("seen --trials 2"))
        tiny.run("%runs show seen")
        assert "seen#1" in tiny.text
        assert "units" in tiny.text
        tiny.run("%runs")
        assert "seen#1" in tiny.text
        assert "seen#1/1" not in tiny.text
        tiny.run("%runs list --search seen")
        assert "seen#1/1" in tiny.text

    def test_no_track_writes_nothing(self, tiny):
        tiny.run(tune("--trials 2 --no-track"))
        assert len(tiny["search"].trials) == 2
        assert not tiny.home.exists()


class TestTrainWithHyperparameters:
    def test_the_cell_takes_the_defaults(self, tiny):
        tiny.run("%%train\n" + CELL)
        assert tiny["run"].facts["hp"] == {"units": 2, "lr": 1e-3}
        assert "hp" not in tiny.shell.user_ns

    def test_the_best_trial_is_trained_again_to_the_same_numbers(self, tiny):
        tiny.run(tune("again --trials 4 --seed 6 --prune none"))
        best = tiny["search"].best
        for line in ("--hp best", "--hp again", f"--hp again/{best.trial.number}", f"--hp {best.ref}"):
            tiny.run(f"%%train {line} --seed 6\n" + CELL)
            assert tiny["run"].facts["hp"] == best.trial.values
            assert [epoch.metrics for epoch in tiny["run"].epochs] == [epoch.metrics for epoch in best.epochs]

    def test_a_dry_run_takes_them_too(self, tiny):
        tiny.run(tune("dry --trials 2 --seed 1"))
        tiny.run("%%train --hp dry/1 --dry-run\n" + CELL)
        units = jupyter_mltrain.runs["dry/1"].trial.values["units"]
        assert tiny["estimate"].num_trainable == 5 * units + 2

    def test_a_variable_of_the_user_named_hp_is_the_users(self, tiny):
        tiny.run("hp = {'width': 3}").run("%%train\nnet(hp['width']).fit(x, y)")
        assert tiny["run"].facts["model"]["num_params"] == 17
        assert tiny["hp"] == {"width": 3}

    def test_an_unknown_search(self, tiny):
        tiny.run(tune("known --trials 1"))
        tiny.try_run("%%train --hp knwon\n" + CELL)
        assert "did you mean known?" in str(tiny.error)


class TestEnds:
    def test_a_trial_that_fails_is_marked_and_the_search_goes_on(self, tiny):
        cell = 'width = hp.Int("width", 2, 9)\nif width % 2:\n    raise ValueError(f"odd {width}")\nnet(width).fit(x, y)'
        tiny.run(tune("--trials 8 --seed 1 --oracle random --max-failures 8", cell))
        for trial in tiny["search"].trials:
            failed = trial.trial.values["width"] % 2 == 1
            assert (trial.status is RunStatus.FAILED) == failed
            assert (trial.failure.message if failed else "") == (f"odd {trial.trial.values['width']}" if failed else "")
        assert {trial.status for trial in tiny["search"].trials} == {RunStatus.FAILED, RunStatus.COMPLETED}
        assert tiny["search"].best.trial.values["width"] % 2 == 0

    def test_failures_in_a_row_end_it_with_the_cause(self, tiny):
        cell = 'width = hp.Int("width", 2, 10**9)\nif width > 2:\n    raise ValueError("too wide")\nnet(width).fit(x, y)'
        tiny.try_run(tune("bad --max-failures 2", cell))
        assert "received 2 in a row that failed, the last with ValueError: too wide" in str(tiny.error)
        search = jupyter_mltrain.searches["bad"]
        assert (search.status, len(search.trials)) == (RunStatus.FAILED, 2)

    def test_what_the_cell_raises_at_first_is_the_users_own_error(self, tiny):
        tiny.try_run(tune("", 'hp.Int("a", 1, 2)\n1 / 0'))
        assert isinstance(tiny.error, ZeroDivisionError)

    def test_a_loss_that_diverges_is_a_failed_trial(self, tiny):
        cell = 'm = net()\nm.optimizer.learning_rate = hp.Choice("rate", [0.01, 1e38])\nm.fit(x, y, epochs=3)'
        tiny.run(tune("--oracle grid", cell))
        good, diverged = tiny["search"].trials
        assert (good.status, good.failure) == (RunStatus.COMPLETED, None)
        assert (diverged.status, diverged.failure.kind) == (RunStatus.FAILED, "DivergedError")

    def test_patience(self, tiny):
        cell = 'net(hp.Int("width", 2, 30)).fit(x, y * 0, epochs=1, steps_per_epoch=1)'
        tiny.run(tune("--trials 30 --patience 2 --seed 1 --oracle random", cell))
        search = tiny["search"]
        scores = [trial.trial.scores["loss"] for trial in search.trials]
        assert search.best.trial.number == len(scores) - 2
        assert "2 trials without a better one" in tiny.text

    def test_max_time(self, tiny):
        tiny.run(tune("--trials 1000 --max-time 1s"))
        assert 1 <= len(tiny["search"].trials) < 100
        assert "its time was over" in tiny.text

    def test_a_time_limit_takes_the_place_of_the_thirty_trials(self, tiny):
        cell = (
            'rate = hp.Float("rate", 0.0, 1.0) * 0\n'  # so none is better than the first
            'm = keras.Sequential([keras.Input((2,)), layers.Dense(1, kernel_initializer="zeros")])\n'
            'm.compile(keras.optimizers.SGD(rate), "mse")\nm.fit(x, y)'
        )
        tiny.run(tune("--max-time 1h --patience 31 --seed 1", cell))
        assert len(tiny["search"].trials) == 32

    def test_trials_that_fall_behind_are_stopped_early(self, tiny):
        cell = (
            'rate = hp.Choice("rate", [1e-6, 2e-6, 3e-6, 0.1], default=0.1)\n'
            "m = net()\nm.optimizer.learning_rate = rate\nm.fit(x, y, epochs=30)"
        )
        tiny.run(tune("--trials 4 --seed 1", cell))
        first, *others = tiny["search"].trials
        assert (first.status, len(first.epochs)) == (RunStatus.COMPLETED, 30)
        assert {trial.status for trial in others} == {RunStatus.PRUNED}
        assert {len(trial.epochs) for trial in others} == {3}  # and no step of a fourth
        assert tiny["search"].facts["seconds_saved"] > 0

    @pytest.mark.parametrize(
        ("before", "epochs", "pause", "others"), [(0.5, 6, 0.0, RunStatus.COMPLETED), (0.0, 20, 0.1, RunStatus.PRUNED)]
    )
    def test_they_are_only_where_that_saves_time(self, tiny, before, epochs, pause, others):
        cell = (
            f'import time\ntime.sleep({before})\nkind = hp.Choice("kind", [0, 1, 2])\n'
            "m = net(4 + kind)\nm.optimizer.learning_rate = [0.1, 1e-6, 2e-6][kind]\n"
            f"wait = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep({pause}))\n"
            f"m.fit(x, y, epochs={epochs}, callbacks=[wait])"
        )
        tiny.run(tune("--oracle grid", cell))
        assert [trial.status for trial in tiny["search"].trials] == [RunStatus.COMPLETED, others, others]

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("--trials 0", "expected --trials of at least 1, received 0"),
            ("--objective val_acuracy", "val_acuracy"),
            ("--objective num_params", "expected a metric of the training as the first --objective"),
            ("--oracle smart", "'smart'"),
            ("--oracle 3", "expected --oracle random, grid"),
            ("--max-time soon", "expected --max-time 90s, 10m or 2h, received 'soon'"),
            ("--oracle bayesian --objective val_loss,num_params", "expected one objective"),
            ("--oracle hyperband --prune asha", "expected --prune none"),
            ("--resume nothing", "nothing"),
            ("--dry-run", "--dry-run"),
        ],
    )
    def test_what_cannot_be_done_is_said_in_a_line(self, tiny, line, message):
        tiny.try_run(tune(line))
        assert message in str(tiny.error)
        assert type(tiny.error).__module__ == "jupyter_mltrain.domain.errors"

    def test_a_cell_without_hyperparameters(self, tiny):
        tiny.try_run(tune("", "net().fit(x, y)"))
        assert "expected hyperparameters in the cell, it asks for none" in str(tiny.error)


class TestResume:
    def test_more_trials(self, tiny):
        tiny.run(tune("whole --trials 6 --seed 2 --prune median --lr 0.02"))
        tiny.run(tune("more --trials 3 --seed 2 --prune median --lr 0.02")).run(tune("--resume more --trials 6"))
        whole, more = jupyter_mltrain.searches["whole"], tiny["search"]
        assert (more.ref, more.facts["prune"], more.trials[5].facts["seed"]) == ("more#1", "median", 2)
        assert [trial.trial.values for trial in more.trials] == [trial.trial.values for trial in whole.trials]
        assert [trial.trial.scores for trial in more.trials] == [trial.trial.scores for trial in whole.trials]

    @pytest.mark.parametrize("place", ["model =", "model.fit"])  # before it has asked for all its values, and after
    def test_after_a_stop_the_trial_in_progress_is_done_again(self, tiny, place):
        stop = "calls.append(1)\nif len(calls) == 4:\n    raise KeyboardInterrupt\n"  # the third trial, after the rehearsal
        tiny.run("calls = []").run(tune("cut --trials 5 --seed 2 --prune none", CELL.replace(place, stop + place)))
        cut = tiny["search"]
        assert cut.trials[-1].trial.values.keys() == {"units", "lr"}
        assert (cut.status, len(cut.trials), cut.trials[-1].status) == (RunStatus.INTERRUPTED, 3, RunStatus.INTERRUPTED)
        tiny.run(tune("--resume cut"))
        assert [trial.status for trial in tiny["search"].trials] == [RunStatus.COMPLETED] * 5
        assert tiny["search"].trials[len(cut.trials) - 1].trial.values == cut.trials[-1].trial.values
        assert "The cell has changed" in tiny.text

    def test_the_options_it_began_with_hold(self, tiny):
        line = "--oracle bayesian --epochs 2 --objective loss --prune none --plan epoch --metrics accuracy --seed 2"
        cell = NET.replace('metrics=["accuracy"]', "") + "model.fit(x, y, validation_split=0.25)\n"
        tiny.run(tune(f"whole --trials 6 {line}", cell)).run(tune(f"part --trials 3 {line}", cell))
        tiny.run(tune("--resume part --trials 6", cell))
        whole, part = jupyter_mltrain.searches["whole"], tiny["search"]
        assert [trial.trial.values for trial in part.trials] == [trial.trial.values for trial in whole.trials]
        assert [trial.epochs[-1].metrics for trial in part.trials] == [trial.epochs[-1].metrics for trial in whole.trials]

    @pytest.mark.parametrize(("option", "given"), [("oracle", "random"), ("objective", "val_accuracy")])
    def test_what_cannot_be_another_is_said(self, tiny, option, given):
        tiny.run(tune("kept --trials 2")).try_run(tune(f"--resume kept --{option} {given}"))
        assert f"expected the --{option} with which kept began" in str(tiny.error)
        tiny.run(tune("--resume kept --trials 3"))
        assert len(tiny["search"].trials) == 3

    def test_one_that_was_cut_short_before_it_had_chosen(self, tiny):
        tiny.run("broken = True")
        cell = "if broken:\n    raise KeyboardInterrupt\n" + CELL
        tiny.try_run(tune("early --trials 2 --seed 2", cell))
        assert isinstance(tiny.error, KeyboardInterrupt)
        assert jupyter_mltrain.searches["early"].status is RunStatus.INTERRUPTED
        tiny.run("broken = False").run(tune("--resume early", cell))
        assert [trial.status for trial in tiny["search"].trials] == [RunStatus.COMPLETED] * 2
        assert tiny["search"].facts["seed"] == 2
