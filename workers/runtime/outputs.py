"""What an engine made, as the gallery keeps it: loops are encoded here, pictures get their embedding."""

from __future__ import annotations

from dataclasses import replace

from gallery.services.artworks import AnimationFile, PictureFile, PoemText
from gallery.services.artworks import Output as OutputFile
from gallery.services.provenance import DIGITAL_SOURCE_TYPE
from workers.engines.base import Output, Picture, Poem
from workers.runtime import video_encoding
from workers.runtime.embedding import Embedder


def as_file(output: Output) -> OutputFile:
    """An output of an engine as a file or text to store; a loop is encoded. Raises EngineError, OSError."""
    if isinstance(output, Picture):
        return PictureFile(output.image, output.details, output.generated)
    if isinstance(output, Poem):
        return PoemText(output.lines, output.title, output.details)
    frames, seconds = output.frames, output.seconds
    video_encoding.check_loop(frames, seconds)
    return AnimationFile(
        poster=frames[0],
        loop=video_encoding.encode_webp(frames, seconds),
        video=video_encoding.encode_mp4(frames, seconds, comment=DIGITAL_SOURCE_TYPE),
        frames=len(frames),
        seconds=seconds,
        details=output.details,
    )


def with_embedding(file: OutputFile, embedder: Embedder) -> OutputFile:
    """The same with the embedding of its picture, if it has a picture and one can be made. Raises nothing."""
    if isinstance(file, PoemText):
        return file
    shown = file.image if isinstance(file, PictureFile) else file.poster
    return replace(file, embedding=embedder.embed(shown))
