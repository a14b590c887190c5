"""Full disks, read-only folders and killed processes: a sentence, and nothing half written."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from backend.media.outputs import OutputFolder
from backend.sdk import UserError

ROOT = Path(__file__).parents[3]


def run_script(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


FULL = """
import resource, sys
from pathlib import Path
from backend.media.outputs import OutputFolder
from backend.sdk import UserError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    OutputFolder(Path(sys.argv[1])).save("sub/big", ".bin", lambda p: p.write_bytes(bytes(100000)))
except UserError as error:
    print(error)
"""


def test_a_write_that_the_system_cuts_off_leaves_nothing(tmp_path: Path) -> None:
    done = run_script(FULL, tmp_path / "out")
    assert "'sub/big.bin' could not be saved" in done.stdout, done.stderr
    assert "larger than this system allows" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    """/dev/full is a disk that is always full."""

    def fill(path: Path) -> None:
        path.write_bytes(b"begun")
        with open("/dev/full", "wb", buffering=0) as disk:
            disk.write(b"more")

    with pytest.raises(UserError, match=r"the disk is full\. Free some space"):
        OutputFolder(tmp_path / "out").save("x", ".png", fill)
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_that_is_really_full(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no file system of our own can be mounted here")
    try:
        folder = OutputFolder(tmp_path)
        folder.save("small", ".bin", lambda p: p.write_bytes(b"kept"))
        with pytest.raises(UserError, match="the disk is full"):
            folder.save("big", ".bin", lambda p: p.write_bytes(bytes(1 << 20)))
        assert [path.name for path in tmp_path.iterdir()] == ["small.bin"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


READ_ONLY = """
import os, sys
from pathlib import Path
from backend.media.outputs import OutputFolder
from backend.sdk import UserError
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for name in ("x", "sub/x"):
    try:
        OutputFolder(Path(sys.argv[1])).save(name, ".png", lambda p: p.write_bytes(b""))
    except UserError as error:
        print(error)
"""


def test_a_folder_without_permission_is_a_sentence() -> None:
    with tempfile.TemporaryDirectory() as place:  # another user must be able to come this far
        out = Path(place)
        out.chmod(0o555)
        done = run_script(READ_ONLY, out)
        assert done.stdout.count("this user may not write there") == 2, done.stderr
        assert list(out.iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"a file")
    (tmp_path / "sub").write_bytes(b"a file")
    places = [(tmp_path / "out", "x"), (tmp_path / "out/deeper", "x"), (tmp_path, "sub/x")]
    for root, name in places:
        with pytest.raises(UserError, match="a file stands where a folder is needed"):
            OutputFolder(root).save(name, ".png", lambda p: p.write_bytes(b""))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "sub"]


def test_a_folder_in_the_place_of_the_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.png").mkdir()
    with pytest.raises(UserError, match="a folder has that name"):
        OutputFolder(tmp_path).save("x", ".png", lambda p: p.write_bytes(b""), overwrite="replace")


DIE = """
import os, sys
from pathlib import Path
from backend.media.outputs import OutputFolder
def die(path):
    path.write_bytes(b"half")
    print(path.name, flush=True)
    os.kill(os.getpid(), 9)
OutputFolder(Path(sys.argv[1])).save("sub/x", ".png", die)
"""


def test_what_a_killed_process_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    done = run_script(DIE, tmp_path)
    left = tmp_path / "sub" / done.stdout.strip()
    assert left.read_bytes() == b"half"
    (tmp_path / "sub/mine.png").write_bytes(b"a file of the user")
    assert OutputFolder(tmp_path).clean() == (f"sub/{left.name}",)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["mine.png"]


def test_the_first_save_cleans_too(tmp_path: Path) -> None:
    run_script(DIE, tmp_path)
    OutputFolder(tmp_path).save("y", ".png", lambda p: p.write_bytes(b""))
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["y.png"]


LIVE = """
import sys
import tempfile
from pathlib import Path
from backend.media.outputs import OutputFolder
def wait(path):
    path.write_bytes(b"half")
    print("writing", flush=True)
    sys.stdin.readline()
    path.write_bytes(b"whole")
OutputFolder(Path(sys.argv[1])).save("x", ".png", wait)
"""


def test_files_of_a_process_that_lives_are_left_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIVE, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        assert OutputFolder(tmp_path).clean() == ()
        other.communicate("go on\n", timeout=60)
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]
    assert (tmp_path / "x.png").read_bytes() == b"whole"


def test_the_own_process_counts_as_living(tmp_path: Path) -> None:
    def look(path: Path) -> None:
        path.write_bytes(b"whole")
        assert OutputFolder(tmp_path).clean() == ()

    OutputFolder(tmp_path).save("x", ".png", look)
    assert (tmp_path / "x.png").exists()


def test_a_forged_intent_removes_nothing_of_the_users(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "link").symlink_to(tmp_path)
    temporary = ".weft-0123456789abcdef.tmp.png"
    kept = [out / "picture.png", tmp_path / temporary, out / "full.png"]
    for path in kept:
        path.write_bytes(b"precious")
    names = ["picture.png", f"../{temporary}", f"link/{temporary}", str(kept[1]), "sub"]
    lines = [json.dumps({"temporary": name}) for name in names]
    lines += [json.dumps({"placeholder": "full.png"}), "{}", "[]", "no json", '{"temporary": 3}']
    (out / ".weft-0123456789abcdef.intent").write_text("\n".join(lines))
    assert OutputFolder(out).clean() == ()
    assert all(path.read_bytes() == b"precious" for path in kept)
    assert (out / "sub").is_dir()
    assert not list(out.glob(".weft-*"))


def test_cleaning_a_folder_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert OutputFolder(tmp_path / "nil").clean() == ()
