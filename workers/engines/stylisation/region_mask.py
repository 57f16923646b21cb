"""A region of a picture: pixels may change where a mask is white, and nowhere else."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageFilter

from workers.engines.base import InvalidRequest

FEATHER = 1 / 150
"""Width of the soft edge as a share of the long side; it lies inside of the region."""
TOLERANCE = 24
"""Distance from black or white, of 255, within which a mask counts as black or white: JPEG is not exact."""


def feathered_region(mask: Image.Image, size: tuple[int, int], invert: bool = False) -> Image.Image:
    """The opacity of a change at each pixel, 0..255 (mode L, ``size``): exactly 0 outside.

    White in ``mask`` is inside, black with ``invert``. The kind has compared the shapes of mask and picture;
    here the mask is resized to the picture. Raises InvalidRequest when nothing is inside.
    """
    grey = mask.convert("L")
    if invert:
        grey = grey.point(lambda value: 255 - value)
    if grey.size != size:
        grey = grey.resize(size, Image.Resampling.BILINEAR)
    sharp = grey.point(_stretch)
    if sharp.getextrema()[1] == 0:
        raise InvalidRequest(
            "empty mask", visitor="The region is empty: nothing would be painted. Paint where it shall be."
        )
    return _feathered(sharp, max(1.0, FEATHER * max(size)))


def _stretch(value: int) -> int:
    return min(255, max(0, round((value - TOLERANCE) * 255 / (255 - 2 * TOLERANCE))))


def _feathered(sharp: Image.Image, radius: float) -> Image.Image:
    """A soft edge on the inside."""
    blurred = sharp.filter(ImageFilter.GaussianBlur(radius)).point(lambda value: max(0, 2 * value - 255))
    soft = ImageChops.darker(sharp, blurred)
    # A region of nothing but lines thinner than the edge keeps a hard one.
    return soft if soft.getextrema()[1] == 255 else sharp


def composite(region: Image.Image, changed: Image.Image, untouched: Image.Image) -> Image.Image:
    """``changed`` inside of the region, exactly ``untouched`` outside; all of one size."""
    return Image.composite(changed, untouched, region)
