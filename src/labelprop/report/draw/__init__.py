"""Pictures: charts, maps, thumbnails."""
