"""The sandbox: what a student's code finds there, and what it leaves for the next kernel."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from unittest.mock import Mock

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course_lib.authoring.notebook import StudentNotebook
from course_lib.judge import sandbox as module
from course_lib.judge.kernel_process import KernelSettings
from course_lib.judge.limits import Limits
from course_lib.judge.notebook_runner import NotebookRunner
from course_lib.judge.sandbox import check_protection, sandbox_for, write_kernel_library
from course_lib.kernel import fork_server, isolation, seccomp
from course_lib.results.errors import AssignmentError, GraderError
from course_lib.results.result import Verdict

LIMITS = Limits(cell=20, question=5, threads=1)


@pytest.fixture
def tell(library: Path) -> Iterator:
    """Runs cells in a new kernel of the same sandbox, and returns the string in the variable `said`."""

    def run(*sources: str) -> str:
        notebook = new_notebook(cells=[new_code_cell(dedent(source)) for source in sources])
        with NotebookRunner(notebook, KernelSettings(library, LIMITS)) as session:
            session.run_until(len(sources))
            outputs = [o for cell in notebook.cells for o in cell.outputs if o.output_type == "error"]
            assert not outputs, outputs
            said = StudentNotebook(session.ask).value("said")
        assert isinstance(said, str)
        return said

    yield run
    assert sandbox_for(library, None).alive


@pytest.fixture
def files(library: Path, tmp_path: Path) -> Iterator[Path]:
    """An empty folder beside notebooks. It gives the test its own sandbox, which ends with the test."""
    yield tmp_path
    sandbox_for(library, tmp_path).close()


def test_there_is_nothing_to_steal(tell, root: Path) -> None:
    places = [str(root / name) for name in ("source", "grader_tests", "course_lib", "gradebook.db")]
    places += [
        "/etc/passwd",
        "/etc/shadow",
        "/etc/hostname",
        str(Path.home() / ".ssh"),
        "/home",
        "/var",
        "/run",
        "/sys",
        "/library/course_lib/judge",
    ]
    code = f"""
        import os
        said = " ".join(path for path in {places} if os.path.exists(path))
        interfaces = [line.split(":")[0].strip() for line in list(open("/proc/net/dev"))[2:]]
        said += "|" + " ".join(interfaces)
    """
    assert tell(code).split("|") == ["", "lo"]


NO_RIGHTS = """
import ctypes, os, subprocess, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
rights = "".join(status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"))
libc = ctypes.CDLL(None)
again = [libc.unshare(flag) for flag in (0x20000, 0x40000000)]
alone = "import ctypes; print(ctypes.CDLL(None).unshare(0x10000000))"  # threads would forbid this anyway
again.append(int(subprocess.run([sys.executable, "-c", alone], capture_output=True).stdout))
mounted = libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)
said = repr((int(rights, 16), again, mounted, os.getuid(), status["NoNewPrivs"].strip()))
"""


def test_the_student_has_no_rights(tell) -> None:
    assert tell(NO_RIGHTS) == "(0, [-1, -1, -1], -1, 1000, '1')"


SYSTEM_CALLS = """
import ctypes, errno, platform, subprocess, sys
from course_lib.kernel import seccomp
libc = ctypes.CDLL(None, use_errno=True)
numbers = seccomp._MACHINES[platform.machine()][1] | seccomp._NEW
def is_refused(number, *arguments):
    return libc.syscall(*map(ctypes.c_long, (number, *arguments, 0, 0, 0, 0))) < 0 and ctypes.get_errno() == errno.EPERM
made = [name for name in (
    "add_key", "request_key", "keyctl", "memfd_create", "bpf", "perf_event_open", "userfaultfd", "ptrace",
    "process_vm_readv", "process_vm_writev", "seccomp", "io_setup", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "semget", "msgget", "mq_open", "inotify_init1", "fanotify_init",
    "setrlimit", "prctl", "socket", "prlimit64",
) if not is_refused(numbers[name], {"prctl": 22, "socket": 40}.get(name, 0))]
made += [] if platform.machine() != "x86_64" or is_refused(0x40000000) else ["one of another convention"]
asks_for_its_pid = '''
import ctypes, mmap
code = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
code.write(bytes.fromhex("b814000000cd80c3"))  # as programs of 32 bits do, whose calls have other numbers
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))() > 0)
'''
if platform.machine() == "x86_64":
    run = subprocess.run([sys.executable, "-c", asks_for_its_pid], capture_output=True, text=True)
    made += ["one of 32 bits"] if "True" in run.stdout else []
right = libc.prctl(39, 0, 0, 0, 0), is_refused(numbers["socket"], 1, 1), is_refused(numbers["prlimit64"], 0, 7)
said = repr((made, right))
"""
"""The last four calls are refused only for some arguments; ordinary uses must work."""


def test_system_calls_that_no_namespace_limits_are_refused(tell) -> None:
    assert tell(SYSTEM_CALLS) == "([], (1, False, False))"


def test_a_kernel_runs_with_a_filter_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "filter_program", lambda allowed: b"")  # the system refuses an empty filter
    with pytest.raises(OSError, match="refuses a seccomp filter"):
        seccomp.forbid_system_calls()


WRITABLE = """
import os
writable = []
for folder, folders, files in os.walk("/", followlinks=False):
    folders[:] = [name for name in folders if folder != "/proc" or not name.isdecimal()]
    if folder.startswith(("/tmp", "/dev/shm")):
        continue
    if folder.count("/") > 6:
        folders[:] = []
    try:
        open(os.path.join(folder, "x"), "w").close()
        writable.append(folder)
    except OSError:
        pass
    for name in files if folder.startswith(("/proc", "/library", "/mnist")) else ():
        try:
            os.close(os.open(os.path.join(folder, name), os.O_WRONLY))
            writable.append(os.path.join(folder, name))
        except OSError:
            pass
said = repr(writable)
"""


def test_only_a_kernels_own_scratch_can_be_written(tell) -> None:
    assert tell(WRITABLE) == "[]"


def test_torch_dynamo_is_imported_if_a_notebook_optimizes(tmp_path: Path) -> None:
    """Once, by the fork server. Otherwise each kernel would import it at its first optimizer."""
    library = write_kernel_library(tmp_path)  # the test has its own sandbox
    for answer, there in (("", False), ("# torch.optim", True)):
        notebook = new_notebook(cells=[new_code_cell(f"import sys\nthere = 'torch._dynamo' in sys.modules {answer}")])
        with NotebookRunner(notebook, KernelSettings(library, LIMITS)) as session:
            session.run_until(1)
            assert StudentNotebook(session.ask).value("there") is there


@pytest.fixture
def below_tmp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in /tmp, which is part of the Python environment."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="a kit ") as name:
        folders = module.environment_folders()
        monkeypatch.setattr(module, "environment_folders", lambda: [*folders, name])
        yield Path(name)


def test_a_python_environment_may_be_below_tmp(library: Path, files: Path, below_tmp: Path) -> None:
    """The kernel's own /tmp must not hide it."""
    (below_tmp / "module.py").write_text("found = 'found'")
    code = f"""
        import sys
        sys.path.append({str(below_tmp)!r})
        from module import found as said
        try:
            open({str(below_tmp / "module.py")!r}, "w")
        except OSError as error:
            said += ", " + error.strerror
    """
    notebook = new_notebook(cells=[new_code_cell(dedent(code))])
    with NotebookRunner(notebook, KernelSettings(library, LIMITS, files=files)) as session:
        session.run_until(1)
        assert StudentNotebook(session.ask).value("said") == "found, Read-only file system"


def test_an_installed_course_lib_is_hidden(
    library: Path, files: Path, below_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tests/test_install.py tries a whole installation."""
    installed = below_tmp / "course_lib"
    (installed / "judge").mkdir(parents=True)
    (below_tmp / "link").symlink_to(installed)
    monkeypatch.setattr(module, "PACKAGE", installed)
    check_protection()
    code = f"""
        import os
        found = [os.listdir(os.path.join({str(below_tmp)!r}, name)) for name in ("course_lib", "link")]
        try:
            open({str(installed / "new.py")!r}, "w")
        except OSError as error:
            said = repr((found, error.strerror))
    """
    notebook = new_notebook(cells=[new_code_cell(dedent(code))])
    with NotebookRunner(notebook, KernelSettings(library, LIMITS, files=files)) as session:
        session.run_until(1)
        assert StudentNotebook(session.ask).value("said") == "([[], []], 'Read-only file system')"


def test_a_clone_in_the_python_environment_is_refused(below_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox would hide its course_lib, but not the hidden tests beside it."""
    (below_tmp / "grader_tests").mkdir()
    monkeypatch.setattr(module, "PACKAGE", below_tmp / "course_lib")
    with pytest.raises(AssignmentError, match="can be read by students' code"):
        check_protection()


PLANT = """
import ctypes, fcntl, os, socket, subprocess, sys, time
for folder in ("/tmp", "/tmp/home", "/dev/shm", "/", "/library", "/dev", "/mnist", "/tmp/home/.ipython/profile_default/startup"):
    try:
        os.makedirs(folder, exist_ok=True)
        open(folder + "/planted.py", "w").write("planted = 1")
    except OSError:
        pass
libc = ctypes.CDLL(None)
segment = libc.shmget(4711, 4096, 0o1666)
libc.msgget(4711, 0o1666)
sockets = [socket.socket(socket.AF_UNIX), socket.socket()]
sockets[0].bind("\\0planted")
sockets[0].listen()
try:
    sockets[1].bind(("127.0.0.1", 47110)); sockets[1].listen()
except OSError:
    pass
lock = open("/library/course_lib/__init__.py")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
subprocess.Popen(["sleep", "4711"], start_new_session=True)
if os.fork() == 0:
    os.setsid(); time.sleep(4711)
import course_lib, torch
course_lib.planted = torch.planted = True
torch.Tensor.mean = lambda self: 0
said = "planted"
"""

FIND = """
import ctypes, fcntl, glob, os, socket
found = glob.glob("/**/planted*", recursive=False) + glob.glob("/tmp/**/planted*", recursive=True) + glob.glob("/dev/**/planted*", recursive=True)
libc = ctypes.CDLL(None)
found += [name for name, n in (("shm", libc.shmget(4711, 0, 0)), ("msg", libc.msgget(4711, 0))) if n >= 0]
for family, address in ((socket.AF_UNIX, "\\0planted"), (socket.AF_INET, ("127.0.0.1", 47110))):
    try:
        socket.socket(family).connect(address); found.append(repr(address))
    except OSError:
        pass
fcntl.flock(open("/library/course_lib/__init__.py"), fcntl.LOCK_EX | fcntl.LOCK_NB)
for path in glob.glob("/proc/[0-9]*/cmdline"):
    if "4711" in open(path).read(): found.append(path)
import course_lib, torch
found += [m.__name__ for m in (course_lib, torch) if hasattr(m, "planted")]
found += [] if torch.ones(2).mean() == 1 else ["mean"]
said = repr((found, len(glob.glob("/proc/[0-9]*")) < 6))
"""


def test_nothing_reaches_the_next_submission(tell) -> None:
    assert tell(PLANT) == "planted"
    assert tell(FIND) == "([], True)"


def test_the_search_above_would_find_it(tell) -> None:
    said = tell(PLANT, FIND.replace("fcntl.flock(open", "(open"))
    assert said.count("planted") > 4
    assert "shm" in said


REACH = """
import ctypes, glob, os, signal
libc = ctypes.CDLL(None)
reached = []
for path in glob.glob("/proc/[0-9]*"):
    if path == "/proc/" + os.readlink("/proc/self"):
        continue
    for name in ("mem", "environ", "maps", "auxv", "root", "cwd", "exe", "fd/0", "fd/3", "ns/pid"):
        for reach in (os.readlink, os.listdir, lambda p: open(p, "rb").read(1), lambda p: open(p, "r+b")):
            try:
                reach(path + "/" + name)
                reached.append(path + name)
            except OSError:
                pass
for pid in range(2, 300):  # numbers in the kernel's own namespace, where no other process has one
    if not os.path.exists(f"/proc/self/task/{pid}") and libc.ptrace(16, pid, 0, 0) == 0:
        reached.append(pid)
for target in (-1, 0, -os.getpgrp()):
    try:
        os.kill(target, signal.SIGKILL)
    except OSError:
        pass
said = repr(reached)
"""


def test_the_fork_server_cannot_be_reached(tell, library: Path) -> None:
    pid = sandbox_for(library, None).pid
    assert tell(REACH) == "[]"
    assert sandbox_for(library, None).pid == pid, "the same sandbox goes on"


def test_the_judge_follows_no_link_in_place_of_a_socket(library: Path, tmp_path: Path) -> None:
    """Such as a link to a socket of the host."""
    with socket.socket(socket.AF_UNIX) as host:
        host.bind(str(tmp_path / "host"))
        host.listen()
        host.settimeout(1)
        code = f"""
            import os, time
            kernel = get_ipython().kernel
            kernel.stdin_socket.close(linger=0)
            time.sleep(0.3)
            if os.path.exists("/tmp/kernel-3"):
                os.unlink("/tmp/kernel-3")
            os.symlink({str(tmp_path / "host")!r}, "/tmp/kernel-3")
        """
        notebook = new_notebook(cells=[new_code_cell(dedent(code)), new_code_cell("import time; time.sleep(1)")])
        with NotebookRunner(notebook, KernelSettings(library, LIMITS)) as session:
            session.run_until(2)
        assert not [o for cell in notebook.cells for o in cell.outputs]
        with pytest.raises(TimeoutError):
            host.accept()


def show_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sandboxes have a device that looks like a GPU."""
    command = module.bubblewrap

    def with_card(*binds: tuple[Path, str], device: str) -> list[str]:
        *start, a, b, c, d = command(*binds)  # the last arguments make /dev read-only
        return [*start, "--dev-bind", "/dev/null", "/dev/nvidia0", a, b, c, d]

    monkeypatch.setattr(module, "bubblewrap", with_card)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_machines_devices_keep_their_rights(
    library: Path, files: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    """If root grades, the machine sees the student's code as the owner of /dev/null.

    Terminals are limited, too: other kernels need some, for example for ``!ls``, and a machine has a few thousand.
    """
    if device == "cuda":
        show_a_card(monkeypatch)
    code = """
import os, threading
from pathlib import Path
said = []
for device in Path("/dev").iterdir():
    try:
        if device.is_char_device() and not device.is_symlink():
            os.chmod(device, device.stat().st_mode)
            said.append(device.name)
    except OSError:
        if device.name != "tty":  # which no kernel has
            open(device, "rb").close()
terminals = 0
try:
    while terminals < 30:
        os.openpty()
        terminals += 1
except OSError:
    pass
try:
    Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text("named")
    said.append("named")
except OSError:
    pass
said = " ".join(said)
"""
    notebook = new_notebook(cells=[new_code_cell(code)])
    with NotebookRunner(notebook, KernelSettings(library, LIMITS, files=files)) as session:
        session.run_until(1)
        assert not [o for o in notebook.cells[0].outputs if o.output_type == "error"]
        said, terminals = (StudentNotebook(session.ask).value(name) for name in ("said", "terminals"))
    assert terminals == 16
    assert said == ("named" if device == "cuda" else ""), (
        "rights were changed, or CUDA would give up because it cannot name its threads"
    )


SHARED_LIMITS = """
import ctypes, fcntl, os, resource
libc = ctypes.CDLL(None, use_errno=True)
got = []
file = os.open("/library/course_lib/__init__.py", os.O_RDONLY)
for kind in (fcntl.F_WRLCK, fcntl.F_RDLCK):
    for call in (fcntl.F_SETLEASE, fcntl.F_SETLEASE + 16):  # and F_SETDELEG
        try:
            fcntl.fcntl(file, call, kind)
            got.append("lease")
        except PermissionError:
            pass
got += ["inotify"] * (libc.inotify_init1(0) >= 0)
got += ["queue"] * (libc.mq_open(b"/q", os.O_CREAT | os.O_RDWR, 0o600, None) >= 0)
got += ["fanotify"] * (libc.fanotify_init(0, 0) >= 0)
fcntl.fcntl(file, fcntl.F_GETFL)  # useful in a notebook, like the next call
fcntl.flock(file, fcntl.LOCK_SH)
limits = [resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1] for name in ("SIGPENDING", "NOFILE", "CORE", "FSIZE")]
said = repr((got, limits, os.nice(0), int(open("/proc/self/oom_score_adj").read())))
"""


def test_resources_of_the_machines_user_cannot_be_taken(tell) -> None:
    """Leases make other programs wait for 45 seconds. The other resources have limits that the user's programs share."""
    limits = [isolation.MAX_PENDING_SIGNALS, isolation.MAX_OPEN_FILES, 0, LIMITS.file]
    expected = repr(([], limits, min(19, os.nice(0) + 5), 1000))
    assert tell(SHARED_LIMITS) == expected, "the machine's own programs must also have priority"


@pytest.mark.parametrize(("watches", "verdict"), [(0, Verdict.PASSED), (150, Verdict.OUT_OF_MEMORY)])
def test_watches_count_as_memory(library: Path, watches: int, verdict: Verdict) -> None:
    """Their number is limited for all programs of a user, outside the sandbox, too."""
    code = f"""
        import os, select, time
        reading, _ = os.pipe()
        copies = [os.dup(reading) for _ in range(150)]
        polls = [select.epoll() for _ in range(40)]
        for poll in polls:
            for copy in copies[:{watches}]:
                poll.register(copy)
        time.sleep(1)
    """
    notebook = new_notebook(cells=[new_code_cell(dedent(code))])
    with NotebookRunner(notebook, KernelSettings(library, replace(LIMITS, memory=600 * 2**20))) as session:
        session.run_until(1)
        assert session.outcomes[0] is verdict


def test_shared_memory_beside_a_card_is_limited(library: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA needs anonymous memory that processes share; after it is unmapped, no process has it in its count."""
    show_a_card(monkeypatch)
    code = """
        import mmap, os, time
        for _ in range(5):
            memory = mmap.mmap(-1, 2**28)
            for page in range(0, 2**28, 4096):
                memory[page] = 1
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            memory.close()
        time.sleep(2)
    """
    notebook = new_notebook(cells=[new_code_cell(dedent(code))])
    with NotebookRunner(notebook, KernelSettings(library, replace(LIMITS, memory=2**30), files=files)) as session:
        session.run_until(1)
        assert session.outcomes[0] is Verdict.OUT_OF_MEMORY


@pytest.mark.parametrize("folder", [sys.prefix, sys.base_prefix, "/usr/local", "/lib"])
def test_a_course_in_a_visible_folder_is_refused(folder: str) -> None:
    with pytest.raises(AssignmentError, match="can be read by students' code"):
        check_protection([Path(folder, "course")])


def test_a_kernel_killed_from_outside_costs_no_points(library: Path) -> None:
    """By the system, for lack of memory, or by an administrator: this is a fault of the grader."""
    notebook = new_notebook(cells=[new_code_cell("x = 1"), new_code_cell("import time; time.sleep(3)")])
    with NotebookRunner(notebook, KernelSettings(library, LIMITS)) as session:
        session.run_until(1)
        psutil.Process(session.kernel.pid).kill()
        with pytest.raises(GraderError, match="outside"):
            session.run_until(2)


def test_a_sandbox_that_ended_costs_no_points(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: object) -> None:
        raise GraderError("gone")

    notebook = new_notebook(cells=[new_code_cell("x = 1"), new_code_cell("import os; os._exit(1)")])
    with NotebookRunner(notebook, KernelSettings(library, LIMITS)) as session:
        session.run_until(1)
        with monkeypatch.context() as patch:
            patch.setattr(module.Sandbox, "receive", gone)
            with pytest.raises(GraderError, match="outside"):
                session.run_until(2)
    with NotebookRunner(notebook, KernelSettings(library, LIMITS)) as session:
        session.run_until(1)
        assert session.outcomes[0] is Verdict.PASSED, (
            "the missing message about a kernel is not taken for one about the next kernel"
        )


def test_the_fault_says_why_a_sandbox_or_kernel_did_not_start(
    library: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = new_notebook(cells=[new_code_cell("x = 1")])
    with (
        NotebookRunner(notebook, KernelSettings(library, replace(LIMITS, scratch=-1))) as session,
        pytest.raises(GraderError, match=r"A kernel could not be started in the sandbox: OSError: .*Invalid argument"),
    ):
        session.run_until(1)
    monkeypatch.setattr(module, "SYSTEM", ("/nowhere",))
    with (
        NotebookRunner(notebook, KernelSettings(library, LIMITS, files=files)) as session,
        pytest.raises(GraderError, match=r"ended\.\n.*bwrap"),
    ):
        session.run_until(1)


@pytest.mark.parametrize(("program", "why"), [
    ("raise ValueError('first\\nlast')", "last"), ("import os; os._exit(7)", "Python ended with status 7"),
    ("while True: pass", "the GPU does not answer"),
])  # fmt: skip
def test_the_fault_says_why_a_gpu_does_not_work(monkeypatch: pytest.MonkeyPatch, program: str, why: str) -> None:
    monkeypatch.setattr(Limits, "start", 1)
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **options: run([*command[:-1], program], **options))
    with pytest.raises(GraderError) as fault:
        module.gpu_name("none")
    assert str(fault.value) == why


def test_the_limits_say_how_long_a_sandbox_may_take_to_start(tmp_path: Path) -> None:
    notebook = new_notebook(cells=[new_code_cell("x = 1")])
    limits = replace(LIMITS, start=0.01)
    with (
        NotebookRunner(notebook, KernelSettings(write_kernel_library(tmp_path), limits)) as session,
        pytest.raises(GraderError, match="sandbox does not answer"),
    ):
        session.run_until(1)


def test_the_error_says_how_to_install_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    check_protection()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AssignmentError, match="apt install bubblewrap"):
        check_protection()


def test_a_sandbox_that_does_not_work_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SYSTEM", ("/nowhere",))
    with pytest.raises(AssignmentError, match="user namespaces"):
        check_protection()


def test_the_sandbox_ends_with_the_process_that_started_it(library: Path) -> None:
    code = f"""
        import time
        from pathlib import Path
        from course_lib.judge.sandbox import sandbox_for
        started = sandbox_for(Path({str(library)!r}), None)
        started.wait_until_ready(60)
        print(started.pid, flush=True)
        time.sleep(60)
    """
    process = subprocess.Popen([sys.executable, "-c", dedent(code)], stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    bubblewrap = psutil.Process(int(process.stdout.readline()))
    inside = bubblewrap.children(recursive=True)
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(p.is_running() for p in [bubblewrap, *inside]):
        time.sleep(0.1)
    assert not [p for p in [bubblewrap, *inside] if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_a_sandbox_killed_while_it_starts_is_ended(library: Path) -> None:
    """Otherwise, bubblewrap's inner process may wait forever for the outer one."""
    for i in range(24):
        one = module.Sandbox(library, None)
        time.sleep(i * 0.00015)
        one.close()
        with subprocess.Popen(
            [*module.bubblewrap(), "true"]
        ) as probe:  # an interrupt can kill check_protection's command
            time.sleep(i * 0.00015)
            probe.kill()
    living = sandbox_for(library, None)
    module.end_orphans()
    time.sleep(0.2)
    assert living.alive, "a sandbox whose judge lives goes on"
    left = [p for p in psutil.process_iter(["name", "ppid"]) if p.info["name"] == "bwrap" and p.info["ppid"] == 1]
    assert not [p for p in left if p.status() != psutil.STATUS_ZOMBIE]


MEMORY_OF_NOBODY = """
import ctypes, mmap, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def succeed(result):
    if result < 0:
        raise OSError
def semaphores():
    succeed(libc.semget(0, 32000, 0o1600))
def queue():
    succeed(libc.msgget(0, 0o1600))
def segment():
    succeed(libc.shmget(0, ctypes.c_size_t(2**40), 0o11600))
def shared():
    mmap.mmap(-1, 2**20)
def zeros():
    with open("/dev/zero", "r+b", buffering=0) as file:
        mmap.mmap(file.fileno(), 2**20)
def links():
    for i in range(30_000):
        os.symlink("x", f"/dev/shm/{i}")
def waiting():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("s")
    listener.listen(100)
    for _ in range(5):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        client.connect("s")
refused = []
for call in (semaphores, queue, segment, shared, zeros, links, waiting):
    try:
        call()
    except OSError:
        refused.append(call.__name__)
for path in os.scandir("/dev/shm"):
    os.unlink(path)
mmap.mmap(-1, 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
import torch.utils.data
loader = torch.utils.data.DataLoader(list(range(8)), batch_size=4, num_workers=2)
said = " ".join(refused) + " " + str(sum(int(batch.sum()) for batch in loader))
"""
"""Ways to use memory that counts for no process, and a data loader, which must work."""


def test_all_memory_counts_for_some_process(tell) -> None:
    assert tell(MEMORY_OF_NOBODY) == "semaphores queue segment shared zeros links waiting 28"


def test_memory_that_is_hidden_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If the judge is not root, a process can forbid that others read its memory statistics."""
    (tmp_path / "7").mkdir()
    status = b"Name:\t\xff\nThreads:\t3\nRssAnon:\t1000 kB\nRssShmem:\t500 kB\nVmPTE:\t100 kB\n"
    (tmp_path / "7" / "status").write_bytes(status)
    monkeypatch.setattr(fork_server, "Path", lambda path: tmp_path if path == "/proc" else Path(path))
    kernel = fork_server.Kernel(1, 7, 0, memory=1600 * 1024 + fork_server.SOCKET_BUFFER, tasks=3)
    (tmp_path / "7" / "fd").mkdir()
    (tmp_path / "7" / "fd" / "0").touch()
    assert fork_server.exceeded_limit(kernel) == ""
    kernel.memory -= 1
    assert fork_server.exceeded_limit(kernel) == "out_of_memory"
    (tmp_path / "7" / "smaps_rollup").write_text("Pss_Anon:\t1000 kB\nPss_Shmem:\t499 kB\n")
    assert fork_server.exceeded_limit(kernel) == ""
    (tmp_path / "7" / "smaps_rollup").write_text("Pss_Anon:\t1000 kB\nPss_Shmem:\t501 kB\n")
    assert fork_server.exceeded_limit(kernel) == "out_of_memory"
    (tmp_path / "7" / "smaps_rollup").write_text("Pss_Anon:\t1000 kB\nPss_Shmem:\t499 kB\n")
    (tmp_path / "7" / "fd" / "1").touch()
    assert fork_server.exceeded_limit(kernel) == "out_of_memory"
    (tmp_path / "7").rename(tmp_path / "1")
    assert fork_server.exceeded_limit(kernel) == "", "the first process of the sandbox does not count"
    (tmp_path / "1").rename(tmp_path / str(os.getpid()))
    assert fork_server.exceeded_limit(kernel) == "", "the fork server does not count"
    (tmp_path / str(os.getpid())).rename(tmp_path / "8")
    kernel.memory = 2**40
    hidden = Mock(listdir=Mock(side_effect=PermissionError), getpid=os.getpid)
    monkeypatch.setattr(fork_server, "os", hidden)
    assert fork_server.exceeded_limit(kernel) == ""
    kernel.memory = fork_server.MAX_OPEN_FILES * fork_server.SOCKET_BUFFER
    assert fork_server.exceeded_limit(kernel) == "out_of_memory", "hidden files count as the largest allowed number"
    kernel.tasks = 2
    assert fork_server.exceeded_limit(kernel) == "too_many_processes"


def test_a_process_that_has_ended_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Such as a worker of a DataLoader that ends between the two measurements."""
    (tmp_path / "7").mkdir()  # its open files can no longer be listed
    monkeypatch.setattr(fork_server, "Path", lambda path: tmp_path if path == "/proc" else Path(path))
    looks = iter([{"RssAnon": 10_000}])
    monkeypatch.setattr(fork_server, "read_numbers", lambda path: next(looks, {}))
    assert fork_server.exceeded_limit(fork_server.Kernel(1, 7, 0, memory=2**20, tasks=3)) == ""
