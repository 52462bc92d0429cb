from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netwright.errors import ExportError
from netwright.export import tflite
from tests.export.tflite.conftest import Convert
from tests.export.tflite.small import images

pytestmark = pytest.mark.slow


def _with_constants_behind(file: bytes) -> bytes:
    """The file as ai-edge-quantizer writes large ones: constants of 1 KiB and more behind the model."""
    import flatbuffers

    from netwright.export.tflite.flatbuffer import IDENTIFIER, read, schema

    model: Any = read(file)
    moved = [buffer for buffer in model.buffers if buffer.data is not None and len(buffer.data) >= 1024]
    datas = [bytes(bytearray(buffer.data)) for buffer in moved]
    assert sum(map(len, datas)) > 256 * 1024
    packed = b""
    # Twice: where the constants begin is known only when the model is written.
    for _ in range(2):
        place = -(-len(packed) // 16) * 16
        for buffer, data in zip(moved, datas, strict=True):
            buffer.data, buffer.offset, buffer.size = None, max(place, 2), len(data)
            place += -(-len(data) // 16) * 16
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
        packed = bytes(builder.Output())
    assert isinstance(model, schema.ModelT)
    whole = bytearray(packed)
    for buffer, data in zip(moved, datas, strict=True):
        whole += bytes(buffer.offset - len(whole)) + data
    return bytes(whole)


def test_large_networks_keep_their_constants_inside(converted: Convert) -> None:
    from netwright.export.tflite.flatbuffer import check_inline

    file = converted("heavy").file
    facts = tflite.describe(file)
    assert facts.constant_bytes > 256 * 1024
    assert facts.bytes < 1.1 * facts.constant_bytes
    check_inline(file)


def test_constants_behind_the_model_are_refused_and_can_be_brought_in(converted: Convert) -> None:
    from netwright.export.tflite.flatbuffer import check_inline, read, write

    made = converted("heavy")
    batch = images(made.network.graph, 20, seed=3)
    behind = _with_constants_behind(made.file)
    right = tflite.run_micro(made.file, batch).outputs
    # LiteRT reads such a file; TensorFlow Lite Micro runs it too, and computes something else.
    assert (tflite.run_litert(behind, batch, "reference") == right).mean() > 0.99
    wrong = tflite.run_micro(behind, batch)
    assert (wrong.outputs == right).mean() < 0.5
    with pytest.raises(ExportError, match=r"buffer \d+: expected its data inside the model"):
        check_inline(behind)
    assert (tflite.run_micro(write(read(behind)), batch).outputs == right).all()


def test_constants_are_aligned(converted: Convert) -> None:
    from netwright.export.tflite.flatbuffer import ALIGNMENT, schema

    file = converted("inverted_residuals").file
    model = schema.Model.GetRootAsModel(file, 0)
    places = [
        model.Buffers(index).DataAsNumpy().__array_interface__["data"][0]
        - np.frombuffer(file, np.uint8).__array_interface__["data"][0]
        for index in range(model.BuffersLength())
        if model.Buffers(index).DataLength()
    ]
    assert len(places) > 20
    assert all(place % ALIGNMENT == 0 for place in places)


@pytest.mark.usefixtures("converted")
def test_what_is_no_tflite_file_is_refused() -> None:
    with pytest.raises(ExportError, match="expected a file with the mark b'TFL3'"):
        tflite.describe(b"no file at all")
