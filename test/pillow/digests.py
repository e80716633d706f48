#!/usr/bin/env python3
"""Digests of what Pillow computes, which test/vision-kernel.test.ts holds lanewise to. Needs python3-pil (Debian 12: 9.4).

    python3 test/pillow/digests.py            writes test/pillow/digests.json
    python3 test/pillow/digests.py --check    computes them again, and fails where one differs

A case is [width, height, to width, to height, channels, box or null]; its picture is noise that both sides make from the numbers
of its bytes, its digests are of resize() by the five filters in the order of FILTERS, 12 hex digits of SHA-256 each. Beside them:
the conversions that are Pillow's, over all bytes.
"""
import hashlib
import json
import sys
from pathlib import Path

from PIL import Image, ImageOps, features  # noqa: F401

FILTERS = ["box", "bilinear", "hamming", "bicubic", "lanczos"]
CODES = {"box": 4, "bilinear": 2, "hamming": 5, "bicubic": 3, "lanczos": 1}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
FILE = Path(__file__).with_name("digests.json")


def hash32(i):
    h = (i * 0x9E3779B1 + 0x7F4A7C15) & 0xFFFFFFFF
    h ^= h >> 15
    return (h * 0x85EBCA6B) & 0xFFFFFFFF


def picture(width, height, channels, seed):
    """Noise; every third picture has only black and white, where sums overshoot most."""
    count = width * height * channels
    if seed % 3 == 2:
        data = bytes(255 * (hash32(i + seed) >> 31) for i in range(count))
    else:
        data = bytes(hash32(i + seed) >> 24 for i in range(count))
    return Image.frombytes(MODES[channels], (width, height), data)


def cases():
    """200 pairs of sizes."""
    chosen = [
        [1, 1, 1, 1, 3, None], [1, 1, 8, 8, 3, None], [1, 9, 3, 2, 3, None], [5, 3, 17, 29, 3, None],
        [33, 65, 1, 1, 3, None], [20000, 3, 4, 2, 3, None], [3, 20000, 2, 5, 1, None], [7, 4000, 5, 13, 4, None],
        [100, 100, 100, 100, 3, None], [100, 100, 100, 37, 3, None], [100, 100, 41, 100, 4, None], [300, 200, 301, 199, 3, None],
        [224, 224, 672, 672, 1, None], [640, 480, 320, 320, 3, None], [1920, 1080, 224, 224, 3, None], [256, 144, 480, 270, 1, None],
        [640, 480, 224, 224, 3, [80, 0, 560, 480]], [301, 207, 64, 48, 4, [3.5, 7.25, 290.5, 200]], [97, 55, 97, 55, 3, [1, 1, 96, 54]],
        [50, 40, 112, 90, 3, [10, 5, 30, 25]],
    ]
    n = 0
    while len(chosen) < 200:
        n += 1
        r = [hash32(1000 * n + k) for k in range(8)]
        most = [40, 200, 500][r[0] % 3]
        width, height = 1 + r[1] % most, 1 + r[2] % most
        to_width, to_height = 1 + r[3] % most, 1 + r[4] % most
        box = None
        if r[5] % 4 == 0 and width > 4 and height > 4:
            x, y = r[6] % (width // 2), r[7] % (height // 2)
            box = [x, y, x + 1 + r[3] % (width - x), y + 1 + r[4] % (height - y)]
        chosen.append([width, height, to_width, to_height, [3, 3, 1, 4][r[5] % 4 if box is None else r[6] % 4], box])
    return chosen


def digest(data):
    return hashlib.sha256(data).hexdigest()[:12]


def conversions():
    """L, YCbCr and back of all pairs of two bytes; paste by alpha; NEAREST; every orientation."""
    ramp = bytes(b for i in range(65536) for b in (i >> 8, i & 255, (i * 7 + (i >> 9)) & 255))
    rgb = Image.frombytes("RGB", (256, 256), ramp)
    ycc = rgb.convert("YCbCr")
    rgba = picture(61, 47, 4, 5)
    paper = Image.new("RGB", rgba.size, (250, 128, 3))
    paper.paste(rgba, mask=rgba.getchannel("A"))
    nearest = []
    for k, (a, b) in enumerate([(1, 7), (7, 1), (10, 3), (3, 10), (97, 61), (61, 97), (500, 224), (224, 500), (333, 110), (1000, 999)]):
        nearest.append(digest(picture(a, b, 3, k).resize((b, a), Image.NEAREST).tobytes()))
    turned = []
    for orientation in range(1, 9):
        image = picture(53, 37, 3, 0)
        exif = image.getexif()
        exif[0x0112] = orientation
        turned.append(digest(ImageOps.exif_transpose(image).resize((20, 15), Image.BICUBIC).tobytes()))
    one = Image.new("RGB", (8, 8), (200, 100, 120)).convert("YCbCr").resize((24, 16), Image.BICUBIC)
    merged = Image.merge("YCbCr", [Image.new("L", one.size, 128), one.getchannel(1), one.getchannel(2)])
    return {
        "L": digest(rgb.convert("L").tobytes()),
        "YCbCr": digest(ycc.tobytes()),
        "RGB of YCbCr": digest(Image.frombytes("YCbCr", (256, 256), ramp).convert("RGB").tobytes()),
        "pasted": digest(paper.tobytes()),
        "nearest": nearest,
        "orientations": turned,
        "merged": list(merged.convert("RGB").getpixel((0, 0))) + [255],
    }


def main():
    rows = []
    for seed, case in enumerate(cases()):
        width, height, to_width, to_height, channels, box = case
        image = picture(width, height, channels, seed)
        digests = [digest(image.resize((to_width, to_height), CODES[f], box).tobytes()) for f in FILTERS]
        rows.append(case + [digests])
    made = {"pillow": Image.__version__, "filters": FILTERS, "cases": rows, "conversions": conversions()}
    if "--check" in sys.argv:
        had = json.loads(FILE.read_text())
        wrong = [case for case, old in zip(rows, had["cases"]) if case != old]
        same = had["conversions"] == made["conversions"]
        print(f"Pillow {Image.__version__}: {len(rows)} pairs of sizes, {len(wrong)} differ from {FILE.name} ({had['pillow']})")
        sys.exit(1 if wrong or not same or len(rows) != len(had["cases"]) else 0)
    lines = ",\n".join("    " + json.dumps(row) for row in rows)
    head = json.dumps({k: made[k] for k in ("pillow", "filters", "conversions")}, indent=2)[:-2]
    FILE.write_text(head + ',\n  "cases": [\n' + lines + "\n  ]\n}\n")


main()
