"""How many requests a client may send: a bucket of tokens for each, that fills up again."""

from collections import OrderedDict

from attrs import define, field, frozen

from .errors import RequestError


class TooManyRequests(RequestError):
    """A client asks more often than it may; `retry_after_seconds` is when it may again."""

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


@frozen(kw_only=True)
class RateLimit:
    """So many requests a second in the long run, and so many at once; a rate of 0 is no limit."""

    rate: float
    burst: float


@define
class _Bucket:
    tokens: float
    filled_seconds: float


@define(kw_only=True)
class RequestRates:
    """Remembers how often each client asked; times are seconds of any clock that never goes back.

    It remembers `max_clients`, those that asked last. Who is forgotten begins with a full bucket.
    """

    limit: RateLimit
    max_clients: int = 4096
    _buckets: OrderedDict[str, _Bucket] = field(init=False, factory=OrderedDict)

    def take(self, client: str, now_seconds: float) -> None:
        """Count a request; raise `TooManyRequests` instead if the client may send none now."""
        if not self.limit.rate:
            return
        bucket = self._bucket(client, now_seconds)
        if bucket.tokens < 1:
            raise TooManyRequests(
                f"More than {self.limit.rate:g} requests a second come from this client"
                " (--max-request-rate); ask less often.",
                retry_after_seconds=(1 - bucket.tokens) / self.limit.rate,
            )
        bucket.tokens -= 1

    def _bucket(self, client: str, now_seconds: float) -> _Bucket:
        """Return the client's bucket, with all that has flown in until now."""
        bucket = self._buckets.pop(client, None) or _Bucket(self.limit.burst, now_seconds)
        new = (now_seconds - bucket.filled_seconds) * self.limit.rate
        bucket.tokens = min(self.limit.burst, bucket.tokens + max(0.0, new))
        bucket.filled_seconds = now_seconds
        self._buckets[client] = bucket
        if len(self._buckets) > self.max_clients:
            self._buckets.popitem(last=False)
        return bucket

    @property
    def clients(self) -> int:
        """Count the clients that are remembered."""
        return len(self._buckets)
