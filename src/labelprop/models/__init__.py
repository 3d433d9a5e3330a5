"""Networks: trunks by name (`small_cnn`, `conv13`, `preact_resnet18`, ...), adapters, and the heads on top."""
