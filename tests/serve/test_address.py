"""Addresses that a server may have, and the names that requests may use."""

import pytest

from unveil.serve.address import ServedAddress, check_address
from unveil.serve.refusals import ServeError


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.3.2.1"])
def test_this_machine_needs_no_token(host):
    check_address(host, (), has_token=False)
    assert ServedAddress(host).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7"])
def test_other_addresses_need_a_token(host):
    with pytest.raises(ServeError, match="--token-file"):
        check_address(host, (), has_token=False)
    check_address(host, (), has_token=True)


@pytest.mark.parametrize("host", ["", "example.org", "127.1", "localhost.", "127.0.0.1:80", "[::1]", "\x1b[31m"])
def test_other_texts_are_no_addresses(host):
    with pytest.raises(ServeError, match="IP address"):
        check_address(host, (), has_token=True)


@pytest.mark.parametrize("name", ["", "a b", "evil.example:80", "*.example", "-a", "a.", "Ä", "a" * 64, "a/b", "A.org"])
def test_other_texts_are_no_names(name):
    with pytest.raises(ServeError, match="host name"):
        check_address("127.0.0.1", ("good.example", name), has_token=True)


def test_origins_and_hosts():
    assert ServedAddress("::1", 9).origin == "http://[::1]:9"
    assert ServedAddress("0.0.0.0", 9, ("lab.example",)).origin == "http://lab.example:9"
    assert ServedAddress("127.0.0.1", 80).origin == "http://127.0.0.1"
    assert ServedAddress("192.0.2.7", 9).hosts == {"192.0.2.7:9"}
    assert ServedAddress("192.0.2.7", 9, ("lab.example",)).hosts == {"192.0.2.7:9", "lab.example:9"}
    assert "0.0.0.0:9" not in ServedAddress("0.0.0.0", 9).hosts
    assert "localhost" in ServedAddress(port=80).hosts
    assert "localhost:80" in ServedAddress(port=80).hosts
