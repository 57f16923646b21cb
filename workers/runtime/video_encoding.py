"""A loop of pictures as files that browsers play: an animated WebP, and an MP4 that every player takes."""

from __future__ import annotations

import io
import itertools
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from PIL import Image

from workers.engines.base import EngineError

WEBP_QUALITY = 80
WEBP_METHOD = 2
"""Half the time of Pillow's default for 2 % more bytes (48 frames of 512 px: 0.8 s)."""
CRF = "20"
"""x264's constant rate factor: brushwork is lost above it, bytes are wasted below."""
PRESET = "fast"
THREADS = "2"
"""Fixed, because the encoder's output depends on it: the same frames are the same bytes everywhere."""
LONGEST_SECONDS = 60.0


def check_loop(frames: Sequence[Image.Image], seconds: float) -> None:
    """Raises EngineError unless there are two or more frames of one size, in a sensible time."""
    if len(frames) < 2:
        raise EngineError(f"a loop needs two or more frames, not {len(frames)}")
    sizes = {frame.size for frame in frames}
    if len(sizes) != 1 or min(min(size) for size in sizes) < 2:
        raise EngineError(f"the frames of a loop have one size of at least 2 px, not {sorted(sizes)}")
    if not len(frames) / 1000 <= seconds <= LONGEST_SECONDS:
        raise EngineError(f"a loop of {len(frames)} frames cannot last {seconds} s")


def encode_webp(frames: Sequence[Image.Image], seconds: float) -> bytes:
    """The frames, evenly over ``seconds`` (to the millisecond in all), as a WebP that repeats for ever."""
    ends = [round(1000 * seconds * number / len(frames)) for number in range(len(frames) + 1)]
    target = io.BytesIO()
    first, *others = (frame.convert("RGB") for frame in frames)
    first.save(
        target,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=[end - begin for begin, end in itertools.pairwise(ends)],
        loop=0,
        quality=WEBP_QUALITY,
        method=WEBP_METHOD,
    )
    return target.getvalue()


def encode_mp4(frames: Sequence[Image.Image], seconds: float, comment: str) -> bytes:
    """The frames, evenly over ``seconds``, as H.264 in an MP4 that starts to play before it is all there.

    ``comment`` is its metadata of that name. 4:2:0 colour needs even sides: an odd last row or column is
    left out.
    """
    # Half of the package's own size is FFmpeg; a worker without loops never loads it.
    import av

    width, height = (side - side % 2 for side in frames[0].size)
    rate = Fraction(len(frames) / seconds).limit_denominator(1000)
    # The index is moved to the front by a second pass over the file, which needs one with a name.
    with tempfile.TemporaryDirectory(prefix="artsite-loop-") as folder:
        path = Path(folder) / "loop.mp4"
        with av.open(
            str(path), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}
        ) as container:
            container.metadata["comment"] = comment
            options = {"crf": CRF, "preset": PRESET, "threads": THREADS}
            stream = container.add_stream("libx264", rate=rate, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for frame in frames:
                picture = frame.convert("RGB").crop((0, 0, width, height))
                container.mux(stream.encode(av.VideoFrame.from_image(picture)))  # type: ignore[no-untyped-call]
            container.mux(stream.encode(None))
        return path.read_bytes()
