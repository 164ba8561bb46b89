"""Cut the first 600 test images of MNIST and Fashion-MNIST out of the full IDX files.

    python make_subset.py --mnist DIR --fashion DIR
"""
import argparse
import gzip
import struct
from pathlib import Path

COUNT = 600
HERE = Path(__file__).resolve().parent


def read(folder, what, rank):
    for stem in (f"t10k-{what}-idx{rank}-ubyte", f"t10k-{what}.idx{rank}-ubyte"):
        for path in (folder / stem, folder / f"{stem}.gz"):
            if path.is_file():
                raw = path.read_bytes()
                return gzip.decompress(raw) if path.suffix == ".gz" else raw
    raise FileNotFoundError(f"no t10k {what} file in {folder}")


def cut(raw, rank):
    magic, *shape = struct.unpack_from(f">{1 + rank}I", raw)
    if magic != 0x800 + rank or shape[0] < COUNT:
        raise ValueError("not the expected IDX file")
    size = COUNT
    for extent in shape[1:]:
        size *= extent
    body = raw[4 + 4 * rank:][:size]
    return struct.pack(f">{1 + rank}I", magic, COUNT, *shape[1:]) + body


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, required=True)
    parser.add_argument("--fashion", type=Path, required=True)
    args = parser.parse_args()
    for name in ("mnist", "fashion"):
        for what, rank in (("images", 3), ("labels", 1)):
            data = cut(read(getattr(args, name), what, rank), rank)
            # No time stamp, so that the same input gives the same file.
            packed = gzip.compress(data, 9, mtime=0)
            path = HERE / f"{name}{COUNT}-{what}.idx{rank}-ubyte.gz"
            path.write_bytes(packed)
            print(path.name, len(packed))


if __name__ == "__main__":
    main()
