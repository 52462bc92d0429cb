"""A file as C source for firmware: an array, its header, and a minimal main for TensorFlow Lite Micro."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from netwright.errors import ExportError
from netwright.export.bundle import staged
from netwright.export.tflite.description import FileFacts, TensorFacts, describe
from netwright.export.tflite.micro import ARENA_STEP, channels_last, run_micro, smallest_arena

_A_LINE = 16

_REGISTRATIONS = {
    "ADD": "AddAdd",
    "AVERAGE_POOL_2D": "AddAveragePool2D",
    "CONCATENATION": "AddConcatenation",
    "CONV_2D": "AddConv2D",
    "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
    "DIV": "AddDiv",
    "FULLY_CONNECTED": "AddFullyConnected",
    "HARD_SWISH": "AddHardSwish",
    "LOGISTIC": "AddLogistic",
    "MAX_POOL_2D": "AddMaxPool2D",
    "MEAN": "AddMean",
    "MUL": "AddMul",
    "PAD": "AddPad",
    "PADV2": "AddPadV2",
    "QUANTIZE": "AddQuantize",
    "REDUCE_MAX": "AddReduceMax",
    "RELU": "AddRelu",
    "RELU6": "AddRelu6",
    "RESHAPE": "AddReshape",
    "RESIZE_BILINEAR": "AddResizeBilinear",
    "SLICE": "AddSlice",
    "STRIDED_SLICE": "AddStridedSlice",
    "SUB": "AddSub",
    "SUM": "AddSum",
    "TRANSPOSE": "AddTranspose",
}
"""Kind of operator to the method of tflite::MicroMutableOpResolver that links its kernel in."""


@dataclass(frozen=True, slots=True)
class CSources:
    """What was written.

    Attributes:
        array: the .c file: the bytes of the TFLite file, aligned, constant.
        header: the .h file: sizes, scales, zero points.
        main: main.cc: a firmware that runs one image. It needs TensorFlow Lite Micro to compile and link.
        arena_bytes: size of the arena in the header.
    """

    array: Path
    header: Path
    main: Path
    arena_bytes: int


def write_c_sources(
    file: bytes,
    folder: str | Path,
    *,
    name: str = "model",
    arena_bytes: int | None = None,
    example: Any = None,
) -> CSources:
    """Write a file as a C array with its header, and a minimal main for TensorFlow Lite Micro.

    The array and the header are complete. ``main.cc`` cannot be compiled and linked without TensorFlow
    Lite Micro, which is built for a board; that was not done here.

    Args:
        file: what ``convert`` gave.
        folder: where the three files are put, see ``netwright.export.staged``.
        name: of the files, and the beginning of every C name.
        arena_bytes: a multiple of 16; None takes ``smallest_arena``, which is measured on a 64-bit computer
            and enough on a 32-bit microcontroller.
        example: one image (C, H, W) or vector (F,) that main runs; the header gives it and what the
            interpreter computed for it here, so the device tests itself. None takes zeros.

    Raises:
        MissingDependencyError: if the extra ``edge`` is not installed.
        ExportError: if the name is no C name, the arena is no multiple of 16, an operator has no known
            kernel, or the folder cannot be written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ExportError(f"c sources: name: expected lower-case letters, digits and _, got {name!r}")
    arena = smallest_arena(file) if arena_bytes is None else arena_bytes
    if arena <= 0 or arena % ARENA_STEP:
        raise ExportError(f"c sources: arena_bytes: expected a multiple of {ARENA_STEP} above 0, got {arena}")
    facts = describe(file)
    shape = facts.tensors[facts.inputs[0]].shape[1:]
    if example is None:
        image = np.zeros((1, *shape), np.float32)
    else:
        image = channels_last(np.asarray(example, np.float32)[None])
        if image.shape[1:] != shape:
            raise ExportError(f"c sources: example: expected (H, W, C) = {shape}, got {image.shape[1:]}")
    target = Path(folder)
    with staged(target) as draft:
        (draft / f"{name}.c").write_text(_array(file, name), encoding="utf-8")
        (draft / f"{name}.h").write_text(_header(file, facts, name, arena, image), encoding="utf-8")
        (draft / "main.cc").write_text(_main(facts, name), encoding="utf-8")
    return CSources(target / f"{name}.c", target / f"{name}.h", target / "main.cc", arena)


def _array(file: bytes, name: str) -> str:
    lines = [
        "  " + ", ".join(f"0x{byte:02x}" for byte in file[start : start + _A_LINE]) + ","
        for start in range(0, len(file), _A_LINE)
    ]
    return "\n".join(
        [
            f"/* A TFLite file of {len(file)} bytes, written by netwright. C11. */",
            f'#include "{name}.h"',
            "",
            f"_Alignas(16) const unsigned char {name}_data[{name.upper()}_BYTES] = {{",
            *lines,
            "};",
            "",
        ]
    )


def _header(file: bytes, facts: FileFacts, name: str, arena: int, image: np.ndarray[Any, Any]) -> str:
    source, target = facts.tensors[facts.inputs[0]], facts.tensors[facts.outputs[0]]
    prefix = name.upper()
    scale, zero = np.float32(source.scales[0]), source.zero_points[0]
    inputs = np.clip(np.round(image / scale) + zero, -128, 127).astype(np.int8)
    if inputs.ndim == 4:
        outputs = run_micro(file, image.transpose(0, 3, 1, 2)).outputs
    else:
        outputs = run_micro(file, image).outputs
    return "\n".join(
        [
            f"/* {name}: {len(file)} bytes, int8 input and output. Written by netwright. */",
            f"#ifndef NETWRIGHT_{prefix}_H_",
            f"#define NETWRIGHT_{prefix}_H_",
            "",
            f"#define {prefix}_BYTES {len(file)}",
            "/* Measured by the interpreter on a 64-bit computer, whose structures are larger. */",
            f"#define {prefix}_ARENA_BYTES {arena}",
            *_tensor(prefix, "INPUT", source),
            *_tensor(prefix, "OUTPUT", target),
            "",
            "#ifdef __cplusplus",
            'extern "C" {',
            "#endif",
            f"extern const unsigned char {name}_data[{prefix}_BYTES];",
            "#ifdef __cplusplus",
            "}",
            "#endif",
            "",
            "/* One image, and what TensorFlow Lite Micro computed for it on the computer. */",
            f"static const signed char {name}_example_input[{prefix}_INPUT_BYTES] = {{",
            *_numbers(inputs),
            "};",
            f"static const signed char {name}_example_output[{prefix}_OUTPUT_BYTES] = {{",
            *_numbers(outputs),
            "};",
            "",
            "#endif",
            "",
        ]
    )


def _tensor(prefix: str, kind: str, tensor: TensorFacts) -> list[str]:
    shape = " x ".join(map(str, tensor.shape))
    return [
        f"/* {kind.lower()}: int8, {shape}; value = (int8 - zero point) * scale */",
        f"#define {prefix}_{kind}_BYTES {prod(tensor.shape)}",
        f"#define {prefix}_{kind}_SCALE {tensor.scales[0]!r}f",
        f"#define {prefix}_{kind}_ZERO_POINT ({tensor.zero_points[0]})",
    ]


def _numbers(values: np.ndarray[Any, Any]) -> list[str]:
    flat = [str(int(value)) for value in values.reshape(-1)]
    return ["  " + ", ".join(flat[start : start + _A_LINE]) + "," for start in range(0, len(flat), _A_LINE)]


def _main(facts: FileFacts, name: str) -> str:
    kinds = list(dict.fromkeys(operator.kind for operator in facts.operators))
    unknown = [kind for kind in kinds if kind not in _REGISTRATIONS]
    if unknown:
        raise ExportError(f"c sources: no kernel of TensorFlow Lite Micro is known for {', '.join(unknown)}")
    calls = "\n".join(f"  if (resolver.{_REGISTRATIONS[kind]}() != kTfLiteOk) return 1;" for kind in kinds)
    text = _MAIN
    for word, value in (
        ("@count@", str(len(kinds))),
        ("@calls@", calls),
        ("@NAME@", name.upper()),
        ("@name@", name),
    ):
        text = text.replace(word, value)
    return text


_MAIN = """\
// Runs one image through TensorFlow Lite Micro and compares with what it computed on the computer.
// Compile and link it with TensorFlow Lite Micro for your board. Written by netwright.
#include <cstdint>
#include <cstring>

#include "@name@.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {
alignas(16) uint8_t arena[@NAME@_ARENA_BYTES];
}

int main() {
  tflite::InitializeTarget();
  const tflite::Model* model = tflite::GetModel(@name@_data);
  if (model->version() != TFLITE_SCHEMA_VERSION) return 1;

  // Exactly the kernels that the file uses: no other is linked in.
  static tflite::MicroMutableOpResolver<@count@> resolver;
@calls@

  static tflite::MicroInterpreter interpreter(model, resolver, arena, sizeof(arena));
  if (interpreter.AllocateTensors() != kTfLiteOk) return 1;

  // Your input goes here: int8 = round(value / @NAME@_INPUT_SCALE) + @NAME@_INPUT_ZERO_POINT, clipped.
  std::memcpy(interpreter.input(0)->data.int8, @name@_example_input, @NAME@_INPUT_BYTES);
  if (interpreter.Invoke() != kTfLiteOk) return 1;

  const int8_t* output = interpreter.output(0)->data.int8;
  int best = 0;
  int differences = 0;
  for (int i = 0; i < @NAME@_OUTPUT_BYTES; ++i) {
    if (output[i] > output[best]) best = i;
    if (output[i] != @name@_example_output[i]) ++differences;
  }
  MicroPrintf("label %d, %d outputs differ from the computer's, arena %d of %d bytes", best, differences,
              static_cast<int>(interpreter.arena_used_bytes()), @NAME@_ARENA_BYTES);
  return differences == 0 ? 0 : 2;
}
"""
