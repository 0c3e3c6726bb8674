"""PyTorch's own modules with the weights of ours, to compare with."""

from __future__ import annotations

import torch
from torch import nn

from oneformer_lite.model.parts.layers import Attention


def torch_attention(ours: Attention) -> nn.MultiheadAttention:
    """``nn.MultiheadAttention``, which holds the three input projections as one matrix."""
    weight = ours.out_proj.weight
    theirs = nn.MultiheadAttention(len(weight), ours.num_heads, batch_first=True, dtype=weight.dtype)
    projections = (ours.q_proj, ours.k_proj, ours.v_proj)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([p.weight for p in projections]))
        theirs.in_proj_bias.copy_(torch.cat([p.bias for p in projections]))
    theirs.out_proj.load_state_dict(ours.out_proj.state_dict())
    return theirs
