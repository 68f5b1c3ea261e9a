"""
Cheaper forks: what a fork leaves out, every run would have to fault in again.

A fork copies the page tables of memory that was written to, and leaves out those of a mapped file,
which the kernel can fill in again: sixteen pages for a fault. An interpreter's code lies in several
thousand such pages, and a short program touches most of its neighbourhoods.
"""

import ctypes

LARGE_BYTES = 1 << 20

PROT = {"r": 1, "w": 2, "x": 4}
"""As mmap(2) has them; what is imported here, every fork would copy."""


def keep_code_mapped() -> None:
    """Let forks copy the page tables of large mapped files.

    The kernel copies them if one page of the mapping was written to: so one is, with what it holds.
    """
    library = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/maps", encoding="utf-8") as maps:
        lines = maps.read().splitlines()
    for line in lines:
        words = line.split()
        start, end = (int(address, 16) for address in words[0].split("-"))
        if words[4] == "0" or "w" in words[1] or words[1][3] != "p" or end - start < LARGE_BYTES:
            continue
        protection = sum(PROT.get(letter, 0) for letter in words[1])
        place, size = ctypes.c_void_p(start), ctypes.c_size_t(end - start)
        if library.mprotect(place, size, protection | PROT["w"]) == 0:
            first = ctypes.c_char.from_address(start)
            first.value = first.value
            library.mprotect(place, size, protection)
