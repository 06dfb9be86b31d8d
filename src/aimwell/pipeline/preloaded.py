"""What every unit of work needs, loaded: a server imports this before it forks workers.

They share the memory of it with each other and start in milliseconds.
"""

import atexit
import gc
import os

import torch

import aimwell.pipeline.workers  # noqa: F401
from aimwell.served import SERVING, loaded


def load_optimisers() -> None:
    """Take a step with each: the first one of a process loads a compiler, which takes a second.

    No gradient is worked out: the engine of gradients may not be used before a fork.
    """
    parameter = torch.nn.Parameter(torch.zeros(1))
    for kind in (torch.optim.AdamW, torch.optim.SGD):
        optimiser = kind([parameter], lr=1e-3)
        optimiser.zero_grad()
        parameter.grad = torch.zeros(1)
        optimiser.step()


if SERVING:
    load_optimisers()
    # nothing of this is garbage, and to look for some in it would copy it for every worker
    gc.collect()
    gc.freeze()
    # what waits for its output waits for its end, and to take all this apart takes a second
    atexit.register(os._exit, 0)
    loaded()
