"""Writes networks of torchvision's families, and a few that people deploy beside them, as ONNX files with random weights:
what bench:models --models DIR measures beyond ../shared/data. Needs Debian's python3-torch and python3-torchvision.

    /usr/bin/python3 bench/export-torchvision.py nets            all of them
    /usr/bin/python3 bench/export-torchvision.py nets resnet18   those named
"""

import os
import sys
import warnings

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

# Per name: side of the square picture. One or two networks a family; the large ones of a family load the same way.
IMAGES = {
    "alexnet": 224, "vgg11_bn": 224, "vgg19": 224, "resnet18": 224, "resnet50": 224, "resnext50_32x4d": 224,
    "wide_resnet50_2": 224, "densenet121": 224, "squeezenet1_1": 224, "mobilenet_v2": 224, "mobilenet_v3_small": 224,
    "mobilenet_v3_large": 224, "mnasnet1_0": 224, "efficientnet_b0": 224, "efficientnet_v2_s": 224,
    "shufflenet_v2_x1_0": 224, "googlenet": 224, "inception_v3": 299, "regnet_x_400mf": 224, "regnet_y_400mf": 224,
    "convnext_tiny": 224, "vit_b_16": 224, "swin_t": 224, "swin_v2_t": 224, "maxvit_t": 224,
}
DENSE = {"deeplabv3_mobilenet_v3_large": 256, "lraspp_mobilenet_v3_large": 256, "fcn_resnet50": 256}
CLIPS = {"r3d_18": 112, "s3d": 224}


class Dense(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)["out"]


class UNet(nn.Module):
    """Two 3x3 a level, four levels, transposed convolutions on the way up (Ronneberger 2015, a quarter of its width)."""

    def __init__(self, widths=(16, 32, 64, 128, 256)):
        super().__init__()
        pair = lambda i, o: nn.Sequential(
            nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(),
            nn.Conv2d(o, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU())
        self.down = nn.ModuleList(pair(i, o) for i, o in zip((3,) + widths, widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, 2) for i, o in zip(widths[:0:-1], widths[-2::-1]))
        self.join = nn.ModuleList(pair(2 * o, o) for o in widths[-2::-1])
        self.head = nn.Conv2d(widths[0], 2, 1)

    def forward(self, x):
        kept = []
        for i, level in enumerate(self.down):
            x = level(F.max_pool2d(x, 2) if i else x)
            kept.append(x)
        for up, join, beside in zip(self.up, self.join, kept[-2::-1]):
            x = join(torch.cat([up(x), beside], 1))
        return self.head(x)


class Srvgg(nn.Module):
    """Real-ESRGAN's compact x4 generator: a stack of 3x3 with PReLU, then pixel shuffle."""

    def __init__(self, width=64, depth=16, scale=4):
        super().__init__()
        body = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width)]
        for _ in range(depth):
            body += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
        self.body = nn.Sequential(*body, nn.Conv2d(width, 3 * scale * scale, 3, padding=1))
        self.shuffle, self.scale = nn.PixelShuffle(scale), scale

    def forward(self, x):
        return self.shuffle(self.body(x)) + F.interpolate(x, scale_factor=self.scale, mode="nearest")


class MobileViTBlock(nn.Module):
    """Convolution, then attention between the pixels of a stretch of 2x2 patches (Mehta 2021)."""

    def __init__(self, channels, width, depth):
        super().__init__()
        self.local = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.SiLU(),
                                   nn.Conv2d(channels, width, 1))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, activation="gelu", batch_first=True, norm_first=True)
        self.blocks = nn.ModuleList(Encoder(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.back = nn.Sequential(nn.Conv2d(width, channels, 1), nn.BatchNorm2d(channels), nn.SiLU())
        self.fuse = nn.Sequential(nn.Conv2d(2 * channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.SiLU())

    def forward(self, x):
        y = self.local(x)
        n, d, h, w = y.shape
        y = y.reshape(n * d, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3).reshape(n, d, 4, h * w // 4)
        y = y.permute(0, 2, 3, 1).reshape(n * 4, h * w // 4, d)
        for block in self.blocks:
            y = block(y)
        y = self.norm(y).reshape(n, 4, h * w // 4, d).permute(0, 3, 1, 2)
        y = y.reshape(n * d, 2, 2, h // 2, w // 2).permute(0, 3, 1, 4, 2).reshape(n, d, h, w)
        return self.fuse(torch.cat([x, self.back(y)], 1))


class Encoder(nn.Module):
    def __init__(self, width, heads=4):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        a = torch.softmax(q @ k.transpose(-1, -2) * (d // self.heads) ** -0.5, -1)
        x = x + self.out((a @ v).transpose(1, 2).reshape(n, t, d))
        return x + self.mlp(self.norm2(x))


class MobileViT(nn.Module):
    """MobileViT-XS: inverted residuals with three attention blocks, at 256x256."""

    def __init__(self):
        super().__init__()
        mv2 = lambda i, o, s: torchvision.models.mobilenetv2.InvertedResidual(i, o, s, 4)
        self.net = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.SiLU(), mv2(16, 32, 1), mv2(32, 48, 2), mv2(48, 48, 1),
            mv2(48, 64, 2), MobileViTBlock(64, 96, 2), mv2(64, 80, 2), MobileViTBlock(80, 120, 4),
            mv2(80, 96, 2), MobileViTBlock(96, 144, 3), nn.Conv2d(96, 384, 1), nn.SiLU())
        self.head = nn.Linear(384, 1000)

    def forward(self, x):
        return self.head(self.net(x).mean((2, 3)))


OWN = {"unet": (UNet, (1, 3, 256, 256)), "srvgg_x4": (Srvgg, (1, 3, 128, 128)), "mobilevit_xs": (MobileViT, (1, 3, 256, 256))}


def networks():
    for name, side in IMAGES.items():
        extra = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
        yield name, lambda n=name, e=extra: torchvision.models.get_model(n, weights=None, **e), (1, 3, side, side)
    for name, side in DENSE.items():
        make = lambda n=name: Dense(torchvision.models.get_model(n, weights=None, weights_backbone=None))
        yield name, make, (1, 3, side, side)
    for name, side in CLIPS.items():
        yield name, lambda n=name: torchvision.models.get_model(n, weights=None), (1, 3, 16, side, side)
    for name, (make, shape) in OWN.items():
        yield name, make, shape


def main(folder, wanted):
    warnings.filterwarnings("ignore")
    os.makedirs(folder, exist_ok=True)
    for name, make, shape in networks():
        if wanted and name not in wanted:
            continue
        torch.manual_seed(1)
        try:
            network = make()
            with torch.no_grad():  # running statistics of its own input: activations keep a magnitude of about 1
                for module in network.modules():
                    if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm3d)):
                        module.momentum = 1.0
                network.train()(torch.randn(2, *shape[1:]))
            path = os.path.join(folder, f"{name}.onnx")
            torch.onnx.export(network.eval(), torch.randn(*shape), path, opset_version=16, input_names=["input"],
                              output_names=["output"])
            print(f"{name:32} {os.path.getsize(path) / 1e6:8.1f} MB", flush=True)
        except Exception as error:  # one that this version cannot export is named, and the others go on
            print(f"{name:32} {type(error).__name__}: {str(error).splitlines()[0]}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
