"""Layers read from files that Keras really wrote."""

from __future__ import annotations

import pytest

from jupyter_mltrain.domain.errors import ModelFileError
from jupyter_mltrain.engine.architecture import layers_of


@pytest.fixture
def saved(tmp_path):
    def save(model):
        model.save(tmp_path / "model.keras")
        return layers_of(tmp_path / "model.keras")

    return save


def test_a_sequential_model(saved):
    import keras

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, activation="relu", kernel_regularizer=keras.regularizers.L2(0.01)),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.25),
            keras.layers.Dense(10, trainable=False),
        ]
    )
    found = saved(model)
    assert [layer.kind for layer in found] == ["InputLayer", "Conv2D", "Flatten", "Dropout", "Dense"]
    conv, dropout, dense = found[1].settings, found[3].settings, found[4].settings
    assert (conv["filters"], conv["kernel_size"], conv["activation"]) == ("4", "3, 3", "relu")
    assert conv["kernel_regularizer"] == "L2(l2=0.01)"
    assert (dropout["rate"], dense["trainable"], dense["kernel_initializer"]) == ("0.25", "no", "GlorotUniform")
    assert not any("name" in layer.settings for layer in found)


def test_the_same_model_made_twice_in_a_session_is_the_same(saved):
    import keras

    def build():
        inputs = keras.Input((4,))
        left, right = keras.layers.Dense(3)(inputs), keras.layers.Dense(3)(inputs)
        return keras.Model(inputs, keras.layers.Add()([left, right]))

    first, second = saved(build()), saved(build())
    assert first == second
    assert [layer.settings.get("inputs") for layer in first] == [None, "InputLayer", "InputLayer", "Dense, Dense"]


def test_wrapped_layers_and_models_within_models(saved):
    import keras

    inner = keras.Sequential([keras.Input((5, 3)), keras.layers.Bidirectional(keras.layers.LSTM(4))])
    found = saved(keras.Sequential([keras.Input((5, 3)), inner, keras.layers.Dense(1)]))
    kinds = [layer.kind for layer in found]
    assert kinds[:4] == ["InputLayer", "Sequential/InputLayer", "Sequential/Bidirectional", "Sequential/Bidirectional/LSTM"]
    assert kinds[-1] == "Dense"
    assert found[3].settings["units"] == "4"


def test_a_model_whose_layers_are_in_its_code_is_one_layer(saved):
    import keras

    @keras.saving.register_keras_serializable("tests")
    class Net(keras.Model):
        def __init__(self, units=2, **options):
            super().__init__(**options)
            self.units, self.dense = units, keras.layers.Dense(units)

        def call(self, inputs):
            return self.dense(inputs)

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    model = Net(3)
    model.build((None, 2))
    (layer,) = saved(model)
    assert (layer.kind, layer.settings["units"]) == ("Net", "3")


def test_weights_alone_have_no_layers_and_what_is_no_model_is_an_error(tmp_path):
    assert layers_of(tmp_path / "best.weights.h5") is None
    (tmp_path / "model.keras").write_bytes(b"no zip")
    with pytest.raises(ModelFileError, match="expected a model that Keras saved in"):
        layers_of(tmp_path / "model.keras")
