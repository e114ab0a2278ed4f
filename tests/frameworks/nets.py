"""Networks for the tests, importable by the process that converts."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn


class Cnn(nn.Module):
    """Convolutions with batch norm, pooled, classified."""

    def __init__(self, width: int = 8, classes: int = 5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(2 * width, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(image))


class Block(nn.Module):
    """Two convolutions with a shortcut around them."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        same = stride == 1 and inside == outside
        self.around = nn.Identity() if same else nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.around(x))


class ResNet(nn.Module):
    """The shape of ResNet-18: four stages of two blocks."""

    def __init__(self) -> None:
        super().__init__()
        widths = [16, 16, 32, 64, 128]
        blocks: list[nn.Module] = [nn.Conv2d(3, 16, 7, 2, 3, bias=False), nn.BatchNorm2d(16)]
        for before, after in pairwise(widths):
            blocks += [Block(before, after, 1 if before == after else 2), Block(after, after, 1)]
        self.body = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(128, 100)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(image))


class Tokens(nn.Module):
    """Two inputs, one of which indexes a table; a nested answer that contains an input."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 8)
        self.head = nn.Linear(8, 3)

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, scale: float = 2.0
    ) -> dict[str, torch.Tensor | tuple[torch.Tensor, torch.Tensor]]:
        hidden = self.table(ids) * mask.unsqueeze(-1) * scale
        return {"logits": self.head(hidden.sum(1)), "inner": (hidden, ids)}


class Named(nn.Module):
    """An answer with names."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"double": x * 2, "half": x / 2}


class Versioned(nn.Linear):
    """Accepts weights only if they say which version they are."""

    _version = 2

    def __init__(self) -> None:
        super().__init__(4, 2)

    def _load_from_state_dict(self, state, prefix, metadata, *rest) -> None:
        if metadata.get("version") != 2:
            raise ValueError(f"version is {metadata.get('version')}")
        super()._load_from_state_dict(state, prefix, metadata, *rest)


class Tied(nn.Module):
    """One tensor under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(4, 4, bias=False)
        self.head = nn.Linear(4, 4, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.embed(x)))


class Branch(nn.Module):
    """Its behavior depends on values, which tracing does not see."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 if x.sum() > 0 else x * 3


class Odd(nn.Module):
    """An operator that OpenVINO has no conversion for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.airy_ai(x)


class Broken(nn.Module):
    """Cannot be constructed."""

    def __init__(self) -> None:
        raise ValueError("no such width")


def made(kind: type[nn.Module]) -> nn.Module:
    """Returns a network with fixed weights, and statistics of its own."""
    torch.manual_seed(1)
    net = kind()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return net.eval()
