"""Start a student's kernel: an ordinary IPython kernel that also takes ``judge_request`` messages.

python -m course_lib.kernel -f connection.json
"""

import sys
from pathlib import Path
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


def forget_other_course_libs() -> None:
    """Import nothing from another course_lib: an editable install would lead to the judge's."""
    library = Path(__file__).resolve().parents[2]
    sys.path[:] = [p for p in sys.path if Path(p).resolve() == library or not (Path(p) / "course_lib").exists()]
    sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")]


if __name__ == "__main__":
    forget_other_course_libs()
    finished.activate()
    IPKernelApp.launch_instance(kernel_class=StudentKernel)
