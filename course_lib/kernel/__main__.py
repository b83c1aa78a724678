"""Start a student's kernel: an ordinary IPython kernel that also takes ``judge_request`` messages.

python -m course_lib.kernel -f connection.json
"""

from typing import Any, ClassVar

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

from . import finished
from .responder import Responder, raised
from .wire import pack, unpack


class StudentKernel(IPythonKernel):
    """An IPython kernel that answers the judge."""

    msg_types: ClassVar = [*IPythonKernel.msg_types, "judge_request"]

    async def judge_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Answer one question over the shell channel."""
        try:
            content, data = pack(Responder(self.shell.user_ns).answer(unpack(parent["content"], parent["buffers"])))
        except Exception as error:  # a tensor that cannot travel: sparse, on the meta device
            content, data = pack(raised(error))
        self.session.send(stream, "judge_reply", content, parent, ident, buffers=[data])


if __name__ == "__main__":
    finished.activate()
    IPKernelApp.launch_instance(kernel_class=StudentKernel)
