"""Reader for the IDX files of MNIST and Fashion-MNIST, plain or gzipped."""
import gzip
import struct
from pathlib import Path

import numpy as np

# The same files circulate under several spellings.
_SPELLINGS = ("{0}-{1}-idx{2}-ubyte", "{0}-{1}.idx{2}-ubyte")


def read_idx(path):
    path = Path(path)
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    zero, kind, rank = struct.unpack_from(">HBB", raw)
    if zero != 0 or kind != 8:
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    shape = struct.unpack_from(f">{rank}I", raw, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def find_idx(folder, part, what):
    rank = 3 if what == "images" else 1
    for spelling in _SPELLINGS:
        for suffix in ("", ".gz"):
            path = Path(folder) / (spelling.format(part, what, rank) + suffix)
            if path.is_file():
                return path
    raise FileNotFoundError(f"no {part} {what} file in {folder}")


def load_split(folder, part):
    """part is 'train' or 't10k'. Images as float32 in 0..1 with shape (N,1,28,28)."""
    pixels = read_idx(find_idx(folder, part, "images"))
    labels = read_idx(find_idx(folder, part, "labels"))
    if len(pixels) != len(labels):
        raise ValueError(f"{folder}: {len(pixels)} images, {len(labels)} labels")
    images = pixels[:, None].astype(np.float32) / np.float32(255)
    return images, labels.astype(np.int64)
