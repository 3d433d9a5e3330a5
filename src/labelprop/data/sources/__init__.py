"""One file a kind of DATA; each registers with one line in `labelprop.core.registry.SOURCES`."""
