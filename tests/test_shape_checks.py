"""The tests run with shape checks: a signature that is violated must be heard (tests/conftest.py)."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError

from oneformer_lite.losses.masks import bce_loss
from oneformer_lite.model.parts.masked_decoder import attention_region


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(TypeCheckError, match="labels"):
        bce_loss(torch.zeros(3, 4), torch.zeros(3, 5))
    with pytest.raises(TypeCheckError, match="mask_logits"):
        attention_region(torch.zeros(3, 5))
