"""litert-torch: from a torch module to a float TFLite file."""

from __future__ import annotations

import tempfile
from pathlib import Path

from torch import Tensor, nn

from netwright.errors import ExportError
from netwright.export.tflite.extra import missing

try:
    import litert_torch
except ImportError as error:
    raise missing("litert-torch") from error


def float_file(module: nn.Module, example: Tensor) -> bytes:
    """Convert a module in eval mode for inputs of the shape of the example.

    Raises:
        ExportError: if litert-torch cannot.
    """
    try:
        program = litert_torch.convert(module, (example,))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "float.tflite"
            program.export(str(path))
            return path.read_bytes()
    except ExportError:
        raise
    # torch.export, MLIR and the converter each raise classes of their own.
    except Exception as error:
        raise ExportError(f"litert-torch cannot convert this network ({error})") from error
