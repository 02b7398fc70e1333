"""Locks on open files. They go with the process, however that ends."""

import fcntl


def hold(number: int, *, shared: bool = False, wait: bool = False) -> bool:
    """Locks an open file; False where another process holds it.

    Args:
        number: Its descriptor; closing it gives the lock back.
        shared: Several may hold it at once.
        wait: Until it is free, in place of False.

    Raises:
        OSError: the file system knows no locks.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(number, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
