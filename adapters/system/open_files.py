"""How many files, and so connections, this process may have open."""

import resource

WANTED = 65_536


def allow_many_files() -> int:
    """Raise the limit to `WANTED`, or as far as is allowed; return what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft
