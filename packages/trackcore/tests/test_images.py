"""Image files: the same pixels as OpenCV, and an error that names the file for every kind of damage."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from trackcore.video import FrameReadError, read_image, to_rgb


@pytest.fixture
def picture() -> np.ndarray:
    coarse = np.random.default_rng(3).integers(0, 256, (12, 16, 3), np.uint8)
    return cv2.resize(coarse, (97, 61), interpolation=cv2.INTER_CUBIC)


def encode(image: np.ndarray, suffix: str, *options: int) -> bytes:
    ok, data = cv2.imencode(suffix, image, options)
    assert ok
    return data.tobytes()


def exif_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Insert an EXIF segment whose only entry is the orientation."""
    tiff = b"II*\x00\x08\x00\x00\x00" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff", ".ppm"])
def test_same_pixels_as_opencv(tmp_path, picture, suffix):
    path = tmp_path / f"frame{suffix}"
    path.write_bytes(encode(picture, suffix))
    expected = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)])
def test_jpeg_flavours_and_trailing_bytes(tmp_path, picture, options):
    data = encode(picture, ".jpg", *options)
    path = tmp_path / "frame.jpg"
    path.write_bytes(data)
    plain = read_image(path)
    path.write_bytes(data + b"\x00" * 7 + b"camera data \xff\xc4")
    np.testing.assert_array_equal(read_image(path), plain)


def test_exif_orientation_is_applied_as_opencv_does(tmp_path, picture):
    path = tmp_path / "turned.jpg"
    path.write_bytes(exif_orientation(encode(picture, ".jpg"), 6))
    image = read_image(path)
    assert image.shape == (97, 61, 3)
    np.testing.assert_array_equal(image[:, :, ::-1], cv2.imread(str(path)))


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.7, 0.95, 1.0])
def test_truncated_jpeg(tmp_path, picture, share, options):
    data = encode(picture, ".jpg", *options)
    path = tmp_path / "00000007.jpg"
    path.write_bytes(data[: min(int(len(data) * share), len(data) - 1)])
    with pytest.raises(FrameReadError, match=r"00000007\.jpg: the JPEG file is truncated"):
        read_image(path)


def test_truncated_jpeg_whose_thumbnail_is_complete(tmp_path, picture):
    thumbnail = encode(picture[:16, :16], ".jpg")
    data = encode(picture, ".jpg")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    path = tmp_path / "thumb.jpg"
    path.write_bytes(data[:2] + segment + data[2:])
    assert read_image(path).shape == picture.shape
    path.write_bytes(data[:2] + segment + data[2 : len(data) // 2])
    with pytest.raises(FrameReadError, match="truncated"):
        read_image(path)


def test_download_filled_up_with_zeros(tmp_path, picture):
    data = encode(picture, ".jpg")
    path = tmp_path / "part.jpg"
    path.write_bytes(data[: len(data) // 2].ljust(len(data), b"\x00"))
    with pytest.raises(FrameReadError, match="truncated"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tiff"])
def test_other_truncated_formats(tmp_path, picture, suffix):
    data = encode(picture, suffix)
    path = tmp_path / f"half{suffix}"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(FrameReadError, match="half"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"not an image", "damaged or in no image format"), (b"\xff\xd8\xff", "truncated")],
)
def test_undecodable_files(tmp_path, content, message):
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(FrameReadError, match=rf"bad\.jpg.*{message}"):
        read_image(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FrameReadError, match=r"gone\.png: there is no such image file"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(FrameReadError, match="cannot be read"):
        read_image(tmp_path)


def test_error_is_an_oserror():
    assert issubclass(FrameReadError, OSError)


def test_grey_and_rgba_files(tmp_path, picture):
    grey = picture[:, :, 0]
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.repeat(grey[:, :, None], 3, axis=2))
    cv2.imwrite(str(tmp_path / "alpha.png"), np.dstack([picture, grey]))
    np.testing.assert_array_equal(read_image(tmp_path / "alpha.png"), picture[:, :, ::-1])


def test_palette_file(tmp_path):
    """A 2 x 1 palette PNG made by hand: index 1 is (10, 20, 30), index 0 is (200, 100, 50)."""
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0)
    palette = bytes([200, 100, 50, 10, 20, 30])
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"PLTE", palette)
    data += chunk(b"IDAT", zlib.compress(b"\x00\x01\x00")) + chunk(b"IEND", b"")
    (tmp_path / "palette.png").write_bytes(data)
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png"), [[[10, 20, 30], [200, 100, 50]]])


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bit_files_keep_their_range(tmp_path, picture, suffix):
    path = tmp_path / f"deep{suffix}"
    cv2.imwrite(str(path), picture.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_image(path), picture[:, :, ::-1])
    cv2.imwrite(str(path), picture[:, :, 0].astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_image(path)[:, :, 1], picture[:, :, 0])


def test_float_files_are_refused(tmp_path):
    path = tmp_path / "float.tiff"
    cv2.imwrite(str(path), np.zeros((4, 4, 3), np.float32))
    with pytest.raises(FrameReadError, match="float32"):
        read_image(path)


def test_to_rgb_rounds_16_bit_to_nearest():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(to_rgb(values)[:, :, 0], np.round(values / 257).astype(np.uint8))


def test_to_rgb_shapes():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(to_rgb(grey), to_rgb(grey[:, :, None]))
    np.testing.assert_array_equal(to_rgb(grey > 2)[:, :, 0], [[0, 0, 0], [255, 255, 255]])
    rgba = np.random.default_rng(0).integers(0, 256, (2, 3, 4), np.uint8)
    np.testing.assert_array_equal(to_rgb(rgba), rgba[:, :, :3])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((4, 4, 2), np.uint8), r"\(4, 4, 2\)"),
        (np.zeros(4, np.uint8), r"\(4,\)"),
    ],
)
def test_to_rgb_refuses(array, message):
    with pytest.raises(ValueError, match=message):
        to_rgb(array)
