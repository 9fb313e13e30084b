"""Train Keras models from a notebook: `%load_ext jupyter_mltrain`."""
