"""Prints formats.h: bytes of NPY and gzip as NumPy and Python's gzip module write them.

`formats.py | clang-format-14 >formats.h`, by hand (python3-numpy) after a change; the tests need what it wrote and not NumPy.
"""
import gzip
import io

import numpy as np


def array(name, data, comment=""):
    """A string of C; its size is said beside it, as a NUL ends the literal."""
    print(f"/* {comment} */" if comment else "", end="\n" if comment else "")
    print(f"static const char {name}[] =")
    for at in range(0, len(data), 24):
        print('\t"' + "".join(f"\\{b:03o}" for b in data[at:at + 24]) + '"')
    print("\t;\n")


def save(values, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, values, version)
    return out.getvalue()


print("/* formats.h - made by formats.py with NumPy", np.__version__, "and Python's gzip; see there. */")
print("#ifndef TESTS_GOLDEN_FORMATS_H\n#define TESTS_GOLDEN_FORMATS_H\n\n#include <stddef.h>\n")

# Small whole numbers that every type has; the same table in all of them.
table = np.array([[0, 1], [2, 3], [100, 7]])
cases = []
for descr in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
    for order in "<>":
        for fortran in (False, True):
            values = table.astype(order + descr)
            values = np.asfortranarray(values) if fortran else np.ascontiguousarray(values)
            cases.append((f"golden_{descr}_{'le' if order == '<' else 'be'}_{'f' if fortran else 'c'}", save(values)))
for version in ((1, 0), (2, 0), (3, 0)):
    cases.append((f"golden_version{version[0]}", save(table.astype("<f8"), version)))
for name, data in cases:
    array(name, data)
print("/* All of them are the table 0 1, 2 3, 100 7. */")
print("static const struct golden_npy {\n\tconst char *bytes;\n\tsize_t size;\n} golden_npy[] = {")
for name, _ in cases:
    print(f"\t{{ {name}, sizeof {name} - 1 }},")
print("};\n")

array("golden_npy_bool", save(np.array([[True, False], [False, False]])), "true false, false false")
array("golden_npy_numbers", save(np.array([[0.1, np.nan], [-2.5, 1e300], [1 / 3, 5e-324]])),
      "0.1 NaN, -2.5 1e300, 1/3 5e-324")
array("golden_npy_floats", save(np.array([[0.1, 1 / 3], [16777216, -65504.5]], dtype="<f4")),
      "float32: 0.1 1/3, 2^24 -65504.5")
array("golden_npy_halves", save(np.array([[0.1, 65504], [-2 ** -24, np.nan]], dtype="<f2")),
      "float16: 0.1 65504, -2^-24 NaN")
array("golden_npy_large", save(np.array([[2 ** 63 - 1, -2 ** 63]], dtype="<i8")), "2^63-1 -2^63")
array("golden_npy_infinite", save(np.array([[1, np.inf], [-np.inf, 2]])), "1 inf, -inf 2")

plain = b"a,b\n" + b"".join(b"%d,%s\n" % (i, b"word" * (i % 3)) for i in range(60))
first = gzip.compress(plain[:150], mtime=0)
packed = first + gzip.compress(plain[150:], mtime=0)
array("golden_gzip", packed, "two members")
print(f"static const size_t golden_gzip_first_member = {len(first)};")
print('static const char golden_gzip_plain[] =')
for line in plain.decode().splitlines():
    print(f'\t"{line}\\n"')
print("\t;\n\n#endif")
