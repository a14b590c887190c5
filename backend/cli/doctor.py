"""``weft doctor``: versions, devices and folders, and what is missing."""

from __future__ import annotations

import os
import platform
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from backend.cli.errors import DONE, FAILED, wrong_usage
from backend.cli.places import built_in_models, examples, root
from backend.cli.streams import Output
from backend.settings import (
    SettingError,
    Settings,
    cache_folder,
    data_folder,
    expanded,
    load,
    log_folder,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; ``problem`` says what is wrong and what to do, if anything is."""

    topic: str
    name: str
    value: str
    problem: str = ""


def examine(bundle: Path | None, *, paths: bool, prompts: bool, json: bool) -> int:
    """Show the report, and pack it into ``bundle`` if one is asked for; returns the exit status.

    Raises:
        Stop: the bundle cannot be written.
    """
    output = Output(json)
    if bundle is not None:
        from backend.cli.bundle import write_bundle

        write_bundle(bundle, findings(), paths=paths, prompts=prompts)
        output.line(f"{bundle} holds what a report needs; look into it before you send it.")
        output.record({"event": "bundle", "file": str(bundle)})
        return DONE
    if paths or prompts:
        raise wrong_usage("--with-paths and --with-prompts go with --bundle FILE.zip.")
    topic, problems = "", 0
    for finding in findings():
        if finding.topic != topic:
            output.line(f"{'' if not topic else chr(10)}{finding.topic}")
            topic = finding.topic
        problems += bool(finding.problem)
        output.line(f"  {finding.name:24} {finding.value}")
        if finding.problem:
            output.line(f"  {'':24} ! {finding.problem}")
        output.record(
            {
                "event": "finding",
                "topic": finding.topic,
                "name": finding.name,
                "value": finding.value,
                "problem": finding.problem,
            }
        )
    output.line("\nNothing is missing." if not problems else f"\nMissing or wrong: {problems}.")
    output.record({"event": "examined", "problems": problems})
    return FAILED if problems else DONE


def findings() -> Iterator[Finding]:
    """Everything the doctor looks at, topic by topic."""
    yield from _versions()
    yield from _devices()
    yield from _folders()
    yield from _shipped()


def _versions() -> Iterator[Finding]:
    yield Finding("Versions", "python", platform.python_version())
    yield Finding("Versions", "system", f"{platform.system()} {platform.machine()}")
    try:
        weft = metadata.distribution("weft")
    except metadata.PackageNotFoundError:
        problem = "Weft is not installed; run `pip install -c constraints.txt -e .` in its folder."
        yield Finding("Versions", "weft", "not installed", problem)
        return
    yield Finding("Versions", "weft", weft.version)
    for requirement in weft.requires or ():
        if ";" not in requirement:
            yield _library(requirement)
    yield _upscalers()
    if _installed("opencv-python"):
        problem = "Its Qt plugins break the studio: `pip uninstall opencv-python`, then install "
        problem += "opencv-python-headless again."
        yield Finding("Versions", "opencv-python", str(_installed("opencv-python")), problem)


def _upscalers() -> Finding:
    """Spandrel, which is not installed with Weft: it asks for torchvision, but needs it for two
    architectures only, and a torchvision beside another build of torch breaks transformers."""
    from backend.models.upscale.guarded import INSTALL, VERSION

    version = _installed("spandrel")
    if version is None:
        return Finding("Versions", "spandrel", f"not installed; for learned upscalers: `{INSTALL}`")
    if _installed("einops") is None:
        return Finding("Versions", "spandrel", version, f"It needs einops: `{INSTALL}`.")
    known = version == VERSION
    return Finding("Versions", "spandrel", version if known else f"{version} (tested: {VERSION})")


def _library(requirement: str) -> Finding:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    name = match[0] if match else requirement
    version = _installed(name)
    if version is None:
        return Finding("Versions", name, "not installed", f"`pip install {requirement!r}`.")
    wanted = requirement[len(name) :]
    if not _satisfies(version, wanted):
        problem = f"Weft needs {requirement}: `pip install {requirement!r}`."
        return Finding("Versions", name, version, problem)
    return Finding("Versions", name, version)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _satisfies(version: str, wanted: str) -> bool:
    """Whether a version lies in a range of Weft's own form, such as ``>=0.42,<0.43``."""
    have = _numbers(version)
    for bound in filter(None, wanted.split(",")):
        limit = _numbers(bound)
        if (bound.startswith(">=") and have < limit) or (bound.startswith("<") and have >= limit):
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    release = text.split("+", 1)[0]
    return tuple(int(part) for part in re.findall(r"\d+", release))


def _devices() -> Iterator[Finding]:
    yield Finding("Devices", "cpu", f"{_cores()} cores for this process")
    try:
        import torch
    except Exception as error:  # a broken build fails in many ways; each is the finding
        yield Finding("Devices", "torch", "does not load", f"{type(error).__name__}: {error}")
        return
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        facts = torch.cuda.get_device_properties(number)
        yield Finding(
            "Devices", f"cuda:{number}", f"{facts.name}, {facts.total_memory / 2**30:.1f} GB"
        )
        if not torch.cuda.is_bf16_supported(including_emulation=False):
            slow = "This GPU only emulates bfloat16, which is slow; compute on the CPU or another."
            yield Finding("Devices", f"cuda:{number}", "no bfloat16", slow)
        yield from _computing(f"cuda:{number}", "bfloat16")
    if not torch.cuda.is_available():
        yield Finding("Devices", "cuda", "none that this build of torch can use")
    yield from _computing("cpu", "float32")


def _computing(device: str, dtype: str) -> Iterator[Finding]:
    """In what a device computes and why, and with which attention kernels."""
    from backend.models.kernels import probe_kernels
    from backend.models.numerics import why_dtype

    yield Finding("Devices", f"{device} computes in", why_dtype(device))
    kernels = probe_kernels(device, dtype)
    names = ", ".join(kernel.name for kernel in kernels if kernel.works)
    problem = "" if names else "Reinstall torch for this device: " + kernels[-1].problem
    yield Finding("Devices", f"{device} attention", names or "no kernel works", problem)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _folders() -> Iterator[Finding]:
    yield Finding("Folders", "weft", str(root()))
    try:
        settings = load().settings
    except SettingError as error:
        yield Finding("Folders", "settings", "cannot be used", str(error))
        settings = Settings()
    places: dict[str, Callable[[], Path]] = {
        "outputs": lambda: expanded(settings.folders.output).absolute(),
        "cache": lambda: cache_folder(settings),
        "data": lambda: data_folder(settings),
        "logs": lambda: log_folder(settings),
        "temporary files": lambda: Path(tempfile.gettempdir()),
    }
    for name, place in places.items():
        try:
            there = folder = place()
        except (SettingError, OSError) as error:
            yield Finding("Folders", name, "none", str(error))
            continue
        while not there.exists() and there != there.parent:
            there = there.parent
        writable = there.is_dir() and os.access(there, os.W_OK)
        problem = "" if writable else f"{there} cannot be written to; change its permissions."
        yield Finding("Folders", name, str(folder), problem)


def _shipped() -> Iterator[Finding]:
    shipped = examples()
    problem = "" if shipped else "Weft was not installed completely; install it again."
    yield Finding("Shipped with Weft", "workflows", ", ".join(shipped) or "none", problem)
    found = built_in_models()
    problem = "" if found else "Weft was not installed completely; install it again."
    yield Finding("Shipped with Weft", "models", ", ".join(found) or "none", problem)
