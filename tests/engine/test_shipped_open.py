"""Every model that is shipped opens through the code that the worker runs, key by key.

The engines load it themselves; only torch and safetensors are watched, so this holds whatever our modules are
called. Recipes are written out in full: their names are kept for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from PIL import Image

from workers import weights
from workers.engines.base import SilentReport, Task
from workers.registry import ENGINES, Registry

FOLDERS = sorted(card.parent.name for card in weights.SHIPPED.glob(f"*/{weights.CARD_FILE}"))
HAIKU = {
    "prompt": "snow", "form": "haiku", "opening": "", "count": 1, "acrostic": "", "english_poet": "any",
    "poet": "any", "dynasty": "tang", "rhyme_book": "pingshui", "rhyme": "any", "temperature": 0.9,
}  # fmt: skip
SLOW = {
    "style": "great_wave", "style_2": "", "style_3": "", "style_4": "",
    "weight_1": 1.0, "weight_2": 1.0, "weight_3": 1.0, "weight_4": 1.0,
    "strength": 0.75, "style_scale": 1.0, "brush": 0.5, "keep_colours": False, "size": 256, "invert": False,
    "slow": True, "steps": 20,
}  # fmt: skip


class Impatient(SilentReport):
    """Has enough as soon as there is a picture."""

    def enough(self) -> bool:
        return True


@dataclass
class Watched:
    """What was opened: the models' folders, and for each network whether it was loaded strictly."""

    folders: set[str] = field(default_factory=set)
    networks: dict[str, bool] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    results: list[Any] = field(default_factory=list)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """All engines of the registry, loaded afresh; what is loaded late by the two that do so, too."""
    seen = Watched()
    read, fill = safetensors.torch.load_file, torch.nn.Module.load_state_dict

    def load_file(path: Any, *given: Any, **named: Any) -> dict[str, torch.Tensor]:
        seen.folders.add(Path(path).parent.name)
        return read(path, *given, **named)

    def load_state_dict(
        net: torch.nn.Module, state: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        unmatched = fill(net, state, strict=strict, assign=assign)
        seen.networks[type(net).__name__] = strict and not any(unmatched)
        return unmatched

    photo = tmp_path_factory.mktemp("photo") / "flat.png"
    Image.new("RGB", (96, 64), "#2e62b8").save(photo)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ARTSITE_MODELS_DIR", raising=False)
        patch.setattr(safetensors.torch, "load_file", load_file)
        patch.setattr(torch.nn.Module, "load_state_dict", load_state_dict)
        registry = Registry(overrides="")
        for kind, _path in ENGINES:
            seen.digests[kind] = registry.engine(kind).model_digest
        for kind, task in (
            ("verse", Task(HAIKU, 1, SilentReport())),
            ("restyle", Task(SLOW, 1, Impatient(), inputs={"image": photo})),
        ):
            seen.results += registry.engine(kind).run([task])
        yield seen


@pytest.mark.parametrize("name", FOLDERS)
def test_the_digest_on_the_card_is_that_of_the_file(name: str) -> None:
    folder = weights.SHIPPED / name
    assert weights.file_digest(folder / weights.MODEL_FILE) == weights.load_card(folder)["sha256"]


@pytest.mark.parametrize("name", FOLDERS)
def test_an_engine_opens_it(name: str, watched: Watched) -> None:
    assert name in watched.folders


def test_every_network_is_loaded_strictly(watched: Watched) -> None:
    # The style targets are statistics: no network takes them.
    assert len(watched.networks) == len(FOLDERS) - 1, watched.networks
    assert all(watched.networks.values()), watched.networks


def test_what_is_opened_late_works(watched: Watched) -> None:
    assert [result.error for result in watched.results] == [None, None]


def test_engines_name_the_digests_of_the_cards(watched: Watched) -> None:
    cards = {name: weights.load_card(weights.SHIPPED / name)["sha256"] for name in FOLDERS}
    alone = {"restyle": "restyle", "analyse": "analyse", "dream": "analyse"}
    assert {kind: watched.digests[kind] for kind in alone} == {k: cards[name] for k, name in alone.items()}
    assert all(watched.digests.values())
