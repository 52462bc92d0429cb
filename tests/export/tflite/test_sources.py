from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from netwright.errors import ExportError
from netwright.export import tflite
from tests.export.tflite.conftest import Convert

pytestmark = pytest.mark.slow

PRINTER = """
#include <stdint.h>
#include <stdio.h>
#include "net.h"
int main(void) {
  if ((uintptr_t)net_data % 16 != 0) return 1;
  if (sizeof(net_example_input) != NET_INPUT_BYTES) return 2;
  if (sizeof(net_example_output) != NET_OUTPUT_BYTES) return 3;
  return fwrite(net_data, 1, NET_BYTES, stdout) == NET_BYTES ? 0 : 4;
}
"""


@pytest.fixture(scope="module")
def sources(converted: Convert, tmp_path_factory: pytest.TempPathFactory) -> tflite.CSources:
    made = converted("signals")
    folder = tmp_path_factory.mktemp("c") / "sources"
    return tflite.write_c_sources(made.file, folder, name="net", example=made.images[3])


def _compiler(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_the_array_compiles_and_holds_the_file(
    sources: tflite.CSources, converted: Convert, tmp_path: Path
) -> None:
    (tmp_path / "print.c").write_text(PRINTER)
    program = tmp_path / "print"
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-const-variable"]
    files = [str(sources.array), str(tmp_path / "print.c"), "-I", str(sources.header.parent)]
    subprocess.run([_compiler("gcc"), *flags, *files, "-o", str(program)], check=True)
    printed = subprocess.run([str(program)], capture_output=True, check=True).stdout
    assert printed == converted("signals").file


def test_the_header_gives_the_arena_the_scales_and_an_example(
    sources: tflite.CSources, converted: Convert
) -> None:
    made = converted("signals")
    text = sources.header.read_text()
    facts = tflite.describe(made.file)
    source = facts.tensors[facts.inputs[0]]
    assert f"#define NET_ARENA_BYTES {tflite.smallest_arena(made.file)}\n" in text
    assert f"#define NET_INPUT_SCALE {source.scales[0]!r}f\n" in text
    assert f"#define NET_INPUT_ZERO_POINT ({source.zero_points[0]})\n" in text
    listed = re.search(r"example_output\[.*?\] = \{(.*?)\}", text, re.DOTALL)
    assert listed is not None
    output = [int(value) for value in re.findall(r"-?\d+", listed[1])]
    assert output == tflite.run_micro(made.file, made.images[3:4]).outputs[0].tolist()


# What main.cc uses of TensorFlow Lite Micro, by its documentation; enough to check the syntax, not to link.
DECLARATIONS = """
#pragma once
#include <cstdint>
enum TfLiteStatus { kTfLiteOk, kTfLiteError };
constexpr int TFLITE_SCHEMA_VERSION = 3;
union TfLitePtrUnion { int8_t* int8; };
struct TfLiteTensor { TfLitePtrUnion data; };
void MicroPrintf(const char* format, ...);
namespace tflite {
struct Model { int version() const; };
const Model* GetModel(const void* data);
void InitializeTarget();
template <unsigned N> struct MicroMutableOpResolver { METHODS };
struct MicroInterpreter {
  template <unsigned N>
  MicroInterpreter(const Model*, const MicroMutableOpResolver<N>&, uint8_t*, unsigned long);
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteTensor* input(unsigned long);
  TfLiteTensor* output(unsigned long);
  unsigned long arena_used_bytes() const;
};
}
"""


def test_main_registers_the_operators_of_the_file_and_is_valid_c(
    sources: tflite.CSources, converted: Convert, tmp_path: Path
) -> None:
    text = sources.main.read_text()
    kinds = set(tflite.kinds(converted("signals").file))
    calls = re.findall(r"resolver\.(Add\w+)\(\)", text)
    assert kinds == {"CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "ADD", "MEAN", "FULLY_CONNECTED"}
    assert sorted(calls) == sorted(
        ["AddConv2D", "AddDepthwiseConv2D", "AddMaxPool2D", "AddAdd", "AddMean", "AddFullyConnected"]
    )
    assert f"MicroMutableOpResolver<{len(kinds)}>" in text
    methods = " ".join(f"TfLiteStatus {call}();" for call in calls)
    for header in re.findall(r'#include "(tensorflow/.*?)"', text):
        path = tmp_path / header
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('#include "declarations.h"\n')
    (tmp_path / "declarations.h").write_text(DECLARATIONS.replace("METHODS", methods))
    command = [_compiler("g++"), "-std=c++17", "-Wall", "-Werror", "-fsyntax-only"]
    folders = ["-I", str(tmp_path), "-I", str(sources.header.parent)]
    subprocess.run([*command, *folders, str(sources.main)], check=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "2net"}, "name: expected lower-case letters"),
        ({"arena_bytes": 1001}, "arena_bytes: expected a multiple of 16"),
        ({"arena_bytes": 8192, "example": [[[0.0]]]}, r"example: expected \(H, W, C\) = \(1, 64, 6\)"),
    ],
)
def test_wrong_settings_are_errors(
    converted: Convert, tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    file = converted("signals").file
    with pytest.raises(ExportError, match=message):
        tflite.write_c_sources(file, tmp_path / "c", **settings)  # type: ignore[arg-type]
    assert not (tmp_path / "c").exists()
