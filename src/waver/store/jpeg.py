"""A Zarr v3 codec that keeps each frame of an image array as one JPEG.

Lossless codecs keep a 256x256 face at 100 kB and more; the release itself ships JPEG faces. Chunks
of an array that uses this codec are ``(1, H, W, 3)``; a shard collects them into one file.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
from zarr.abc.codec import ArrayBytesCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer, NDBuffer
from zarr.registry import register_codec

NAME = "waver.jpeg"


@dataclass(frozen=True)
class JpegCodec(ArrayBytesCodec):
    """RGB uint8 ``(1, H, W, 3)`` to JPEG bytes and back.

    Attributes:
        quality: 1 to 100, OpenCV's JPEG quality.
    """

    quality: int = 95
    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        return cls(quality=int(data.get("configuration", {}).get("quality", 95)))

    def to_dict(self) -> dict[str, Any]:
        return {"name": NAME, "configuration": {"quality": self.quality}}

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        raise NotImplementedError("a JPEG's size is not known before it is made")

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        data = await asyncio.to_thread(self._encode, chunk_array.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        image = await asyncio.to_thread(self._decode, chunk_bytes.to_bytes())
        return chunk_spec.prototype.nd_buffer.from_numpy_array(image.reshape(chunk_spec.shape))

    def _encode(self, chunk: np.ndarray[Any, Any]) -> bytes:
        bgr = cv2.cvtColor(np.ascontiguousarray(chunk[0]), cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        return encoded.tobytes()

    def _decode(self, data: bytes) -> np.ndarray[Any, Any]:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


register_codec(NAME, JpegCodec)
