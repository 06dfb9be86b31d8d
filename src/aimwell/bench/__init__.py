"""The measured bars, one command each.

A bar is printed with its number and its limit whether or not it is met; nothing here can fail a
build, and nothing here is tuned on what it measures.
"""

from aimwell.bench.bars import BENCHES, Bar, BenchOptions, run_bench

__all__ = ["BENCHES", "Bar", "BenchOptions", "run_bench"]
