"""Linear layers, computed by whichever of PyTorch's two libraries is faster on this processor.

PyTorch multiplies float32 matrices with Intel's MKL and computes convolutions with oneDNN. On AMD processors MKL
leaves half of the vector width unused where there is AVX-512; oneDNN does not. A linear layer is a convolution of size
1x1, so there it goes that way, if it is large: the same sums, in half the time, forward and backward (``make
benchmark``).
"""

from __future__ import annotations

import platform
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

LEAST = 10_000_000  # multiply-adds from which the detour pays; below it costs a few microseconds
# PyTorch gives a 1x1 convolution to oneDNN (its native/Convolution.cpp) if it has more numbers than these, and either
# several threads or so many pictures.
LEAST_INPUT, PICTURES = 20_480, 16


class Linear(nn.Linear):
    """``nn.Linear``: the same weights, names and initialisation, and the same result but for rounding."""

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        if (
            x.dtype == torch.float32 and x.device.type == "cpu"
            and not torch.is_autocast_enabled("cpu")  # half precision is multiplied by oneDNN anyway
            and not torch.compiler.is_exporting()  # an exported model runs elsewhere
            and CONVOLUTION_IS_FASTER
            and x.numel() > LEAST_INPUT and x.numel() * self.out_features >= LEAST
        ):  # fmt: skip
            return linear_by_convolution(x, self.weight, self.bias)
        return super().forward(x)


def adopt_linears(network: nn.Module) -> nn.Module:
    """Every ``nn.Linear`` of a network from elsewhere (timm's) becomes a :class:`Linear`, in place.

    It has no state besides ``nn.Linear``'s, so changing the class is all there is to do.
    """
    for module in network.modules():
        if type(module) is nn.Linear:
            module.__class__ = Linear
    return network


def linear_by_convolution(
    x: Float[Tensor, "*n i"], weight: Float[Tensor, "o i"], bias: Float[Tensor, "o"] | None
) -> Float[Tensor, "*n o"]:
    """Each row of ``x`` as a pixel of pictures of one line, whose channels lie side by side in memory."""
    rows = x.reshape(-1, x.shape[-1]).contiguous()
    pictures = rows.unflatten(0, (PICTURES, -1)) if len(rows) % PICTURES == 0 else rows[None]
    result = F.conv2d(pictures[:, None].permute(0, 3, 1, 2), weight[:, :, None, None], bias)  # of [pictures, i, 1, n]
    return result.permute(0, 2, 3, 1).reshape(*x.shape[:-1], len(weight))


def convolution_is_faster() -> bool:
    """Whether this is an AMD processor with AVX-512 and PyTorch has both libraries."""
    both = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    return both and torch.backends.cpu.get_cpu_capability() == "AVX512" and "AuthenticAMD" in _processor()


def _processor() -> str:
    """What the system tells about the processor, its maker among it."""
    known = Path("/proc/cpuinfo")
    return known.read_text(errors="replace") if known.is_file() else platform.processor()


CONVOLUTION_IS_FASTER = convolution_is_faster()  # once: the compiler does not follow what asks the system
