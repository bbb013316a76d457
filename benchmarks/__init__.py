"""Benchmarks: arcgrad beside the libraries that people use today. Run ``python -m benchmarks`` (docs/benchmarks.md)."""
