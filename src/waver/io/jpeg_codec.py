"""A Zarr v3 codec that stores each frame of an image array as one JPEG.

Lossless codecs need 100 kB and more for a 256x256 face; the release itself ships JPEG faces. Chunks
of an array that uses this codec are ``(1, H, W, 3)``; a shard collects them into one file.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import cv2
import numpy as np
from zarr.abc.codec import ArrayBytesCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer, NDBuffer
from zarr.registry import register_codec

from waver.device import threads
from waver.io.picture_head import stated_sides

NAME = "waver.jpeg"
_CRC_BYTES = 4


@dataclass(frozen=True)
class JpegCodec(ArrayBytesCodec):
    """RGB uint8 ``(1, H, W, 3)`` to JPEG bytes and back.

    Attributes:
        quality: 1 to 100, OpenCV's JPEG quality.
        checksum: four bytes follow each JPEG, its CRC-32, little-endian; a decoder of JPEG ignores them.
    """

    quality: int = 95
    checksum: bool = False
    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        given = data.get("configuration", {})
        return cls(quality=int(given.get("quality", 95)), checksum=bool(given.get("checksum", False)))

    def to_dict(self) -> dict[str, Any]:
        return {"name": NAME, "configuration": {"quality": self.quality, "checksum": self.checksum}}

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        raise NotImplementedError("a JPEG's size is not known before it is encoded")

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        data = await _done(self._encode, chunk_array.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        image = await _done(self._decode, chunk_bytes.to_bytes(), chunk_spec.shape[1:3])
        return chunk_spec.prototype.nd_buffer.from_numpy_array(image.reshape(chunk_spec.shape))

    def _encode(self, chunk: np.ndarray[Any, Any]) -> bytes:
        bgr = cv2.cvtColor(np.ascontiguousarray(chunk[0]), cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        data = encoded.tobytes()
        return data + zlib.crc32(data).to_bytes(_CRC_BYTES, "little") if self.checksum else data

    def _decode(self, data: bytes, sides: tuple[int, ...]) -> np.ndarray[Any, Any]:
        if self.checksum and zlib.crc32(data[:-_CRC_BYTES]) != int.from_bytes(data[-_CRC_BYTES:], "little"):
            raise ValueError("a picture is not as it was written")
        if stated_sides(data, ("JPEG",)) != sides:
            raise ValueError("a picture has other sides than its array")
        return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB))


async def _done(work: Callable[..., Any], *arguments: Any) -> Any:
    """The result, by another thread where the job has several; else its own, for a hand-over costs a quarter more."""
    return work(*arguments) if threads() == 1 else await asyncio.to_thread(work, *arguments)


@cache
def register() -> None:
    """Register the codec with Zarr, for a checkout that is not installed; its entry point does it for others."""
    register_codec(NAME, JpegCodec)
