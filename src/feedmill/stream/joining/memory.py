"""The memory of a joiner: what waits or is remembered, how it is found, and when it is forgotten."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence

from feedmill.domain.clock import HOUR
from feedmill.stream.catalog.columns import Catalog
from feedmill.stream.joining.config import JoinConfig
from feedmill.stream.joining.disk import Disk, Pair
from feedmill.stream.joining.remembered import Early, Impression, Page


class Memory:
    """Pages, impressions and early actions, all in the order in which they came, which is the order in which they go.

    An impression is open until its windows are over, one after the other, and closed from then on. Pages and closed
    impressions beyond a bound are on disk, up to a bound of their own.
    """

    def __init__(self, config: JoinConfig, windows: Sequence[int], disk: Disk, catalog: Catalog) -> None:
        """`windows` in milliseconds, the shortest first."""
        self._windows = windows
        self._late = round(config.late_hours * HOUR)
        self._config = config
        self._catalog = catalog
        self.disk = disk
        self._of_stage: list[deque[Impression]] = [deque() for _ in range(len(windows) + 1)]
        # A plain dict finds its oldest entry by going over all that were deleted before it.
        self.pages: OrderedDict[str, Page] = OrderedDict()
        """Those in memory, by request id."""
        self._early: deque[Early] = deque()
        self._of_request: dict[tuple[str, int, int], Impression] = {}
        self._of_pair: dict[tuple[int, int], Impression] = {}
        self._early_of_pair: dict[tuple[int, int], list[Early]] = {}
        self.pages_dropped = 0
        self.impressions_dropped = 0

    @property
    def waiting(self) -> int:
        """Impressions of which a window is open."""
        return sum(map(len, self._of_stage[:-1]))

    @property
    def has_rows(self) -> bool:
        """Whether anything but pages is remembered."""
        return bool(self._early) or any(self._of_stage) or self.disk.impressions > 0

    def impressions(self) -> list[Impression]:
        """Those in memory, the oldest first."""
        return [impression for stage in reversed(self._of_stage) for impression in stage]

    def early(self) -> list[Early]:
        """The actions that still wait for their impression, the oldest first."""
        return [early for early in self._early if not early.taken]

    def of_request(self, request_id: str, user: int, item: int) -> Impression | None:
        """The impression of an item for a user under a request id; without one there is none."""
        found = self._of_request.get((request_id, user, item))
        return self._on_disk(user, item, request_id) if found is None and request_id else found

    def of_pair(self, user: int, item: int) -> Impression | None:
        """The last impression of an item for a user."""
        found = self._of_pair.get((user, item))
        return self._on_disk(user, item) if found is None else found

    def page(self, request_id: str) -> Page | None:
        """The page of a request."""
        found = self.pages.get(request_id)
        return self.disk.find_page(request_id) if found is None and self.disk.pages else found

    def early_of_pair(self, user: int, item: int) -> Sequence[Early]:
        """The actions of a user on an item that wait for an impression."""
        return self._early_of_pair.get((user, item), ())

    def add(self, impression: Impression) -> None:
        if impression.request_id:
            self._of_request[impression.request_id, impression.user, impression.item] = impression
        self._of_pair[impression.user, impression.item] = impression
        self._of_stage[impression.closed].append(impression)

    def add_page(self, request_id: str, page: Page) -> None:
        """In place of any of the same request."""
        self.pages.pop(request_id, None)
        self.pages[request_id] = page
        if len(self.pages) > self._config.pages:
            oldest = self.pages.popitem(last=False)
            if self._config.disk_pages:
                self.disk.add_page(*oldest)
            if self.disk.pages > self._config.disk_pages or not self._config.disk_pages:
                self.pages_dropped += 1
            if self.disk.pages > self._config.disk_pages:
                self.disk.forget_page()

    def add_early(self, early: Early) -> None:
        self._early.append(early)
        self._early_of_pair.setdefault((early.user, early.item), []).append(early)

    def take_early(self, impression: Impression) -> list[Early]:
        """The actions that waited for this impression, and now no longer do."""
        pair = impression.user, impression.item
        waiting = self._early_of_pair.pop(pair, [])
        for early in waiting:
            early.taken = early.waits_for(impression)
        later = [early for early in waiting if not early.taken]
        if later:
            self._early_of_pair[pair] = later
        return [early for early in waiting if early.taken]

    def close(self, watermark: int) -> Iterator[Impression]:
        """Impressions each time that a window of theirs is over, the shortest window first; `closed` counts it."""
        for stage, length in enumerate(self._windows):
            waiting = self._of_stage[stage]
            while waiting and waiting[0].opened <= watermark - length:
                impression = waiting.popleft()
                impression.closed = stage + 1
                self._of_stage[stage + 1].append(impression)
                yield impression

    def forget(self, watermark: int) -> None:
        """What need no longer be remembered."""
        last = watermark - self._windows[-1]
        end = last - self._late
        while self._early and self._early[0].opened <= last:
            self._forget_early(self._early.popleft())
        closed, disk = self._of_stage[-1], self.disk
        while disk.impressions and disk.oldest() <= end:
            disk.forget()
        while closed and closed[0].opened <= end:
            self._forget(closed.popleft())
        while len(closed) + disk.impressions > self._config.impressions + self._config.disk_impressions:
            if disk.impressions:
                disk.forget()
            else:
                self._forget(closed.popleft())
            self.impressions_dropped += 1
        while disk.pages and disk.oldest_page() <= end:
            disk.forget_page()
        while self.pages:
            request_id, page = next(iter(self.pages.items()))
            if page.opened > end:
                break
            del self.pages[request_id]

    def overflow(self) -> None:
        """Take to disk what is too much for the memory. What is found, and what is forgotten, stays the same."""
        closed = self._of_stage[-1]
        over = [closed.popleft() for _ in range(len(closed) - self._config.impressions)]
        if over:
            self.disk.add((self._pair(one.user, one.item) for one in over), over)
            for impression in over:
                self._forget(impression)

    def changed(self, impression: Impression) -> None:
        """Tell what has been changed of an impression that was found."""
        if impression.place:
            self.disk.change(self._pair(impression.user, impression.item), impression)

    def _on_disk(self, user: int, item: int, request_id: str | None = None) -> Impression | None:
        # Who is not in the catalog has no impressions, and a negative ordinal.
        if not self.disk.impressions or user < 0 or item < 0:
            return None
        return self.disk.find(user, item, self._pair(user, item), request_id)

    def _pair(self, user: int, item: int) -> Pair:
        return int(self._catalog.users.keys[user]), int(self._catalog.items.keys[item])

    def _forget_early(self, early: Early) -> None:
        if early.taken:
            return
        pair = early.user, early.item
        self._early_of_pair[pair].remove(early)
        if not self._early_of_pair[pair]:
            del self._early_of_pair[pair]

    def _forget(self, impression: Impression) -> None:
        self._of_request.pop((impression.request_id, impression.user, impression.item), None)
        pair = impression.user, impression.item
        if self._of_pair.get(pair) is impression:
            del self._of_pair[pair]
