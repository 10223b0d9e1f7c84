"""photo-wct: the released variables computed as published, in float64 with eigendecompositions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from styleexport.core.code_layout import Blending
from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.images import array_from_image, read_image
from styleexport.core.psnr import psnr_db
from styleexport.models.networks import photo_wct
from styleexport.models.networks._open import open_network

ENCODERS = ("mobilenet", "vgg")
BUILD = photo_wct.NETWORK.build


class Published:
    """The release's forward, written from its variables: sides are multiples of 16."""

    def __init__(self, path):
        with np.load(path) as archive:
            self.values = {k: torch.from_numpy(archive[k]).double() for k in archive.files}
        self.mobilenet = any("se_model" in key for key in self.values)

    def conv(self, x, prefix, stride=1):
        alone = f"{prefix}/depthwise_kernel" in self.values
        kernel = self.values[f"{prefix}/depthwise_kernel" if alone else f"{prefix}/kernel"]
        weight = kernel.permute(2, 3, 0, 1) if alone else kernel.permute(3, 2, 0, 1)
        if weight.shape[2] == 3:
            x = F.pad(x, (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1), mode="reflect")
        bias = self.values[f"{prefix}/bias"]
        return F.conv2d(x, weight, bias, stride, groups=x.shape[1] if alone else 1)

    def encode(self, image):
        """Features and high frequencies of the four blocks."""
        features, skips, x = [], [], image
        for block in range(4):
            padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
            skips.append(x - F.avg_pool2d(padded, 3, stride=1))
            x = self.mobilenet_block(x, block) if self.mobilenet else self.vgg_block(x, block)
            features.append(x)
        return features, skips

    def mobilenet_block(self, x, block):
        first, last = ((0, 0), (1, 3), (4, 7), (8, 11))[block]
        x = 2 * x - 1 if block == 0 else x
        for layer in range(first, last + 1):
            prefix = f"sencoder/se_model/layer_with_weights-{layer}"
            x = F.relu(self.conv(x, prefix, 2 if layer == last else 1))
        return x

    def vgg_block(self, x, block):
        prefix = f"sencoder/btnecks/{block}/layer_with_weights-"
        if block == 0:
            return F.relu(self.conv(self.conv(x, f"{prefix}0"), f"{prefix}1"))
        last = 3 if block == 3 else 1
        for layer in range(last):
            x = F.relu(self.conv(x, f"{prefix}{layer}"))
        return F.relu(self.conv(F.max_pool2d(x, 2), f"{prefix}{last}"))

    def decode(self, x, block, skip):
        prefix = f"sdecoder/btnecks/{block}/layer_with_weights-"
        last = sum(key.startswith(prefix) for key in self.values) // 2 - 1
        x = doubled(x) if self.mobilenet else x
        for layer in range(last):
            x = F.relu(self.conv(x, f"{prefix}{layer}"))
            x = doubled(x) if layer == 0 and not self.mobilenet else x
        if block == 0:
            return self.conv(torch.cat([x, skip], 1), f"{prefix}0")
        return F.relu(self.conv(x + skip, f"{prefix}{last}"))

    def transfer(self, content, style):
        features, skips = self.encode(content)
        styles, _ = self.encode(style)
        x = features[3]
        for block in reversed(range(4)):
            x = self.decode(coloured(x, styles[block]), block, skips[block])
        return x


def doubled(x):
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def coloured(content, style):
    """(Ss + I)^(1/2) (Sc + I)^(-1/2) (x - mean) + style mean, by SVD."""
    moments = []
    for features, power in ((content, -0.5), (style, 0.5)):
        rows = features.flatten(2)
        mean = rows.mean(2, keepdim=True)
        covariance = (rows - mean) @ (rows - mean).mT / rows.shape[2]
        left, values, _ = torch.linalg.svd(covariance + torch.eye(rows.shape[1]).double())
        moments.append((mean, left * values[:, None, :] ** power @ left.mT, rows - mean))
    (_, white, centred), (mean, colour, _) = moments
    return (colour @ white @ centred + mean).reshape(content.shape)


def opened(data, encoder):
    path = data / "weights" / "pca_kd" / f"pca_kd_{encoder}.npz"
    return open_network("photo-wct", [path]).module, Published(path)


def picture(data, name, side=160):
    image = torch.from_numpy(array_from_image(read_image(data / "images" / "eval" / name)))
    return F.interpolate(image, (side - 32, side), mode="area")


@pytest.mark.parametrize(("encoder", "parameters"), [("mobilenet", 52_742), ("vgg", 283_236)])
def test_the_published_transfer_in_float64(encoder, parameters, data):
    network, published = opened(data, encoder)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert photo_wct.settings(network) == {"encoder": encoder}
    content = picture(data, "content/budgie_lake-sherburne.jpg")
    style = picture(data, "style/pd_vangogh_starry_night.jpg", 144)
    with torch.no_grad():
        made = network.transfer(content, network.encode(style), torch.ones(1)).clamp(0, 1)
        expected = published.transfer(content.double(), style.double()).clamp(0, 1)
    assert psnr_db(made.numpy(), expected.numpy(), 1.0) > 100


@pytest.mark.parametrize(("encoder", "least"), [("mobilenet", 28), ("vgg", 28)])
def test_strength_0_is_the_photograph_again(encoder, least, data):
    network, _ = opened(data, encoder)
    content = picture(data, "content/budgie_lake-sherburne.jpg", 320)
    style = picture(data, "style/pd_vangogh_starry_night.jpg")
    with torch.no_grad():
        again = network.transfer(content, network.encode(style), torch.zeros(1)).clamp(0, 1)
    assert psnr_db(again.numpy(), content.numpy(), 1.0) > least


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("size", [(45, 51), (33, 47), (32, 32)])
def test_sides_of_any_length_keep_it(encoder, size):
    torch.manual_seed(0)
    network = BUILD(encoder=encoder)
    with torch.no_grad():
        code = network.encode(torch.rand(1, 3, 37, 50))
        assert network.transfer(torch.rand(1, 3, *size), code, torch.ones(1)).shape[2:] == size


@pytest.mark.parametrize("encoder", ENCODERS)
def test_one_colour_as_content_or_style(encoder, data):
    """A content without covariance takes the style's means; a style without is one colour more."""
    network, _ = opened(data, encoder)
    grey, photo = torch.full((1, 3, 64, 64), 0.5), picture(data, "style/pd_hoitsu_flowers.jpg", 96)
    with torch.no_grad():
        for content, style in ((grey, photo), (photo, grey), (grey, grey)):
            painted = network.transfer(content, network.encode(style), torch.ones(1))
            assert bool(torch.isfinite(painted).all())
        painted = network.transfer(grey, network.encode(photo), torch.ones(1))
        assert float(painted[:, :, 24:40, 24:40].std(dim=(2, 3)).max()) < 1e-3


def test_a_blend_of_codes_is_linear_at_the_deepest_level():
    layout = BUILD().code_layout
    assert (layout.blending, layout.length) == (Blending.EXACT, 4866)
    assert str(layout.parts[0]) == "block4.mean [54]"
    assert BUILD(encoder="vgg").code_layout.length == 8112


@pytest.mark.parametrize("encoder", ENCODERS)
def test_weights_of_its_own_keys_say_which_encoder(encoder, tmp_path):
    state = BUILD(encoder=encoder).state_dict()
    save_file(state, tmp_path / "w.safetensors")
    again = photo_wct.read([tmp_path / "w.safetensors"])
    assert again.encoder_name == encoder
    assert all(torch.equal(value, state[key]) for key, value in again.state_dict().items())


def test_what_does_not_fit_is_named(data, tmp_path):
    with pytest.raises(UsageError, match="no encoder 'resnet': expected one of mobilenet, vgg"):
        BUILD(encoder="resnet")
    weights = data / "weights" / "pca_kd" / "pca_kd_vgg.npz"
    with pytest.raises(BadCheckpoint, match="one checkpoint file, got 2"):
        photo_wct.read([weights, weights])
    with np.load(weights) as archive:
        values = {key: archive[key] for key in archive.files if "sdecoder/btnecks/2" not in key}
    np.savez(tmp_path / "cut.npz", **values)
    with pytest.raises(
        BadCheckpoint, match=r"missing sdecoder/btnecks/2/layer_with_weights-0/kern"
    ):
        photo_wct.read([tmp_path / "cut.npz"])
    with pytest.raises(BadCheckpoint, match="photo-wct takes pca_kd_mobilenet"):
        photo_wct.read([data / "weights" / "cd16x" / "e4.pth"])
