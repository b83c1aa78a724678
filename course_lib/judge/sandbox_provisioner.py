"""How jupyter_client starts, watches and ends a kernel in the sandbox."""

import os
import select
import signal
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import KernelProvisionerBase
from traitlets import Any as AnyTrait

from ..results.result import Verdict
from .sandbox import SOCKETS


class SandboxProvisioner(KernelProvisionerBase):
    """Forks a kernel in a sandbox, and ends the kernel and all its child processes."""

    sandbox = AnyTrait()
    limits = AnyTrait()
    environment = AnyTrait()
    optimizers = AnyTrait()
    """Whether the notebook seems to use torch's optimizers."""
    pid = 0
    exceeded_limit: Verdict | None = None
    """The limit that the kernel exceeded."""
    killed = False
    """Whether a SIGKILL ended the kernel. The student's code cannot send one to process 1 of its namespace."""
    _pidfd: int | None = None

    @property
    def has_process(self) -> bool:
        """Whether a kernel was started and has not been waited for."""
        return self._pidfd is not None

    async def poll(self) -> int | None:
        """None while the kernel runs."""
        if self._pidfd is None:
            return 0
        return 0 if select.select([self._pidfd], [], [], 0)[0] else None

    async def wait(self) -> int | None:
        """Wait until the kernel and all its child processes have ended."""
        if self._pidfd is not None:
            select.select([self._pidfd], [], [])
            os.close(self._pidfd)
            self._pidfd = None
            self.exceeded_limit, self.killed = self.sandbox.wait_for_end()
        return 0

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel, unless it has ended."""
        if self._pidfd is not None and await self.poll() is None:
            signal.pidfd_send_signal(self._pidfd, signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel and all its child processes."""
        await self.send_signal(signal.SIGKILL)
        if self._pidfd is not None:  # the kernel manager would only look again after 0.1 s
            select.select([self._pidfd], [], [], 5)

    async def terminate(self, restart: bool = False) -> None:
        """Kill the kernel: the student's code gets no chance to react to a signal."""
        await self.kill()

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Start no command: the fork server makes the kernel."""
        return kwargs | {"cmd": []}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork the kernel; when this returns, the kernel has bound its sockets."""
        ports = {f"{name}_port": n for n, name in enumerate(("shell", "iopub", "stdin", "control", "hb"), 1)}
        key = self.parent.session.key.decode()
        info = {"transport": "ipc", "ip": SOCKETS, "key": key, "signature_scheme": "hmac-sha256"} | ports
        self.pid = self.sandbox.fork(info, self.limits, self.environment, self.optimizers)
        self._pidfd = os.pidfd_open(self.pid)
        self.connection_info = info | {"ip": f"/proc/{self.pid}/root{SOCKETS}", "key": self.parent.session.key}
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        """Do nothing: a kernel leaves nothing behind."""
