"""Published networks as graphs."""

from netwright.models.catalog import MODELS, Model, Parameter, build_model, find_model
from netwright.models.darts import darts
from netwright.models.mobilenet import (
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3_large,
    mobilenet_v3_small,
)
from netwright.models.nasbench201 import nasbench201
from netwright.models.resnet import resnet, resnext50
from netwright.models.shufflenet import shufflenet_v1, shufflenet_v2

__all__ = [
    "MODELS",
    "Model",
    "Parameter",
    "build_model",
    "darts",
    "find_model",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "nasbench201",
    "resnet",
    "resnext50",
    "shufflenet_v1",
    "shufflenet_v2",
]
