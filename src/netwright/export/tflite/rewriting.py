"""A model reduced to what an interpreter reads: no names, no notes, nothing twice, nothing unused."""

from __future__ import annotations

from typing import Any

import numpy as np

from netwright.errors import ExportError
from netwright.export.tflite.flatbuffer import data_of, is_constant, operator_name, schema, type_name


def name_tensors(model: Any) -> None:
    """Give every tensor a name of its own, which the quantizer identifies it by."""
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        tensor.name = f"t{index}".encode()


def replace_relu6(model: Any) -> None:
    """Make each RELU6 that could not be fused a multiplication by 1 with it, of which there is an int8 form.

    Behind a concatenation, say. The quantizer knows RELU alone, which does not end at 6.

    Args:
        model: a float model, changed in place.
    """
    graph = model.subgraphs[0]
    left = [operator for operator in graph.operators if operator_name(model, operator) == "RELU6"]
    if not left:
        return
    one = schema.TensorT()
    one.type, one.shape, one.buffer = schema.TensorType.FLOAT32, [], len(model.buffers)
    values = schema.BufferT()
    values.data = np.float32(1).tobytes()
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MUL
    code.version = 1
    for operator in left:
        operator.opcodeIndex = len(model.operatorCodes)
        operator.inputs = [operator.inputs[0], len(graph.tensors)]
        operator.builtinOptionsType = schema.BuiltinOptions.MulOptions
        operator.builtinOptions = schema.MulOptionsT()
        operator.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU6
    graph.tensors.append(one)
    model.buffers.append(values)
    model.operatorCodes.append(code)


def check_order(model: Any) -> None:
    """Check that every operator runs after those that it reads.

    Raises:
        ExportError: if one does not.
    """
    graph = model.subgraphs[0]
    known = set(graph.inputs)
    for place, operator in enumerate(graph.operators):
        for index in operator.inputs:
            if index >= 0 and index not in known and not is_constant(model, index):
                raise ExportError(
                    f"tflite: operator {place} ({operator_name(model, operator)}) reads tensor {index}, "
                    "which is not computed yet"
                )
        known.update(operator.outputs)


def check_int8(model: Any) -> None:
    """Check that input, outputs and every activation between them are int8.

    Raises:
        ExportError: if one is not; names its operator.
    """
    graph = model.subgraphs[0]
    for place, operator in enumerate(graph.operators):
        for index in (*operator.inputs, *operator.outputs):
            if index < 0 or is_constant(model, index):
                continue
            kind = type_name(graph.tensors[index])
            if kind != "int8":
                raise ExportError(
                    f"tflite: operator {place} ({operator_name(model, operator)}): expected int8 throughout, "
                    f"got {kind}; the quantizer has no int8 form of it"
                )


def strip(model: Any) -> None:
    """Remove names, notes, signatures and ranges; share equal constants; number all things anew.

    Tensors are numbered by their first use: the input, then for each operator its constants and its output.
    """
    model.description = model.metadata = model.metadataBuffer = model.signatureDefs = None
    graph = model.subgraphs[0]
    graph.name = None
    order = list(graph.inputs)
    for operator in graph.operators:
        order += [index for index in (*operator.inputs, *operator.outputs) if index >= 0]
    _share_constants(model, order)
    _number_codes(model)


def _share_constants(model: Any, order: list[int]) -> None:
    graph = model.subgraphs[0]
    buffers = [schema.BufferT()]
    tensors: list[Any] = []
    new_buffer: dict[bytes, int] = {}
    new_tensor: dict[int, int] = {}
    constants: dict[tuple[object, ...], int] = {}
    for index in dict.fromkeys(order):
        tensor = graph.tensors[index]
        constant = is_constant(model, index)
        tensor.name = None
        tensor.shapeSignature = None
        key = (index,) if not constant else (tensor.type, *_quantization(tensor), tuple(tensor.shape))
        if tensor.quantization is not None:
            tensor.quantization.min = tensor.quantization.max = None
        if constant:
            data = data_of(model, index)
            key = (*key, data)
            if key in constants:
                new_tensor[index] = constants[key]
                continue
            if data not in new_buffer:
                new_buffer[data] = len(buffers)
                buffer = schema.BufferT()
                buffer.data = data
                buffers.append(buffer)
            tensor.buffer = new_buffer[data]
            constants[key] = len(tensors)
        else:
            tensor.buffer = 0
        new_tensor[index] = len(tensors)
        tensors.append(tensor)
    graph.tensors, model.buffers = tensors, buffers
    graph.inputs = [new_tensor[index] for index in graph.inputs]
    graph.outputs = [new_tensor[index] for index in graph.outputs]
    for operator in graph.operators:
        operator.inputs = [new_tensor[index] if index >= 0 else -1 for index in operator.inputs]
        operator.outputs = [new_tensor[index] for index in operator.outputs]
        operator.intermediates = operator.mutatingVariableInputs = None


def _quantization(tensor: Any) -> tuple[object, ...]:
    found = tensor.quantization
    if found is None or found.scale is None:
        return ()
    return tuple(map(float, found.scale)), tuple(map(int, found.zeroPoint)), found.quantizedDimension


def _number_codes(model: Any) -> None:
    """Keep each kind of operator that is used once, in order of first use."""
    codes: list[Any] = []
    places: dict[tuple[int, int], int] = {}
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex]
        key = (max(code.builtinCode, code.deprecatedBuiltinCode), code.version)
        if key not in places:
            places[key] = len(codes)
            codes.append(code)
        operator.opcodeIndex = places[key]
    model.operatorCodes = codes
