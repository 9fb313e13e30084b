"""Who may join a search over the network, and what is sent."""

from __future__ import annotations

import os
import pickle
import queue
import socket
import struct
import threading
from contextlib import closing
from multiprocessing import AuthenticationError

import pytest

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.search import split_address
from jupyter_mltrain.engine.tuning.channel import Channel, write_piece
from jupyter_mltrain.engine.tuning.guests import Guests
from jupyter_mltrain.engine.tuning.host import versions

TOKEN = "a token that both sides know"


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def guests(tmp_path, monkeypatch):
    monkeypatch.setenv("MLTRAIN_TOKEN", TOKEN)
    (tmp_path / "large.npy").write_bytes(bytes(range(256)) * 2**13)
    (tmp_path / "empty.npy").touch()
    messages = queue.SimpleQueue()
    with Guests("127.0.0.1:0", b"parcel", tmp_path, messages) as guests:
        guests.messages = messages
        yield guests


def connected(guests):
    return socket.create_connection(("127.0.0.1", int(guests.invitation.rpartition(":")[2])), timeout=60)


def joined(guests, theirs):
    channel = Channel(connected(guests))
    channel.shake_hands(TOKEN, asks_first=False)
    channel.send("joins", "there", theirs)
    return closing(channel)


def test_nothing_is_read_of_those_who_do_not_know_the_token(guests, tmp_path):
    bomb = pickle.dumps(Bomb(tmp_path / "exploded"))
    with connected(guests) as stranger:
        stranger.sendall(struct.pack("!i", len(bomb)) + bomb)
        while stranger.recv(1024):
            pass
    with closing(Channel(connected(guests))) as channel, pytest.raises((AuthenticationError, EOFError, OSError)):
        channel.shake_hands("another token", asks_first=False)
    assert not (tmp_path / "exploded").exists()
    assert guests.messages.empty()


def test_whoever_joins_gets_what_it_lacks_and_what_it_sends_arrives(guests, tmp_path):
    with joined(guests, versions()) as channel:
        hello, parcel, names = channel.receive()
        assert (hello, parcel, sorted(names)) == ("hello", b"parcel", ["empty.npy", "large.npy"])
        channel.send("wants", ["large.npy", "empty.npy"])
        while (message := channel.receive())[0] == "file":
            write_piece(tmp_path / "there", *message[1:])
        for name in ("large.npy", "empty.npy"):
            assert (tmp_path / "there" / name).read_bytes() == (tmp_path / name).read_bytes()
        channel.send("ready")
        guest, message = guests.messages.get(timeout=60)
        assert (guest.name, message) == ("there", ("joined",))
        channel.send("text", "stdout", "trains")
        assert guests.messages.get(timeout=60) == (guest, ("text", "stdout", "trains"))
    assert guests.messages.get(timeout=60) == (guest, ("left",))


def test_other_versions_are_refused_and_named(guests):
    with joined(guests, {**versions(), "keras": "2.0"}) as channel:
        reason, why = channel.receive()
    assert reason == "refused"
    assert f"received keras 2.0 for {versions()['keras']}" in why
    assert guests.messages.get(timeout=60)[1] == ("refused", why)


def test_they_are_told_that_the_search_is_over(guests):
    with joined(guests, versions()) as channel:
        channel.receive()
        channel.send("wants", [])
        channel.receive()
        channel.send("ready")
        guests.messages.get(timeout=60)
        address = channel._endpoint.getpeername()
        end = threading.Thread(target=guests.__exit__)
        end.start()
        assert channel.receive() == ("over",)
    end.join()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_no_file_is_written_elsewhere(tmp_path):
    with pytest.raises(ValueError, match="in a folder"):
        write_piece(tmp_path / "inside", "../outside", 0, b"")
    assert not (tmp_path / "outside").exists()


def test_a_token_that_can_be_guessed_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("MLTRAIN_TOKEN", "guess")
    with pytest.raises(OptionError, match="at least 16 characters, received 5"):
        Guests("127.0.0.1:0", b"", tmp_path, queue.SimpleQueue())


@pytest.mark.parametrize("address", ["host", "host:", ":5050", "host:70000", "::1:5050", "host:50 50"])
def test_what_is_no_address(address):
    with pytest.raises(OptionError, match="HOST:PORT"):
        split_address(address)


def test_addresses():
    assert split_address("[::1]:5050") == ("::1", 5050)
    assert split_address("0.0.0.0:0") == ("0.0.0.0", 0)
