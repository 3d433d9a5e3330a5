"""A backbone: a network for images by name. `labelprop train photos/ --model 'conv_mixer(width=64)' ...`."""

from torch import nn

from labelprop.models import Entry, Trunk, require_image


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class ConvMixer(Trunk):
    """Patches, mixed over pixels and over channels in turn (Trockman and Kolter 2022)."""

    def __init__(self, input_shape, *, width=32, depth=4, patch=2, kernel=5):
        super().__init__()
        self.feature_dim, channels = width, require_image("conv_mixer", input_shape, smallest=8)[0]
        layers = [nn.Conv2d(channels, width, patch, stride=patch), nn.GELU(), nn.BatchNorm2d(width)]
        for _ in range(depth):
            over_pixels = nn.Conv2d(width, width, kernel, groups=width, padding="same")
            layers += [Residual(over_pixels, nn.GELU(), nn.BatchNorm2d(width))]
            layers += [nn.Conv2d(width, width, 1), nn.GELU(), nn.BatchNorm2d(width)]
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x):
        return self.layers(x)


entry = Entry("backbone:ConvMixer", "ConvMixer, for images of 8 pixels or more.")
