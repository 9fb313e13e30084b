"""What a model can be exported to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from jupyter_mltrain.domain.errors import OptionError


class ExportFormat(StrEnum):
    """Formats of exported models."""

    KERAS = "keras"  # the registered file itself
    SAVEDMODEL = "savedmodel"  # a folder, for TensorFlow Serving and whatever else runs TensorFlow
    ONNX = "onnx"
    LITERT = "litert"  # for phones and small devices, once called TensorFlow Lite

    @property
    def suffix(self) -> str:
        """What the file's name ends in; nothing for a folder."""
        return _SUFFIXES[self]


_SUFFIXES = {
    ExportFormat.KERAS: ".keras",
    ExportFormat.SAVEDMODEL: "",
    ExportFormat.ONNX: ".onnx",
    ExportFormat.LITERT: ".tflite",
}


def check_target(target: Path, kind: ExportFormat) -> None:
    """Raise `OptionError` if a model in this format cannot go to `target` without doing harm to what is there."""
    if kind is ExportFormat.SAVEDMODEL:
        if target.exists() and not (target / "saved_model.pb").is_file():
            raise OptionError(
                f"expected --to with a new folder, or with a SavedModel to replace, received {target}: choose another"
            )
    elif target.suffix != kind.suffix:
        raise OptionError(f"expected --to with a file that ends in {kind.suffix}, received {target}: rename it")
    elif target.is_dir():
        raise OptionError(f"expected --to with a file, received the folder {target}: choose a name in it")
