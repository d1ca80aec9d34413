# descentd: `make` builds the daemon, `make demo` shows it at work, `make test` proves it.
#
# One Makefile, no generated ones. Objects go to build/$(VARIANT)/, so that a sanitizer build
# never mixes with the release. A new .c file in core/ or server/ is found by itself.

CC        ?= gcc
PREFIX    ?= /usr/local
DESTDIR   ?=
VERSION   := 0.1.0
VARIANT   ?= release
BUILD     := build/$(VARIANT)
PKGS      := libmicrohttpd jansson sqlite3 nettle
PYTHON    := /usr/bin/python3
JOBS      := $(shell nproc 2>/dev/null || echo 2)

WARN      := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
HARDEN    := -fstack-protector-strong -fPIE
OPT       ?= -O2 -g -D_FORTIFY_SOURCE=2
ALL_FLAGS  = -std=gnu17 $(WARN) $(HARDEN) $(OPT) -I. -I$(BUILD)/gen -D_GNU_SOURCE \
             -DDESCENTD_VERSION='"$(VERSION)"' -ffp-contract=off -pthread $(SANITIZE) $(EXTRA_CFLAGS)
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   = $(shell pkg-config --libs $(PKGS) 2>/dev/null)
LINK       = $(CC) -pie -Wl,-z,relro,-z,now $(SANITIZE) -pthread

CORE_SRC   := $(wildcard core/*.c)
SERVER_SRC := $(filter-out server/main.c,$(wildcard server/*.c server/*/*.c server/*/*/*.c))
CORE_OBJ   := $(CORE_SRC:%.c=$(BUILD)/%.o)
F64_OBJ    := $(CORE_SRC:%.c=$(BUILD)/f64/%.o)
SERVER_OBJ := $(SERVER_SRC:%.c=$(BUILD)/%.o)
GEN_OBJ    := $(BUILD)/gen/embedded.o
UNIT       := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c tests/unit/core_*.c tests/unit/f64_*.c))

.DEFAULT_GOAL := all
.PHONY: all
all: descentd
	@:

descentd: $(BUILD)/descentd
	@cp $< $@

$(BUILD)/descentd: $(BUILD)/server/main.o $(SERVER_OBJ) $(GEN_OBJ) $(BUILD)/libdescent.a
	$(LINK) -o $@ $^ $(PKG_LIBS) -lm

$(BUILD)/libdescent.a: $(CORE_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/f64/libdescent.a: $(F64_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

# The matrix kernels are one source, compiled once for each instruction set; the CPU chooses at run time.
$(BUILD)/core/gemm_avx2.o $(BUILD)/f64/core/gemm_avx2.o:     ISA := -mavx2 -mfma
$(BUILD)/core/gemm_avx512.o $(BUILD)/f64/core/gemm_avx512.o: ISA := -mavx512f -mavx512vl -mavx512dq -mavx512bw -mavx2 -mfma

# The engine's loops over blocks become vector code only when errno and floating-point traps need not be kept;
# neither changes a result. (-ffast-math would.)
CORE_FLAGS := -O3 -fno-math-errno -fno-trapping-math

$(BUILD)/core/%.o: core/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) $(CORE_FLAGS) $(ISA) -MMD -MP -c -o $@ $<

$(BUILD)/f64/core/%.o: core/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) $(CORE_FLAGS) $(ISA) -DDESCENT_DOUBLE -MMD -MP -c -o $@ $<

$(BUILD)/server/%.o: server/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

# What is written down once in schema/ goes into the binary.
EMBED := $(sort $(wildcard schema/sqlite/*.sql)) schema/openapi.yaml
$(BUILD)/embed: schema/embed.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O1 $(WARN) -D_GNU_SOURCE $(shell pkg-config --cflags jansson yaml-0.1) -o $@ $< \
		$(shell pkg-config --libs jansson yaml-0.1)

$(BUILD)/gen/embedded.c: $(BUILD)/embed $(EMBED)
	@mkdir -p $(@D)
	$(BUILD)/embed $@ $(EMBED)

$(GEN_OBJ): $(BUILD)/gen/embedded.c schema/embedded.h
	$(CC) $(ALL_FLAGS) -c -o $@ $<

# A unit test is one program: tests/unit/test_X.c against everything but main, tests/unit/f64_X.c against the
# double build of core alone.
CHECK_CFLAGS = $(shell pkg-config --cflags check 2>/dev/null)
CHECK_LIBS   = $(shell pkg-config --libs check 2>/dev/null)

$(BUILD)/tests/test_%: tests/unit/test_%.c tests/unit/suite.h $(SERVER_OBJ) $(GEN_OBJ) $(BUILD)/libdescent.a
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) $(PKG_CFLAGS) $(CHECK_CFLAGS) -MMD -MP -o $@ $< $(SERVER_OBJ) $(GEN_OBJ) $(BUILD)/libdescent.a \
		-pie $(PKG_LIBS) $(CHECK_LIBS) -lm

$(BUILD)/tests/core_%: tests/unit/core_%.c tests/unit/suite.h $(BUILD)/libdescent.a
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) $(CHECK_CFLAGS) -MMD -MP -o $@ $< $(BUILD)/libdescent.a -pie $(CHECK_LIBS) -lm

$(BUILD)/tests/f64_%: tests/unit/f64_%.c tests/unit/suite.h $(BUILD)/f64/libdescent.a
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) -DDESCENT_DOUBLE $(CHECK_CFLAGS) -MMD -MP -o $@ $< $(BUILD)/f64/libdescent.a -pie $(CHECK_LIBS) -lm

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
