"""Metadata that every file carries: its recipe, and the mark of AI unless no network made it.

The mark is the IPTC digital source type in an XMP packet, which search engines and image programs read
(IPTC Photo Metadata Standard 2023.1, "Digital Source Type"). Nothing about a person or their source
pictures' metadata goes in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from PIL import Image
from PIL.PngImagePlugin import PngInfo

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
RECIPE_KEYWORD = "Recipe"
XMP_KEYWORD = "XML:com.adobe.xmp"
THUMBNAIL_SIDE = 512

_WEBP_HAS_XMP = 0x04
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")

_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:artsite="urn:artsite:recipe:1">
<xmp:CreatorTool>Artsite</xmp:CreatorTool>
{mark}<artsite:recipe>{recipe}</artsite:recipe>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""
_MARK = f"<Iptc4xmpExt:DigitalSourceType>{DIGITAL_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>\n"


def xmp_packet(recipe: Mapping[str, Any], *, generated: bool = True) -> str:
    """The XMP packet with the recipe (as JSON), and the mark unless no network made the picture."""
    mark = _MARK if generated else ""
    return _XMP.format(mark=mark, recipe=escape(json.dumps(recipe, sort_keys=True)))


def picture_encode(image: Image.Image, recipe: Mapping[str, Any], *, generated: bool = True) -> bytes:
    """``image`` as a PNG with its recipe and (``generated``) the mark, and no other metadata."""
    info = PngInfo()
    info.add_text("Software", "Artsite")
    info.add_itxt(RECIPE_KEYWORD, json.dumps(recipe, ensure_ascii=False, sort_keys=True))
    info.add_itxt(XMP_KEYWORD, xmp_packet(recipe, generated=generated))
    target = BytesIO()
    _bare(image).save(target, "PNG", pnginfo=info)
    return target.getvalue()


def thumbnail_encode(image: Image.Image, recipe: Mapping[str, Any], *, generated: bool = True) -> bytes:
    """``image`` as a WebP of at most 512 px, with the recipe and (``generated``) the mark."""
    small = _bare(image)
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    target = BytesIO()
    small.save(target, "WEBP", quality=82, method=4, xmp=xmp_packet(recipe, generated=generated).encode())
    return target.getvalue()


def loop_mark(webp: bytes, recipe: Mapping[str, Any]) -> bytes:
    """An animated WebP with the recipe and the mark in it, its frames untouched.

    The XMP chunk goes last and its flag into the VP8X header (WebP Container Specification, 2023).
    Raises ValueError for anything but a WebP without XMP.
    """
    chunks = webp[12:]
    if webp[:4] != b"RIFF" or webp[8:12] != b"WEBP" or len(chunks) < 18:
        raise ValueError("not a WebP")
    if chunks[:4] != b"VP8X":
        # Frames that are all alike were written as a still picture, without the header for more.
        with Image.open(BytesIO(webp)) as image:
            canvas = b"".join((side - 1).to_bytes(3, "little") for side in image.size)
        chunks = b"VP8X" + (10).to_bytes(4, "little") + bytes(4) + canvas + chunks
    if chunks[8] & _WEBP_HAS_XMP:
        raise ValueError("this WebP has metadata already")
    packet = xmp_packet(recipe).encode()
    flagged = chunks[:8] + bytes([chunks[8] | _WEBP_HAS_XMP]) + chunks[9:]
    body = b"WEBP" + flagged + b"XMP " + len(packet).to_bytes(4, "little") + packet + bytes(len(packet) % 2)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def video_mark(mp4: bytes, recipe: Mapping[str, Any]) -> bytes:
    """An MP4 with the recipe and the mark behind its last box, its frames untouched.

    In a ``uuid`` box, where readers of XMP look (ISO 16684-1; XMP Specification, part 3, "MPEG-4").
    Raises ValueError for anything but an MP4.
    """
    if mp4[4:8] != b"ftyp":
        raise ValueError("not an MP4")
    body = b"uuid" + _XMP_BOX + xmp_packet(recipe).encode()
    return mp4 + (len(body) + 4).to_bytes(4, "big") + body


def mean_colour(image: Image.Image) -> str:
    """The mean colour as ``#rrggbb``: the placeholder while the picture loads."""
    pixel = image.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return "#{:02x}{:02x}{:02x}".format(*(int(channel) for channel in pixel))


def _bare(image: Image.Image) -> Image.Image:
    """The pixels alone: whatever metadata the image object carried stays behind."""
    copy = Image.new("RGB", image.size)
    copy.paste(image.convert("RGB"))
    return copy
