"""What the magics do, from Python, with the same words and the same objects.

In a notebook with the extension loaded it is done in the extension's home; elsewhere in the one that `MLTRAIN_HOME`, the
project or the current folder gives.
"""

from jupyter_mltrain.api.forms import TrainForm
from jupyter_mltrain.api.recorded_runs import Runs
from jupyter_mltrain.api.recorded_searches import Searches
from jupyter_mltrain.api.registered_models import Models, load_model
from jupyter_mltrain.api.training import train
from jupyter_mltrain.api.tuning import tune

__all__ = ["TrainForm", "load_model", "models", "runs", "searches", "train", "tune"]

models = Models()
runs = Runs()
searches = Searches()
