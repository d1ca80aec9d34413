"""Quartiles by numpy.quantile (method "linear") for tests/unit/test_table_profile.c: python3 quartiles.py > quartiles.h"""
import numpy as np

draw = np.random.default_rng(1)
SETS = [[5], [1, 2], [1, 2, 3], [4, 1, 3, 2], [0.1, 0.2, 0.4, 0.8, 1.6], [-7, -7, -7, 3], [1e300, -1e300, 5, 5.5, 1e-300],
        list(np.round(draw.normal(3, 2, 29), 3)), list(draw.integers(0, 9, 50)), list(draw.random(101))]

print('/* quartiles.h - written by quartiles.py: numbers and their quartiles. */\n/* clang-format off */')

print('static const struct quartiles_golden {\n\tsize_t count;\n\tdouble x[101], quartiles[3];\n} quartiles_golden[] = {')
for numbers in SETS:
    x = np.array(numbers, float)
    print(f"\t{{ {len(x)}, {{ {', '.join(repr(float(v)) for v in x)} }},")
    print(f"\t\t{{ {', '.join(repr(float(v)) for v in np.quantile(x, [0.25, 0.5, 0.75]))} }} }},")
print('};')
