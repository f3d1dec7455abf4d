"""The address of a server, and the names by which requests may call it."""

import ipaddress
import re
from dataclasses import dataclass

from unveil.serve.refusals import ServeError

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


@dataclass(frozen=True)
class ServedAddress:
    """The address of a server.

    Attributes:
        host: The IP address that it listens on, or `localhost`.
        port: The port.
        names: Further host names of the machine that requests may use.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    names: tuple[str, ...] = ()

    @property
    def is_loopback(self) -> bool:
        """True if only this machine can reach the address."""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback

    @property
    def name(self) -> str:
        """The name for links: the first of the user's names, or the address itself."""
        if self.names:
            return self.names[0]
        return "127.0.0.1" if self._is_any else _bracketed(self.host)

    @property
    def origin(self) -> str:
        """The origin of the page, for links.

        >>> ServedAddress().origin
        'http://127.0.0.1:8765'
        """
        return f"http://{self.name}{'' if self.port == 80 else f':{self.port}'}"

    @property
    def hosts(self) -> frozenset[str]:
        """The `Host` headers, in lower case, that belong to this server; whatever else is refused.

        >>> sorted(ServedAddress(port=80).hosts)[0], len(ServedAddress().hosts)
        ('127.0.0.1', 3)
        """
        names = {*self.names, *LOOPBACK_NAMES} if self.is_loopback or self._is_any else {*self.names}
        if not self._is_any:
            names.add(_bracketed(self.host))
        with_port = {f"{name}:{self.port}" for name in names}
        return frozenset(with_port | (names if self.port == 80 else set()))

    @property
    def _is_any(self) -> bool:
        return self.host != "localhost" and ipaddress.ip_address(self.host).is_unspecified


def check_address(host: str, names: tuple[str, ...], *, has_token: bool) -> None:
    """Raise `ServeError` for a host that isn't an IP address, for names that aren't host names, and for an address
    other than loopback without a token of the user's own.
    """
    if host != "localhost":
        try:
            ipaddress.ip_address(host)
        except ValueError as error:
            got = repr(host)[:60]
            raise ServeError(
                "--host with an IP address, or localhost", got, "127.0.0.1 is this machine only"
            ) from error
    for name in names:
        if len(name) > 253 or _NAME.fullmatch(name) is None:
            do = "give a name such as lab.example.org, in lower case and without a port"
            raise ServeError("--host-name with a host name", repr(name)[:60], do)
    if not ServedAddress(host).is_loopback and not has_token:
        got = f"{host}, which other machines can reach, and none"
        raise ServeError("a token of your own for that address", got, "give --token-file, or leave out --host")


def _bracketed(host: str) -> str:
    return f"[{ipaddress.IPv6Address(host)}]" if ":" in host else host
