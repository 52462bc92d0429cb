"""Search spaces that come with netwright."""

from netwright.spaces.accel_nasbench import accel_nasbench, accel_nasbench_architecture
from netwright.spaces.catalog import (
    SPACES,
    SpaceEntry,
    find_space,
    load_space,
    make_space,
    resolve_space,
    write_space,
)
from netwright.spaces.darts import darts, darts_architecture
from netwright.spaces.macro import nasbench_macro
from netwright.spaces.mobilenet import (
    fbnet,
    fbnet_architecture,
    mobilenet_tiny,
    mobilenet_v2,
    ofa_architecture,
    ofa_mobilenet_v3,
    proxylessnas,
)
from netwright.spaces.nasbench201 import nasbench201, nasbench201_architecture, nasbench201_string
from netwright.spaces.nasnet import nasnet, nasnet_architecture
from netwright.spaces.nats import nats_size
from netwright.spaces.resnet import resnet
from netwright.spaces.shufflenet import shufflenet, shufflenet_v1
from netwright.spaces.signals import conv1d_tiny, spectrogram_tiny
from netwright.spaces.tinyml import mcunet
from netwright.spaces.topology import auto_deeplab, auto_deeplab_tiny

__all__ = [
    "SPACES",
    "SpaceEntry",
    "accel_nasbench",
    "accel_nasbench_architecture",
    "auto_deeplab",
    "auto_deeplab_tiny",
    "conv1d_tiny",
    "darts",
    "darts_architecture",
    "fbnet",
    "fbnet_architecture",
    "find_space",
    "load_space",
    "make_space",
    "mcunet",
    "mobilenet_tiny",
    "mobilenet_v2",
    "nasbench201",
    "nasbench201_architecture",
    "nasbench201_string",
    "nasbench_macro",
    "nasnet",
    "nasnet_architecture",
    "nats_size",
    "ofa_architecture",
    "ofa_mobilenet_v3",
    "proxylessnas",
    "resnet",
    "resolve_space",
    "shufflenet",
    "shufflenet_v1",
    "spectrogram_tiny",
    "write_space",
]
