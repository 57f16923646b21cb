"""From a training checkpoint to weights: the averaged network, and one small code for each famous style."""

from __future__ import annotations

from pathlib import Path

import torch

from workers import weights
from workers.nets.style_transfer import StyleTransferNet
from workers.training.common import data
from workers.training.common.perceptual_teacher import Teacher
from workers.training.style_transfer.checkpoint import load_checkpoint, trained_encoder
from workers.training.style_transfer.data import famous_tensor
from workers.training.style_transfer.style_space import StyleSpace, famous_code

SHORT_SIDES = (192, 256)
"""Short sides of a famous painting, px: its code is the mean over them, so strokes of either scale count."""
SOURCES = (
    "Trained on 1,666 photographs (BIDS/BSDS500 for non-commercial research, PACS, the funwebdev case-travel "
    "set) and on paintings from eliogrande/TheEndlessTuning_WikiArt224 (a CC BY-NC-SA collection), "
    "VVVXYZ/wikiart, BathVisArtData/PeopleArt (research use), MRU-Web-2/Web-2-Assignment-2, "
    "fudansswebfundamental/Project2-2018, klv4de/ArtWall (Art Institute of Chicago, CC0), "
    "irinainina/image-data and otang47/Landscape-Painting-Classification. The painters died in 1955 or "
    "before, so the works are in the public domain in most countries (works published after 1930 may not be "
    "in the US). The perceptual teacher, songhan/SqueezeNet-Deep-Compression (BSD), served in training only: "
    "none of its weights are shipped. No picture is shipped either: a style code is 140 numbers."
)
LIMITS = (
    "Strokes were learned at 96 to 192 px: fine detail of a style seen at full size is not copied.",
    "Calm areas fill with strokes that repeat like scales, most of all at full strength.",
    "Colours of a style are kept exactly, its strokes approximately: far from what an optimisation of every "
    "picture for itself reaches, which the slow mode is for.",
    "Semantics are not understood: a sky may get the texture of a field, and faces are not protected.",
)


def famous_codes(
    net: StyleTransferNet, space: StyleSpace, teacher: Teacher, styles: list[data.StylePicture]
) -> torch.Tensor:
    """(styles, code_size): the teacher's code of each whole painting, as exact as a code can be."""
    found = []
    for entry in styles:
        views = [famous_tensor(entry.path, side) for side in SHORT_SIDES]
        found.append(torch.cat([famous_code(net, space, teacher, view) for view in views]).mean(0))
    return torch.stack(found)


def export(run: Path, folder: Path, target: Path) -> None:
    """Write the newest checkpoint of ``run`` as weights folder ``target``; evaluation adds its quality."""
    net, space, step = load_checkpoint(run)
    encoder = trained_encoder(run)
    if encoder is not None:
        net.encoder.load_state_dict(encoder)
    codes = famous_codes(net, space, Teacher(folder), data.styles(folder))
    write(net, codes, step, folder, target)


def encoded_codes(net: StyleTransferNet, styles: list[data.StylePicture]) -> torch.Tensor:
    """(styles, code_size): what the encoder makes of each whole painting."""
    with torch.inference_mode():
        return torch.cat([net.encode(famous_tensor(entry.path, SHORT_SIDES[-1])) for entry in styles])


def write(net: StyleTransferNet, codes: torch.Tensor, step: int, folder: Path, target: Path) -> None:
    """Write a network and the codes of the famous paintings as weights folder ``target``."""
    styles = data.styles(folder)
    tensors = {**net.state_dict(), "style_codes": codes}
    card = {
        "name": target.name,
        "kind": "restyle",
        "architecture": "Style encoder and U-shaped transfer network with conditional norms "
        "(workers/nets/style_transfer.py)",
        "config": {**net.config.as_dict(), "styles": [entry.slug for entry in styles]},
        "parameters": sum(p.numel() for p in net.parameters()),
        "styles": [{"slug": s.slug, "artist": s.artist, "title": s.title} for s in styles],
        "data": SOURCES,
        "steps": step,
        "quality": {},
        "limits": list(LIMITS),
        "licence": "Apache-2.0 for the weights, within what the sources of the data allow",
    }
    weights.save(target, tensors, card)
