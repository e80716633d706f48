#!/usr/bin/env python3
"""What OpenCV computes of the same noise: writes test/pillow/opencv.json, base64 of bytes. Needs python3-opencv (Debian 12: 4.6)."""
import base64
import json
from pathlib import Path

import cv2
import numpy as np

WAYS = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA, "cubic": cv2.INTER_CUBIC}
SIZES = [
    (1, 1, 4, 3), (8, 8, 4, 4), (9, 7, 4, 3), (37, 23, 11, 7), (11, 17, 20, 30), (40, 30, 60, 10), (40, 30, 10, 33),
    (64, 48, 32, 24), (100, 60, 33, 33), (25, 25, 24, 26), (13, 200, 20, 9), (31, 17, 31, 20), (40, 9, 13, 9), (9, 20, 9, 47),
]


def hash32(i):
    h = (i * 0x9E3779B1 + 0x7F4A7C15) & 0xFFFFFFFF
    h ^= h >> 15
    return (h * 0x85EBCA6B) & 0xFFFFFFFF


rows = []
for k, (width, height, to_width, to_height) in enumerate(SIZES):
    channels = 1 if k % 4 == 3 else 3
    data = bytes(hash32(i) >> 24 for i in range(width * height * channels))
    image = np.frombuffer(data, np.uint8).reshape(height, width, channels)
    by = {name: base64.b64encode(cv2.resize(image, (to_width, to_height), interpolation=way).tobytes()).decode() for name, way in WAYS.items()}
    rows.append([width, height, to_width, to_height, channels, by])
lines = ",\n".join("    " + json.dumps(row) for row in rows)
Path(__file__).with_name("opencv.json").write_text(f'{{\n  "opencv": "{cv2.__version__}",\n  "cases": [\n{lines}\n  ]\n}}\n')
