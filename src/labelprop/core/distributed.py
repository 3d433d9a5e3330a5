"""Several processes train together: their ranks, what they exchange, and how they start.

Each process drives one device; a group of one exchanges nothing. `launch` starts processes on this machine, torchrun
on one machine or several. Both set the same environment variables.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import distributed, multiprocessing
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, spawn

from labelprop.core.errors import LabelpropError, RequestError, WorkError
from labelprop.core.progress import Reporter, Silent

LISTEN_S = 0.1  # between checks for messages of the processes


@dataclass(frozen=True, slots=True)
class Group:
    """This process's rank in a training. All processes must make the same exchanges in the same order."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0

    def bounds(self, n: int) -> list[int]:
        """First row of each process's part of `n` rows, then `n` itself (size + 1,)."""
        return [n * rank // self.size for rank in range(self.size + 1)]

    def counts(self, n: int) -> list[int]:
        """Number of rows in each process's part of `n` rows."""
        return [stop - start for start, stop in pairwise(self.bounds(n))]

    def part(self, n: int) -> slice:
        """The rows of this process."""
        bounds = self.bounds(n)
        return slice(bounds[self.rank], bounds[self.rank + 1])

    def parts(self, part: torch.Tensor) -> list[torch.Tensor]:
        """The same tensor of every process, in order of rank; all shapes agree."""
        if self.size == 1:
            return [part]
        parts = [torch.empty_like(part, memory_format=torch.contiguous_format) for _ in range(self.size)]
        distributed.all_gather(parts, part.contiguous())
        return parts

    def rows(self, parts: Mapping[str, torch.Tensor], counts: Sequence[int] | None = None) -> dict[str, torch.Tensor]:
        """Each tensor joined over the processes along its rows, by one exchange of bytes for all types.

        `counts` are the rows that each process holds; None where all hold equally many.
        """
        if self.size == 1 or not parts:
            return dict(parts)
        n = len(next(iter(parts.values())))
        counts = [n] * self.size if counts is None else counts
        # (B, bytes of a row) each; flattened behind an axis of 1, since a part may have no rows, and rows one number
        bytes_of = {name: part[:, None].flatten(1).contiguous().view(torch.uint8) for name, part in parts.items()}
        packed_BX = torch.cat(list(bytes_of.values()), dim=1)
        padded_BX = packed_BX.new_zeros(max(counts), packed_BX.shape[1])
        padded_BX[:n] = packed_BX
        received = [part[:count] for part, count in zip(self.parts(padded_BX), counts, strict=True)]
        columns = torch.split(torch.cat(received), [part.shape[1] for part in bytes_of.values()], dim=1)
        return {
            name: column.contiguous().view(part.dtype).reshape(len(column), *part.shape[1:])
            for (name, part), column in zip(parts.items(), columns, strict=True)
        }

    def mean_(self, tensors: Iterable[torch.Tensor]) -> None:
        """Each tensor becomes its mean over the processes."""
        if self.size > 1:
            for tensor in tensors:
                distributed.all_reduce(tensor)
                tensor.div_(self.size)

    def first_(self, tensors: Iterable[torch.Tensor]) -> None:
        """Each tensor takes the leading process's values."""
        if self.size > 1:
            for tensor in tensors:
                distributed.broadcast(tensor.view(torch.uint8) if tensor.dtype == torch.bool else tensor, src=0)

    def first(self, value: Any) -> Any:
        """The leading process's value."""
        if self.size == 1:
            return value
        carrier = [value]
        distributed.broadcast_object_list(carrier, src=0)
        return carrier[0]


SOLO = Group()


def local_rank() -> int:
    """Which of the processes of this machine this one is."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def leave() -> None:
    """Closes the process group of one training; another may follow."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def this_machine() -> tuple[int, int]:
    """How many processes each machine has, and how many machines there are."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return here, int(os.environ.get("WORLD_SIZE", "1")) // here


# -- starting processes on this machine -----------------------------------------------------------------------


class Relay:
    """A reporter that sends its messages to the process that started this one."""

    def __init__(self, send: Callable[[tuple[str, Any]], None]) -> None:
        self._send, self._parent = send, os.getppid()

    def say(self, text: str) -> None:
        self._send(("say", text))

    def advance(self, stage: str, done: float, total: float) -> None:
        if os.getppid() != self._parent:  # it was killed: end too, since a resumed run needs the folder
            os._exit(1)
        self._send(("advance", (stage, done, total)))


def launch(size: int, work: Callable[..., Any], *args: Any, reporter: Reporter | None = None) -> Any:
    """Runs `work(*args, reporter)` in `size` new processes of this machine; returns what the first one returns.

    `work` and all that goes in and out must be picklable. `reporter` gets the first process's progress. Raises the
    LabelpropError that any of them raises, WorkError where one dies; the others are then stopped. Scripts that come
    here need the usual `if __name__ == "__main__":`, since processes are spawned.
    """
    messages: Any = multiprocessing.get_context("spawn").SimpleQueue()
    shared = (_environment(size), max(1, torch.get_num_threads() // size), messages, work, args)
    try:
        processes = spawn(_run, shared, size, join=False, daemon=True)  # type: ignore[no-untyped-call]
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise RequestError(
            f"what is trained on several devices is handed to other processes, and this cannot be: {error}. "
            "Give files, arrays, or functions that a module names."
        ) from error
    try:
        return _listen(processes, messages, reporter or Silent())
    finally:
        for process in processes.processes:
            process.terminate()
            process.join()


def _environment(size: int) -> dict[str, str]:
    """The environment that torchrun would set, without the ranks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "labelprop",
        "GLOO_SOCKET_IFNAME": "lo",  # all on this machine
    }


def _run(
    rank: int, shared: Mapping[str, str], threads: int, messages: Any, work: Callable[..., Any], args: Sequence[Any]
) -> None:
    """Does one process's work and sends its result or error. Only the first process reports progress."""
    os.environ.update(shared, RANK=str(rank), LOCAL_RANK=str(rank))
    torch.set_num_threads(threads)
    send = messages.put if rank == 0 else lambda message: None
    warnings.showwarning = lambda message, *_, **__: send(("warning", str(message)))
    try:
        send(("done", work(*args, Relay(send))))
    except LabelpropError as error:
        messages.put(("refused", (error.exit_status, str(error))))
        raise
    finally:
        leave()


def _listen(processes: Any, messages: Any, reporter: Reporter) -> Any:
    """Passes reports on until the first process is done, or one has failed."""
    logging.getLogger(spawn.__module__).setLevel(logging.ERROR)  # it would warn of every process it ends
    failure: BaseException | None = None
    while True:
        try:
            over = processes.join(timeout=LISTEN_S)
        except (ProcessRaisedException, ProcessExitedException) as error:
            over, failure = True, error
        while not messages.empty():
            kind, content = messages.get()
            if kind == "done":
                return content
            if kind == "say":
                reporter.say(content)
            elif kind == "advance":
                reporter.advance(*content)
            elif kind == "warning":
                warnings.warn(content, stacklevel=3)
            else:
                raise (RequestError if content[0] == RequestError.exit_status else WorkError)(content[1])
        if over:
            raise _died(processes.processes, failure)


def _died(processes: Sequence[Any], failure: BaseException | None) -> Exception:
    """Raises for a process that died. The others then fail too, and one of their failures may be seen first."""
    for rank, process in enumerate(processes):
        if process.exitcode not in (0, 1, -signal.SIGTERM):  # it neither ended nor raised nor was ended by us
            return WorkError(
                f"process {rank + 1} of {len(processes)} was killed or ran out of memory; "
                "what was finished is saved; train goes on with --resume, bench by itself."
            )
    return RuntimeError(f"a process failed: {failure or 'it was interrupted'}")
