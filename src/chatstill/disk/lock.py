"""Locks on open files. They go with the process, however that ends."""


def hold(number: int, *, wait: bool = False) -> bool:
    """Locks an open file; False where another process holds it.

    Args:
        number: Its descriptor; closing it gives the lock back.
        wait: Until it is free, in place of False.

    Raises:
        OSError: the file system knows no locks.
    """
    from filelock import lock_descriptor

    return lock_descriptor(number, blocking=wait)
