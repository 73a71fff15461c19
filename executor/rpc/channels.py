"""Owns how a channel gets its connections: to every address, more under load, new ones for old ones.

Must not handle the calls themselves: `_native.channel` does, and says here when calls wait or a connection changed.

Nothing is remembered of what is to be done: `_tend` looks at what there is (addresses, connections, calls that wait)
and begins what is missing. It runs whenever something changed, and when something falls due.
"""

import asyncio
import logging
import math
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from executor import errors
from executor._native import channel, message, transport
from executor.rpc.places import CROWD, Crowd, Site, open_socket
from executor.rpc.resolve import Addresses, Place, Resolve, look_up, words_of
from executor.settings import MEBIBYTE, Address, ChannelSettings, Scheme, parse_target
from executor.types import Encoding, Method

log = logging.getLogger("millrace.rpc")

CONNECT_TIMEOUT_S = 5.0
PONG_S = 20.0
"""How long the answer to a PING may take."""
POLL_S = 0.002
SHORT_MAX = 8
"""Connections to one address where the peer allows too few calls on each."""
CONNECTIONS_MAX = 32
"""Connections of one channel, beyond one for each address."""


class Reported(NamedTuple):
    """One connection of a channel, or an address without any."""

    address: str
    state: str
    """ready, starting (no word of the peer yet), leaving; of an address: connecting, down."""
    streams: int
    age_s: float


class Channel:
    """Calls to one gRPC server: `Channel("host:port")` or `Channel("unix:/path")`, on the running event loop.

    It connects when the first call comes, to every address of the host, and stays connected from then on. While none
    can be reached, calls fail at once with UNAVAILABLE and the reason. `paths` says which RPC asks a plan's node for
    which method; a channel made without serves `call` alone. `node` is the plan's node that is reached, for messages.
    `tls` gives the context for each connection; None connects without TLS. `resolve` finds the addresses of the host.
    """

    def __init__(
        self,
        target: str | Address,
        *,
        reactor: transport.Reactor | None = None,
        paths: Mapping[Method, str] | None = None,
        encoding: Encoding = Encoding.SELDON_PROTO,
        max_message_bytes: int = 64 * MEBIBYTE,
        max_header_bytes: int = 64 * 1024,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        pong_s: float = PONG_S,
        node: str = "",
        tls: Callable[[], ssl.SSLContext] | None = None,
        settings: ChannelSettings | None = None,
        resolve: Resolve = look_up,
    ) -> None:
        self._address = parse_target(target) if isinstance(target, str) else target
        self.node = node
        self._label = f"node '{node}' at {self.target}" if node else self.target
        # Who asks without a plan is told by exceptions, and logs what it likes of them.
        self._loudest = logging.WARNING if node else logging.DEBUG
        self._settings = settings or ChannelSettings()
        self._own_reactor = reactor is None
        self._reactor = reactor or transport.Reactor()
        self._connect_timeout_s = connect_timeout_s
        self._tls = tls
        self._unix = self._address.scheme is Scheme.UNIX
        self._used = False
        self._closed = False
        self._sites: dict[Place, Site] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._last_error = ""
        self._told: set[str] = set()
        self._fresh = False
        self._crowd = Crowd()
        self._addresses = self._find(resolve)
        self.endpoint = channel.Channel(
            self._reactor,
            self._label,
            "localhost" if self._unix else self._address.authority,
            paths or {},
            encoding=int(encoding),
            max_message=max_message_bytes,
            max_header=max_header_bytes,
            active_max=self._settings.calls_max,
            waiting_max=self._settings.waiting_max,
            keepalive=self._settings.keepalive_s or 0.0,
            pong=pong_s,
            secure=tls is not None,
        )
        self.endpoint.on_change = self._changed
        self.endpoint.on_lost = self._lost

    @property
    def target(self) -> str:
        """Where it connects to: `host:port` or `unix:/path`."""
        return self._address.target

    def report(self) -> list[Reported]:
        """Its connections, and the addresses that have none."""
        now = time.monotonic()
        self._see()
        found = []
        for site in self._sites.values():
            found += [Reported(str(site), link.state, link.streams, now - link.born) for link in site.links.values()]
            if not site.links and site.listed:
                found.append(Reported(str(site), "down" if site.connecting is None else "connecting", 0, 0.0))
        return found

    async def call(
        self,
        path: str,
        request: message.Message,
        headers: Iterable[tuple[str, str]] = (),
        timeout_s: float | None = None,
    ) -> message.Message:
        """One unary RPC. Raises `errors.Error` with the server's status, DeadlineError when `timeout_s` is over."""
        deadline = time.monotonic() + timeout_s if timeout_s else 0.0
        ticket = self.endpoint.call(path, request, headers, deadline)
        try:
            async with asyncio.timeout(timeout_s):
                answer: message.Message = await ticket.future
                return answer
        except TimeoutError:
            raise errors.DeadlineError(f"{self.target}{path}: no answer within {timeout_s} s") from None
        finally:
            ticket.cancel()

    async def connect(self) -> None:
        """Connects now, if it is not connected, and waits for a server to speak.

        Raises `errors.NodeError` with the reason.
        """
        self._used = True
        self._addresses.backoff.reset()
        for site in self._sites.values():
            site.backoff.reset()
        self._tend()
        while not self.endpoint.ready and self._hopeful:  # noqa: ASYNC110 it is seen natively
            await asyncio.sleep(POLL_S)
        if not self.endpoint.ready:
            raise errors.NodeError(f"{self._label}: {self._last_error}")

    async def close(self) -> None:
        """Ends calls in flight and closes the connections."""
        self._closed = True
        self._addresses.close()
        if self._timer is not None:
            self._timer.cancel()
        tasks = [site.connecting for site in self._sites.values() if site.connecting is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self.endpoint.close()
        if self._own_reactor:
            self._reactor.close()

    def _find(self, resolve: Resolve) -> Addresses:
        if self._unix:
            return Addresses.only(Place(socket.AF_UNIX, self._address.path))
        every_s = self._settings.resolve_every_s
        host, port = self._address.host, self._address.port
        return Addresses(host, port, label=self._label, changed=self._looked, every_s=every_s, resolve=resolve)

    # --- what there is ----------------------------------------------------------------------------

    @property
    def _listed(self) -> list[Site]:
        return [site for site in self._sites.values() if site.listed]

    @property
    def _hopeful(self) -> bool:
        """Whether a call may yet be sent without another attempt being begun."""
        if self.endpoint.connections or any(site.connecting for site in self._sites.values()):
            return True
        return self._addresses.busy and not self._addresses.current

    @property
    def _wanted(self) -> bool:
        return self.endpoint.waiting > 0 and self.endpoint.active < self._settings.calls_max

    def _see(self) -> None:
        """Sites by the addresses there are now, each with its connections as they are now."""
        current = self._addresses.current
        for place in current:
            self._sites.setdefault(place, Site(place))
        for place, site in list(self._sites.items()):
            site.listed = place in current
            if not site.listed and not site.links and site.connecting is None:
                del self._sites[place]
        homes = {number: site for site in self._sites.values() for number in site.links}
        for number, state, streams in self.endpoint.links():
            if number in homes and homes[number].see(number, state, streams):
                self._addresses.refresh()

    def _looked(self) -> None:
        if self._addresses.problem and not self._addresses.current:
            self._last_error, self._fresh = f"cannot connect: {self._addresses.problem}", True
        self._tend()

    # --- what is to be done -----------------------------------------------------------------------

    def _changed(self) -> None:
        self._used = True
        self._tend()

    def _tend(self) -> None:
        if self._closed or not self._used:
            return
        if not self._addresses.current:
            self._addresses.refresh()
        now = time.monotonic()
        self._see()
        self._widen(now)
        wanted = self._wanted
        serving = any(site.ready for site in self._listed)
        if serving:
            self._told.clear()
        for site in list(self._sites.values()):
            if not serving:
                site.backoff.hurry(now)
            if site.lacks(now) and site.may_try(now, wanted):
                site.connecting = asyncio.get_running_loop().create_task(self._connect(site))
            self._retire(site, now, serving)
        self._steer()
        if self.endpoint.waiting and not self._hopeful:
            # Not here: who is refused may ask again at once, and the loop is to have its turn in between.
            asyncio.get_running_loop().call_soon(self._refuse)
        self._schedule(now)

    def _widen(self, now: float) -> None:
        """One more connection where streams ran short or a single address is under load, one less where it is not."""
        listed = self._listed
        if any(site.outlive(now) for site in listed):
            needed = math.ceil(self.endpoint.take_peak() / CROWD)
            for site in listed:
                site.narrow(needed)
        narrowest = self._narrowest()
        if narrowest is None:
            return
        if self._wanted:
            if narrowest.width < SHORT_MAX and sum(site.width for site in listed) < len(listed) + CONNECTIONS_MAX:
                narrowest.width += 1
        elif self._may_crowd(narrowest):
            streams, sent = min(link.streams for link in narrowest.ready), self.endpoint.sent
            if self._crowd.over(now, sent, streams):
                narrowest.width += 1
            elif streams > CROWD:
                self._crowd.watch(now, sent)

    def _narrowest(self) -> Site | None:
        """Where another connection would go: an address that works, and for which none is on its way."""
        full = [site for site in self._listed if len(site.ready) >= site.width and not site.pending]
        return min(full, key=lambda site: site.width, default=None)

    def _may_crowd(self, site: Site) -> bool:
        return not self._unix and len(self._addresses.current) == 1 and site.width < self._settings.connections

    def _retire(self, site: Site, now: float, serving: bool) -> None:
        if site.listed:
            ending = list(site.surplus(now))
        else:
            # What the host stood for before goes when there is something in its place.
            ending = [link for link in site.alive if serving]
        for link in ending:
            link.retired, link.state = True, "leaving"
            self.endpoint.retire(link.number)

    def _steer(self) -> None:
        site = self._narrowest()
        may_crowd = site is not None and self._may_crowd(site)
        may_grow = may_crowd or (site is not None and site.width < SHORT_MAX)
        watching = self._crowd.until < float("inf")
        # Without hope it is to be told of each call that waits: to refuse it.
        self.endpoint.steer(CROWD if may_crowd and not watching else 0, self._hopeful and not may_grow)

    def _schedule(self, now: float) -> None:
        """Comes back when the next address may be tried or the next connection is old."""
        listed = self._listed
        moments = [site.backoff.until for site in listed if site.lacks(now) and site.connecting is None]
        if self._crowd.until > now:
            moments.append(self._crowd.until)
        moments += [link.due for site in listed for link in site.alive if link.due > now]
        if self._timer is not None:
            self._timer.cancel()
        first = min(moments, default=float("inf"))
        if first < float("inf"):
            self._timer = asyncio.get_running_loop().call_later(max(0.0, first - now) + POLL_S, self._tend)

    # --- connecting -------------------------------------------------------------------------------

    async def _connect(self, site: Site) -> None:
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                sock = await open_socket(site.place)
            with sock:
                self._attach(site, sock)
        except TimeoutError:
            self._failed(site, f"no answer within {self._connect_timeout_s:g} s")
        except (OSError, ValueError) as error:
            self._failed(site, words_of(error))
        finally:
            site.connecting = None
        self._tend()

    def _attach(self, site: Site, sock: socket.socket) -> None:
        context = None if self._tls is None else self._tls()
        number = self.endpoint.attach(sock.fileno(), context, self._address.host or "localhost")
        sock.detach()
        if number in [each for each, _, _ in self.endpoint.links()]:
            site.began(number, None if self._unix else self._settings.max_age_s)
        else:
            self._failed(site, "at once", "connection lost")

    def _failed(self, site: Site, why: str, what: str = "cannot connect") -> None:
        several = len(self._addresses.current) > 1
        reason = f"{what} to {site}: {why}" if several and what == "cannot connect" else f"{what}: {why}"
        others = self.endpoint.ready > 0
        if reason != site.problem and site.reached:
            self._tell(reason)
        elif reason != site.problem and several:
            log.log(min(logging.INFO, self._loudest), "%s: %s", self._label, reason)
        site.failed(reason, others)
        self._last_error, self._fresh = reason, True
        self._addresses.refresh()

    def _lost(self, number: int, reason: str, was_ready: bool) -> None:
        site = next((site for site in self._sites.values() if number in site.links), None)
        if site is None or self._closed:
            return
        link = site.lost(number, was_ready)
        if link.retired:
            return
        if was_ready:
            self._addresses.refresh()
        else:
            # Connected, but not to anything that speaks HTTP/2: as good as not connected.
            self._failed(site, reason + self._guess(reason), "connection lost")

    def _guess(self, reason: str) -> str:
        """What a peer may be that ends connections before it has said anything, or says something else."""
        if self._tls is None and reason == "closed by the peer":
            return " before it said anything; does it want TLS?"
        return "; does it speak gRPC? A REST port does not" if "SETTINGS expected" in reason else ""

    def _refuse(self) -> None:
        """Fails the calls that wait, unless there is hope again."""
        if self._hopeful or self._closed:
            return
        self._tell(self._last_error)
        self.endpoint.refuse(self._last_error if self._fresh else f"{self._last_error} (trying again soon)")
        self._fresh = False

    def _tell(self, reason: str) -> None:
        """Logs why the server cannot be reached, once until it is."""
        if reason not in self._told:
            log.log(self._loudest, "%s: %s", self._label, reason)
            self._told.add(reason)
