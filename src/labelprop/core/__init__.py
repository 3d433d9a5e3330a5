"""What every room uses: errors, value objects, the registry, progress, clocks, memory, cache, run folders."""
