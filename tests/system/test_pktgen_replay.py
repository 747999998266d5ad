# SPDX-License-Identifier: Apache-2.0
"""`sluice-pktgen replay` sends a capture as it was recorded, or as fast as it is told, byte for byte."""
import json
import struct

import pytest

from pktgen import client_of, ended, interrupted, measured, reflector, scratch

FRAMES = [bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5]) + bytes([i]) * (46 + 13 * i) for i in range(100)]


def capture_write(path, gap_us, nanoseconds=False):
    """A pcap file of FRAMES, one every `gap_us`."""
    unit = 1000 if nanoseconds else 1
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b23c4d if nanoseconds else 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, frame in enumerate(FRAMES):
            at = 1700000000000000 + i * gap_us
            out.write(struct.pack("<IIII", at // 1000000, at % 1000000 * unit, len(frame), len(frame)) + frame)


def capture_read(path):
    data, at, frames = path.read_bytes(), 24, []
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return frames


@pytest.fixture
def directory():
    with scratch() as path:
        yield path


def test_every_byte_goes_out_in_order(directory):
    capture_write(directory / "in.pcap", 100)
    capture_write(directory / "none.pcap", 100)
    sent = measured("replay", "-p", f"pcap:{directory}/none.pcap,{directory}/out.pcap", directory / "in.pcap",
                    "-r", "1kpps", "--loop", "3")
    assert sent["sent"] == 300
    assert capture_read(directory / "out.pcap") == FRAMES * 3


@pytest.mark.parametrize("nanoseconds", [False, True])
def test_recorded_times_are_kept_and_may_be_shortened(directory, nanoseconds):
    capture_write(directory / "in.pcap", 8000, nanoseconds)
    slow = measured("replay", "-p", "ring:a", directory / "in.pcap")
    fast = measured("replay", "-p", "ring:a", directory / "in.pcap", "--speed", "4")
    assert slow["sent"] == slow["received"] == fast["sent"] == len(FRAMES)
    assert 0.792 <= slow["seconds"] < 1.2
    assert 0.198 <= fast["seconds"] < 0.5


def test_rate_is_kept_over_memif_and_what_comes_back_is_counted(directory):
    capture_write(directory / "in.pcap", 1)
    socket = directory / "a.sock"
    with reflector(socket, "--duplicate", "2") as device:
        sent = measured("replay", *client_of(socket), directory / "in.pcap", "-r", "1kpps", "--loop", "10")
        planted = ended(device)
    assert sent["sent"] == planted["received"] == 1000
    assert sent["received"] == 1000 + planted["duplicated"] and planted["duplicated"] > 300
    assert 0.97 < sent["seconds"] < 1.5


def test_ctrl_c_ends_an_endless_loop_with_its_numbers(directory):
    capture_write(directory / "in.pcap", 1000)
    status, out, err = interrupted(1.2, "replay", "-p", "ring:a", directory / "in.pcap", "--loop", "0", "-j")
    assert status == 0, err
    assert json.loads(out)["sent"] > 100
