"""Speed beside peers, as ratios: `python -m benchmarks`."""
