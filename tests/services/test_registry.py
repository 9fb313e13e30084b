"""What a notebook hands to Keras when a model is loaded."""

from __future__ import annotations

import collections
import math

from jupyter_mltrain.services.registry import defined_in


def test_classes_and_functions_go_under_the_names_that_model_files_use():
    class Layer:
        pass

    def halved(x):
        return x / 2

    namespace = {"Layer": Layer, "alias": Layer, "halved": halved, "x": 3, "math": math, "sqrt": math.sqrt, "layer": Layer()}
    assert defined_in(namespace) == {"Layer": Layer, "halved": halved}
    assert defined_in({"Kept": collections.OrderedDict}) == {"OrderedDict": collections.OrderedDict}
