"""Whether the disk is full, whatever was being written."""

import errno


def is_disk_full(error: BaseException) -> bool:
    """Whether something could not be written because there, or for this user, is no room left."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
