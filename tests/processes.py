"""Processes for tests: forked from the warmed parent, because a fresh start costs ten seconds."""

import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable
from typing import Any


def skip_where_forks_fail() -> None:
    """Ends the test that asks: a fork cannot use the GPU, or OpenMP's threads, that its parent has used."""
    import pytest
    import torch

    if torch.cuda.is_available():
        pytest.skip("forks, which CUDA does not allow")
    if torch.get_num_threads() > 1:
        pytest.skip(
            "forks, whose first parallel loop would wait for threads that only the parent has"
        )


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def _child(
    function: Callable[[int], Any], rank: int, world: int, port: int, env: dict, pipe
) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(world),
        LOCAL_WORLD_SIZE=str(world),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        ACCELERATE_USE_CPU="true",
        **env,
    )
    try:
        import torch
        from accelerate.state import AcceleratorState, GradientState, PartialState

        torch.set_num_threads(1)
        for state in (PartialState, AcceleratorState, GradientState):
            state._reset_state() if hasattr(state, "_reset_state") else state._shared_state.clear()
        pipe.send(("ok", function(rank)))
    except BaseException:
        pipe.send(("failed", traceback.format_exc()))
    finally:
        pipe.close()
        os._exit(0)


def run_processes(
    function: Callable[[int], Any],
    world: int,
    *,
    env: dict[str, str] | None = None,
    seconds: float = 90,
) -> list[Any]:
    """Runs ``function(rank)`` in ``world`` forked processes joined over gloo; returns what they return."""
    skip_where_forks_fail()
    context = multiprocessing.get_context("fork")
    port, children = free_port(), []
    for rank in range(world):
        parent, child = context.Pipe(duplex=False)
        process = context.Process(
            target=_child, args=(function, rank, world, port, env or {}, child)
        )
        process.start()
        child.close()
        children.append((process, parent))
    results = []
    try:
        for rank, (_process, pipe) in enumerate(children):
            assert pipe.poll(seconds), f"process {rank} did not answer within {seconds} s"
            state, value = pipe.recv()
            assert state == "ok", f"process {rank}:\n{value}"
            results.append(value)
    finally:
        for process, _pipe in children:
            process.kill()
            process.join()
    return results
