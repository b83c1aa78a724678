"""A gigabyte of page tables, which do not count as the process's own pages."""

import ctypes

libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
size = 2**39
place = libc.mmap(None, ctypes.c_size_t(size), 1, 0x4022, -1, ctypes.c_long(0))  # private, anonymous, not reserved
libc.madvise(ctypes.c_void_p(place), ctypes.c_size_t(size), 15)  # no huge pages
memory = (ctypes.c_char * size).from_address(place)
for i in range(0, size, 2**21):
    memory[i]
import time

time.sleep(1)


def add(x):
    return 0.0
