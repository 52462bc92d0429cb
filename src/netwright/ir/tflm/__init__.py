"""The memory that TensorFlow Lite Micro needs for a network, from the graph alone.

``lower`` predicts the operators of the converted int8 file, ``tflm_cost`` counts its arena and flash to the
byte, ``best_order`` finds the order of execution that needs least, ``reconcile`` compares with the file that
was made.
"""

from netwright.ir.tflm.cost import Buffer, OperatorMoment, TflmCost, tflm_cost
from netwright.ir.tflm.kernels import HOST64, INTERPRETER, MCU32, Machine
from netwright.ir.tflm.lowering import lower
from netwright.ir.tflm.order import best_order, reordered
from netwright.ir.tflm.program import FileTensor, Operator, Program
from netwright.ir.tflm.reconciling import reconcile

__all__ = [
    "HOST64",
    "INTERPRETER",
    "MCU32",
    "Buffer",
    "FileTensor",
    "Machine",
    "Operator",
    "OperatorMoment",
    "Program",
    "TflmCost",
    "best_order",
    "lower",
    "reconcile",
    "reordered",
    "tflm_cost",
]
