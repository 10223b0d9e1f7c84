"""What a measurement was made on, on systems that are not this one too."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil
import pytest

from styleexport.runtime_bench.contract.latency import MachineFact, StateFact
from styleexport.runtime_bench.machine import environment
from styleexport.runtime_bench.machine.host import Host

X86 = """processor\t: 0
model name\t: Xeon Example
flags\t\t: fpu avx2 avx512f avx512_vnni amx_int8 amx_bf16 ht

processor\t: 1
model name\t: another
flags\t\t: fpu
"""
ARM = """processor\t: 0
Features\t: fp asimd asimddp i8mm sve
CPU implementer\t: 0x41
CPU part\t: 0xd0b
"""
SMI = "nvidia-smi --query-gpu=name,driver_version --format=csv,noheader"
APPLE = {
    "sysctl -n machdep.cpu.brand_string": "Apple M2",
    "sysctl -n hw.model": "Mac14,2",
    "sysctl hw.optional": "hw.optional.neon: 1\nhw.optional.arm.FEAT_I8MM: 1\nhw.optional.x: 0",
    "pmset -g": "System-wide power settings:\n lowpowermode         1\n sleep 0",
}


@dataclass(frozen=True)
class Told(Host):
    """A host whose programs print what a test says."""

    prints: dict[str, str] = field(default_factory=dict)

    def command_output(self, *command: str) -> str | None:
        return self.prints.get(" ".join(command))


def linux(root: Path, files: dict[str, str], machine: str = "x86_64", **prints: str) -> Told:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Told("Linux", machine, root, {SMI: prints.get("nvidia", "")})


def test_this_machine_is_described_and_fits_the_report():
    found = environment.machine()
    assert found.cores >= 1
    assert found.memory_bytes > 10**8
    assert {"python", "numpy", "onnxruntime", "torch"} <= set(found.versions)
    assert msgspec.json.decode(msgspec.json.encode(found), type=MachineFact) == found
    now = environment.state()
    assert msgspec.json.decode(msgspec.json.encode(now), type=StateFact) == now


def test_linux_tells_processor_device_features_and_gpus(tmp_path: Path):
    files = {
        "proc/cpuinfo": X86,
        "sys/class/dmi/id/sys_vendor": "Maker\n",
        "sys/class/dmi/id/product_name": "Model 3\n",
    }
    found = environment.machine(linux(tmp_path, files, nvidia="NVIDIA H200, 570.1\nT4, 570.1"))
    assert (found.processor, found.device) == ("Xeon Example", "Maker Model 3")
    assert found.features == ("amx_bf16", "amx_int8", "avx2", "avx512_vnni", "avx512f")
    assert found.accelerators == ("NVIDIA H200", "T4")
    assert found.versions["nvidia driver"] == "570.1"


def test_a_board_with_an_arm_processor_is_named_by_its_tree(tmp_path: Path):
    files = {"proc/cpuinfo": ARM, "proc/device-tree/model": "Board 5 Rev 1\0"}
    found = environment.machine(linux(tmp_path, files, "aarch64"))
    assert (found.processor, found.device) == ("ARM 0x41 0xd0b", "Board 5 Rev 1")
    assert found.features == ("dotprod", "i8mm", "neon", "sve")


def test_a_mac_is_asked_by_sysctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    monkeypatch.setattr("platform.mac_ver", lambda: ("15.1", ("", "", ""), "arm64"))
    mac = Told("Darwin", "arm64", tmp_path, APPLE)
    found = environment.machine(mac)
    assert (found.processor, found.device, found.os) == ("Apple M2", "Mac14,2", "macOS 15.1")
    assert found.features == ("i8mm", "neon")
    assert found.accelerators == ("Apple GPU", "Apple Neural Engine")
    assert environment.state(mac).low_power is True


def test_windows_and_a_system_that_tells_nothing_do_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: object) -> object:
        raise NotImplementedError

    for name in ("sensors_temperatures", "sensors_battery", "getloadavg", "cpu_freq"):
        monkeypatch.delattr(psutil, name, raising=False)
    monkeypatch.setattr(psutil, "cpu_freq", broken, raising=False)
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    for system in ("Windows", "", "Darwin"):
        host = Told(system, "AMD64", tmp_path)
        assert environment.machine(host).cores >= 1
        now = environment.state(host)
        assert (now.load_average, now.frequency_mhz, now.thermal) == (None, None, None)
        assert environment.warnings(now, cores=4) == ()


def test_a_containers_limits_are_the_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    new = {
        "proc/self/cgroup": "0::/box\n",
        "sys/fs/cgroup/cpu.max": "250000 100000\n",
        "sys/fs/cgroup/memory.max": "1000\n",
        "sys/fs/cgroup/memory.current": "300\n",
    }
    host = linux(tmp_path / "new", new)
    assert (environment.machine(host).cores, environment.machine(host).memory_bytes) == (3, 1000)
    assert environment.state(host).free_memory_bytes == 700
    old = {
        "proc/self/cgroup": "4:memory:/a/b\n3:cpu,cpuacct:/c\n0::/\n",
        "sys/fs/cgroup/cpu/c/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/c/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "2000\n",
    }
    host = linux(tmp_path / "old", old)
    assert (environment.machine(host).cores, environment.machine(host).memory_bytes) == (8, 2000)


def test_sensors_and_battery_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sensor = namedtuple("sensor", "label current")
    battery = namedtuple("battery", "percent power_plugged")
    read = {"coretemp": [sensor("Core 0", 61.26), sensor("", 48.0), sensor("off", 0)]}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: read, raising=False)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery(40, False), raising=False)
    files = {environment.SCALING: "powersave\n", "sys/firmware/acpi/platform_profile": "low-power"}
    now = environment.state(linux(tmp_path, files))
    assert now.temperatures_celsius == {"coretemp Core 0": 61.3, "coretemp 1": 48.0}
    assert now.thermal is not None
    assert (now.thermal.scale, now.thermal.value) == ("celsius", 61.3)
    assert (now.governor, now.low_power) == ("powersave", True)
    assert (now.battery_percent, now.charging) == (40.0, False)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (StateFact(load_average=2.1), "load average is 2.1 on 4 cores"),
        (StateFact(governor="powersave"), "governor is powersave"),
        (StateFact(charging=False, battery_percent=30.4), "on battery (30 %)"),
        (StateFact(low_power=True), "saves power"),
        (StateFact(temperatures_celsius={"a": 30.0, "b": 91.0}), "91 °C"),
        (StateFact(free_memory_bytes=200_000_000), "200 MB of memory are free"),
    ],
)
def test_what_disturbs_is_said(now: StateFact, words: str):
    (said,) = environment.warnings(now, cores=4)
    assert words in said


def test_a_quiet_machine_gets_no_warning():
    quiet = StateFact(
        load_average=2.0,
        governor="performance",
        charging=True,
        battery_percent=100.0,
        low_power=False,
        temperatures_celsius={"a": 60.0},
        free_memory_bytes=10**10,
    )
    assert environment.warnings(quiet, cores=4) == ()
