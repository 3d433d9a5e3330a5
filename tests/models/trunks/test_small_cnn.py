from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F

from labelprop.core.errors import RequestError
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import Views
from labelprop.models.network import ModelSpec, build
from labelprop.models.trunks.small_cnn import SmallCnn


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (12, 9), (28, 28), (32, 32), (64, 64)])
def test_any_small_image_gives_128_features_from_a_map_of_several_pixels(channels, size):
    trunk = SmallCnn((channels, *size))
    maps = []
    trunk.layers.register_forward_hook(lambda _m, _i, out: maps.append(out.shape[2:]))
    assert trunk(torch.zeros(2, channels, *size)).shape == (2, 128)
    assert 2 <= min(maps[0]) <= 8


def test_too_small_is_refused():
    with pytest.raises(RequestError, match="'small_cnn' takes images of 8 pixels or more, not 6x9"):
        SmallCnn((1, 6, 9))


def test_learns_digits_from_ten_labels_a_class():
    """Labels only, 250 steps; 0.92 to 0.97 by which labels were drawn."""
    digits = load_digits()
    images = torch.from_numpy((digits.images * 255 / 16).round().astype("uint8"))[:, None]
    truth = torch.from_numpy(digits.target)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(truth), generator=generator)
    given = torch.cat([order[truth[order] == c][:10] for c in range(10)])
    network = build(ModelSpec("small_cnn", (1, 8, 8), {"class": 10}), seed=0)
    views = Views(Preprocessing("image", (1, 8, 8), (0.305,), (0.376,)), "shift")
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 250)
    for _ in range(250):
        batch = given[torch.randint(100, (50,), generator=generator)]
        loss = F.cross_entropy(network(views.make("weak", images[batch], generator))["class"], truth[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        found = network(views.make("eval", images, generator))["class"].argmax(1)
    hidden = torch.ones(len(truth), dtype=torch.bool)
    hidden[given] = False
    assert (found == truth)[hidden].float().mean() > 0.92
