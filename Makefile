# descentd: `make` builds the daemon, `make demo` shows it at work, `make test` proves it.
#
# One Makefile, no generated ones. Objects go to build/$(VARIANT)/, so that a sanitizer build
# never mixes with the release. A new .c file in core/ or server/ is found by itself.

ifeq ($(origin CC),default)
CC        := $(if $(shell command -v gcc),gcc,$(if $(shell command -v clang),clang,gcc))
endif
PREFIX    ?= /usr/local
LIBDIR    ?= $(PREFIX)/lib
DESTDIR   ?=
VERSION   := 0.1.0
VARIANT   ?= release
BUILD     := build/$(VARIANT)
PKGS      := libmicrohttpd gnutls jansson sqlite3 nettle zlib
PYTHON    := /usr/bin/python3
JOBS      := $(shell nproc 2>/dev/null || echo 2)
TESTERS   := $(shell echo $$(($(JOBS) * 2))) # that run black-box tests at a time: much of those is waiting
# A file's tests go to one of them, as they share a daemon; one file named is shared out.
SHARED_OUT = -n $(TESTERS) $(or $(TESTS),--dist loadfile tests/http)

WARN      := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
# What makes a fault harder to use. Not every compiler and machine has all of it: one that refuses the list is asked for
# each. The same call of a library is checked by FORTIFY_SOURCE, which a sanitizer's build (SLOW) does without.
takes      = $(shell printf '\043include <stdio.h>\n' | $(CC) -O2 -Werror $(1) -x c -c -o /dev/null - 2>/dev/null && echo '$(1)')
HARDEN_ALL := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero
HARDEN    := -fPIE $(or $(call takes,$(HARDEN_ALL)),$(foreach flag,$(HARDEN_ALL),$(call takes,$(flag))))
FORTIFY   := $(or $(call takes,-D_FORTIFY_SOURCE=3),-D_FORTIFY_SOURCE=2)
SECURE_LD := -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
OPT       ?= -O2 -g $(FORTIFY)
ALL_FLAGS  = -std=gnu17 $(WARN) $(HARDEN) $(OPT) -I. -I$(BUILD)/gen -D_GNU_SOURCE \
             -DDESCENTD_VERSION='"$(VERSION)"' -ffp-contract=off -pthread $(SANITIZE) $(EXTRA_CFLAGS)
# Asked for once, when the first compiler needs them.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null))$(PKG_LIBS)
LINK       = $(CC) -pie $(SECURE_LD) $(SANITIZE) -pthread

CORE_SRC   := $(wildcard core/*.c)
SERVER_SRC := $(filter-out server/main.c,$(wildcard server/*.c server/*/*.c server/*/*/*.c))
CORE_OBJ   := $(CORE_SRC:%.c=$(BUILD)/%.o)
F64_OBJ    := $(CORE_SRC:%.c=$(BUILD)/f64/%.o)
SERVER_OBJ := $(SERVER_SRC:%.c=$(BUILD)/%.o)
GEN_OBJ    := $(BUILD)/gen/embedded.o
UNIT       := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c tests/unit/core_*.c tests/unit/f64_*.c))

.DEFAULT_GOAL := all
.PHONY: all
all: $(BUILD)/descentd $(if $(filter release,$(VARIANT)),descentd) ## build the daemon (the default)

.PHONY: everything
everything: all lib $(UNIT) $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c)) ## build the tests and benchmarks as well

descentd: $(BUILD)/descentd
	@install -m 755 $< $@

# One sentence about what is missing, instead of a hundred compiler errors. The library needs a compiler and no more.
.PHONY: found found-compiler
found:
	@CC='$(CC)' docker/deps.sh --check build
found-compiler:
	@CC='$(CC)' docker/deps.sh --check library

$(BUILD)/descentd: $(BUILD)/server/main.o $(BUILD)/libserver.a $(BUILD)/libdescent.a
	$(LINK) -o $@ $^ $(PKG_LIBS) -lm

# The whole daemon but its main: a test or a benchmark links what it uses of it.
$(BUILD)/libserver.a: $(SERVER_OBJ) $(GEN_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libdescent.a: $(CORE_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/f64/libdescent.a: $(F64_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

# The matrix kernels are one source, compiled once for each instruction set; the CPU chooses at run time.
X86 := $(filter x86_64%,$(shell $(CC) -dumpmachine 2>/dev/null))
ifneq ($(X86),)
$(BUILD)/core/gemm_avx2.o $(BUILD)/f64/core/gemm_avx2.o:     ISA := -mavx2 -mfma
$(BUILD)/core/gemm_avx512.o $(BUILD)/f64/core/gemm_avx512.o: ISA := -mavx512f -mavx512vl -mavx512dq -mavx512bw -mavx2 -mfma
endif

# The engine's loops over blocks become vector code only when errno and floating-point traps need not be kept;
# neither changes a result. (-ffast-math would.)
CORE_OPT   ?= -O3
CORE_FLAGS := $(CORE_OPT) -fno-math-errno -fno-trapping-math -fPIC -fno-semantic-interposition

# The inner loops go without two of HARDEN's: zeros in the sums of a tile first keep them out of the registers, and the
# block on the stack that a tile packs is touched page by page. Training of 4-16-3 fell by 31 % (13.4 to 9.2 M samples/s),
# and is within 3 % like this; larger networks within 1. What they work on has been checked, and their calls go no deeper for any input.
HOT       := $(filter core/gemm% core/net% core/optim%,$(CORE_SRC))
HOT_FLAGS := $(if $(findstring clash,$(HARDEN)),-fno-stack-clash-protection) \
             $(if $(findstring auto-var,$(HARDEN)),-ftrivial-auto-var-init=uninitialized)
$(HOT:%.c=$(BUILD)/%.o) $(HOT:%.c=$(BUILD)/f64/%.o): LOOPS := $(HOT_FLAGS)

# The file with the most tiles takes longest to compile with a sanitizer: WIDEST are flags for it alone, the last word.
WIDEST    ?=
$(BUILD)/core/gemm_avx512.o $(BUILD)/f64/core/gemm_avx512.o: LOOPS += $(WIDEST)

# These two are told of by other threads: to stop, and what was seen meanwhile.
MEETING   := core/train.c core/drift.c

$(BUILD)/core/%.o: core/%.c | found-compiler
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) $(CORE_FLAGS) $(LOOPS) $(ISA) $(if $(filter $(MEETING),$<),,$(ALONE_FLAGS)) -MMD -MP -c -o $@ $<

$(BUILD)/f64/core/%.o: core/%.c | found-compiler
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) $(CORE_FLAGS) $(LOOPS) $(ISA) -DDESCENT_DOUBLE -MMD -MP -c -o $@ $<

# ---- the library: libdescent.a, libdescent.so and what a program needs to use them ----

# The headers that are installed, as <descent/net.h>. What they do not declare is nobody's business but core's.
LIB_HEADERS := activation date drift encoder err explain gemm init loss metrics metrics_rank model net optim param real schedule team train
LIB_SONAME  := libdescent.so.$(firstword $(subst ., ,$(VERSION)))
LIB_SO      := libdescent.so.$(VERSION)
LIB_FILES   := $(LIB_HEADERS:%=core/%.h)

.PHONY: lib
lib: $(BUILD)/libdescent.a $(BUILD)/$(LIB_SO) ## build the engine alone, as a static and as a shared library

# The shared library exports those of its symbols that the headers declare.
$(BUILD)/libdescent.map: $(BUILD)/libdescent.a $(LIB_FILES) Makefile
	@nm -g --defined-only $< | awk 'NF == 3 { print $$3 }' | sort -u >$@.all
	@{ echo '{ global:'; printf '#include "%s"\n' $(LIB_FILES) | $(CC) -std=gnu17 -I. -E -P -x c - | grep -owFf $@.all \
		| sort -u | sed 's/$$/;/'; echo 'local: *; };'; } >$@

$(BUILD)/$(LIB_SO): $(BUILD)/libdescent.map $(CORE_OBJ)
	$(CC) -shared -Wl,-soname,$(LIB_SONAME),--version-script=$<,-Bsymbolic,-z,defs $(SECURE_LD) $(SANITIZE) \
		-o $@ $(CORE_OBJ) -lm

# The loops over the numbers of a column, of the same kind.
$(BUILD)/server/codec/segment_numbers.o $(BUILD)/server/codec/table_stats.o $(BUILD)/server/codec/table_profile.o: \
	LOOPS := $(CORE_OPT) -fno-math-errno -fno-trapping-math

$(BUILD)/server/%.o: server/%.c | found
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) $(LOOPS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

# What is written down once in schema/ goes into the binary.
EMBED := $(sort $(wildcard schema/sqlite/*.sql)) schema/openapi.yaml examples/data/iris.csv
$(BUILD)/embed: schema/embed.c | found
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O1 $(WARN) $(EXTRA_CFLAGS) -D_GNU_SOURCE $(shell pkg-config --cflags jansson yaml-0.1) -o $@ $< \
		$(shell pkg-config --libs jansson yaml-0.1)

$(BUILD)/gen/embedded.c: $(BUILD)/embed $(EMBED)
	@mkdir -p $(@D)
	$(BUILD)/embed $@ $(EMBED)

$(GEN_OBJ): $(BUILD)/gen/embedded.c schema/embedded.h
	$(CC) $(ALL_FLAGS) -c -o $@ $<

# Tests of the server are compiled more often than what they do takes time; those of core compute.
$(filter $(BUILD)/tests/test_%,$(UNIT)): private override OPT := -O0 -g -fno-omit-frame-pointer

# A unit test is one program: tests/unit/test_X.c against everything but main, tests/unit/f64_X.c against the
# double build of core alone.
CHECK_CFLAGS = $(eval CHECK_CFLAGS := $(shell pkg-config --cflags check 2>/dev/null))$(CHECK_CFLAGS)
CHECK_LIBS   = $(eval CHECK_LIBS := $(shell pkg-config --libs check 2>/dev/null))$(CHECK_LIBS)

$(BUILD)/tests/unsynced.o: tests/unit/unsynced.c | found
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) -c -o $@ $<

$(BUILD)/tests/test_%: tests/unit/test_%.c tests/unit/suite.h $(BUILD)/tests/unsynced.o $(BUILD)/libserver.a $(BUILD)/libdescent.a
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) $(PKG_CFLAGS) $(CHECK_CFLAGS) -MMD -MP -o $@ $< $(BUILD)/tests/unsynced.o $(BUILD)/libserver.a $(BUILD)/libdescent.a \
		-pie $(PKG_LIBS) $(CHECK_LIBS) -lm

$(BUILD)/tests/core_%: tests/unit/core_%.c tests/unit/suite.h $(BUILD)/libdescent.a
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) $(CHECK_CFLAGS) -MMD -MP -o $@ $< $(BUILD)/libdescent.a -pie $(CHECK_LIBS) -lm

$(BUILD)/tests/f64_%: tests/unit/f64_%.c tests/unit/suite.h $(BUILD)/f64/libdescent.a
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) -DDESCENT_DOUBLE $(CHECK_CFLAGS) -MMD -MP -o $@ $< $(BUILD)/f64/libdescent.a -pie $(CHECK_LIBS) -lm

# ---- tests ----

SANITIZE_UB := -fsanitize=undefined -fno-sanitize-recover=all
# No _FORTIFY_SOURCE: the sanitizers check the same calls themselves. -O3 on the matrix kernels would take minutes, and so
# would -O2 on the widest.
SLOW        := OPT='-O1 -g -fno-omit-frame-pointer' CORE_OPT=-O2 WIDEST=-O1

C_FILES      = $(shell find core schema server tests bench examples -name '*.[ch]')

.PHONY: test unit http house install-test format torture faults faults-smoke asan tsan fuzz fuzz-smoke fuzz-merge
test: deps ## install what is missing, build, run every test but the slow kinds below
	@echo "building ..."
	@$(MAKE) -s -j$(JOBS) all lib $(UNIT)
	@DESCENTD=$(CURDIR)/$(BUILD)/descentd tests/run.sh $(UNIT) -- -n $(TESTERS) --dist loadfile tests/house tests/library $(wildcard tests/http)

unit: $(UNIT) ## run the unit tests
	@tests/run.sh $(UNIT)

# Those of core that ask for an engine do so by test_engine(), which DESCENTD_GEMM tells. The plain loops of naive are slow.
# (core_gemm holds all engines against each other whatever that says.)
CORE_UNIT     = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(shell grep -lE 'test_engine|training\.h' tests/unit/core_*.c tests/unit/f64_*.c))
CPU_ENGINES  := $(shell sed -n 's/^flags[^:]*:/ /p' /proc/cpuinfo 2>/dev/null | head -n 1 | awk '{ \
                for (i = 1; i <= NF; i++) has[$$i] = 1; \
                printf "naive portable"; if (has["avx2"] && has["fma"]) printf " avx2"; \
                if (has["avx512f"] && has["avx512vl"] && has["avx512dq"] && has["avx512bw"]) printf " avx512" }')
GEMM_ENGINES ?= $(filter-out $(lastword $(CPU_ENGINES)),$(CPU_ENGINES))

.PHONY: unit-engines
unit-engines: $(CORE_UNIT) ## run the unit tests of core once with each matrix engine of this CPU but the best, which `make unit` takes
	@set -e; for engine in $(GEMM_ENGINES); do echo "engine $$engine"; \
		CK_TIMEOUT_MULTIPLIER=10 DESCENTD_GEMM=$$engine tests/run.sh $(CORE_UNIT); done

http: all ## run the black-box tests against the daemon, or those of TESTS="tests/http/test_tls.py"
	@DESCENTD=$(CURDIR)/$(BUILD)/descentd tests/run.sh -- $(SHARED_OUT)

house: ## check formatting and the rules of the house: which folder may include which
	@docker/deps.sh test format
	@for file in $(C_FILES); do clang-format-14 $$file | cmp -s - $$file \
		|| { echo "$$file is not formatted (make format)"; bad=1; }; done; [ -z "$$bad" ]
	@tests/run.sh -- tests/house

install-test: all lib ## install below a root of its own, and build and run examples/xor.c with what lies there
	@tests/run.sh -- tests/library

format: ## format every C file
	@docker/deps.sh format
	@clang-format-14 -i $(C_FILES)

KILLS ?= 200

torture: all ## kill the daemon KILLS=200 times, in uploads, epochs, checkpoints and publishing, and look what is left
	@docker/deps.sh test
	@DESCENTD=$(CURDIR)/$(BUILD)/descentd $(PYTHON) tests/torture/torture.py $(KILLS)

DAMAGES ?= 500

.PHONY: damage
damage: all ## damage a database in DAMAGES=500 random ways, and look what daemon, check and repair make of it
	@docker/deps.sh test
	@DESCENTD=$(CURDIR)/$(BUILD)/descentd $(PYTHON) tests/damage/damage.py $(DAMAGES)

# One call site in FAULTS_PART is made to fail, by FAULTS_SEED. Allocations fail under the sanitizers, system calls in the release.
FAULTS      ?= system memory
MINUTES ?= 30

.PHONY: soak
soak: all ## everything at once for MINUTES=30: one daemon undisturbed, one killed again and again
	@docker/deps.sh test
	@DESCENTD=$(CURDIR)/$(BUILD)/descentd $(PYTHON) tests/soak/soak.py $(MINUTES)

FAULTS_PART ?= 1
FAULTS_SEED ?=

faults: all ## make each system call and each allocation fail in turn, or those of FAULTS=system, and look what is left
	@docker/deps.sh test
	@set -e; for what in $(FAULTS); do variant=$(VARIANT); if [ $$what = memory ]; then variant=asan; \
		$(MAKE) -s -j$(JOBS) VARIANT=asan $(SLOW) SANITIZE='-fsanitize=address $(SANITIZE_UB)' build/asan/descentd; fi; \
		DESCENTD=$(CURDIR)/build/$$variant/descentd $(PYTHON) tests/faults/faults.py $$what $(FAULTS_PART) $(FAULTS_SEED); done

faults-smoke: ## the same of one call site in 25, within about a minute
	@$(MAKE) -s faults FAULTS_PART=25

asan: ## run the unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@CK_TIMEOUT_MULTIPLIER=10 $(MAKE) -s -j$(JOBS) VARIANT=asan $(SLOW) \
		SANITIZE='-fsanitize=address $(SANITIZE_UB)' unit

tsan: ## run the unit tests under ThreadSanitizer
	@CK_TIMEOUT_MULTIPLIER=20 $(MAKE) -s -j$(JOBS) VARIANT=tsan $(SLOW) \
		SANITIZE='-fsanitize=thread' unit

# Where threads share a network, its gradients, or the rows of others: the engine is watched, too, which http-tsan leaves out.
SHARING := core_train_threads test_batch test_crew test_jobs test_registry test_training test_watch

.PHONY: tsan-smoke
tsan-smoke: ## those unit tests under ThreadSanitizer in which threads share networks
	@$(MAKE) -s tsan UNIT='$(SHARING:%=build/tsan/tests/%)'

.PHONY: http-asan http-tsan coverage analyze
# What a sanitizer cannot be asked is skipped, and said (not_sanitized in tests/http/harness.py). TESTS=tests/http/test_X.py: one file.
http-asan: ## run the black-box tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@docker/deps.sh build test
	@$(MAKE) -s -j$(JOBS) VARIANT=asan $(SLOW) SANITIZE='-fsanitize=address $(SANITIZE_UB)' build/asan/descentd
	@DESCENTD=$(CURDIR)/build/asan/descentd tests/sanitized.sh asan $(SHARED_OUT)

# The engine starts no thread, and who shares its networks is the server's affair: watching each of its numbers takes ten times
# as long, which `make tsan` does.
http-tsan: ## run the black-box tests under ThreadSanitizer
	@docker/deps.sh build test
	@$(MAKE) -s -j$(JOBS) VARIANT=tsan-http $(SLOW) CORE_OPT=-O3 WIDEST= ALONE_FLAGS=-fno-sanitize=thread \
		SANITIZE='-fsanitize=thread -Wno-tsan' build/tsan-http/descentd
	@DESCENTD=$(CURDIR)/build/tsan-http/descentd tests/sanitized.sh tsan $(SHARED_OUT)

# Atomic counters, as threads share them. Whoever runs a daemon must be able to add to them, hence the mask. Tests that fail are
# no reason to say nothing of the others: their exit code comes last.
coverage: ## run all unit and black-box tests, and say which lines and branches they do not reach
	@docker/deps.sh build test coverage
	@$(MAKE) -s -j$(JOBS) VARIANT=coverage OPT='-O1 -g' CORE_OPT=-O1 \
		SANITIZE='--coverage -fprofile-update=atomic' coverage-run

.PHONY: coverage-run
coverage-run: all $(UNIT)
	@find $(BUILD) -name '*.gcda' -delete
	@find $(BUILD) -type d -exec chmod a+rwx {} +
	@umask 0; tested=0; INSTRUMENTED=coverage CK_TIMEOUT_MULTIPLIER=10 DESCENTD=$(CURDIR)/$(BUILD)/descentd \
		tests/run.sh $(UNIT) -- $(SHARED_OUT) || tested=$$?; \
	gcovr --root . --object-directory $(BUILD) --filter core/ --filter server/ -j $(JOBS) --json $(BUILD)/coverage.json \
		$(BUILD) 2>$(BUILD)/gcovr.log || { cat $(BUILD)/gcovr.log; exit 1; }; \
	$(PYTHON) tests/coverage.py $(BUILD)/coverage.json && exit $$tested

# Three readers of the code that is in the daemon. What one of them takes for a fault and is none is marked in the code,
# with the reason; whole kinds are switched off in .clang-tidy and here.
TIDY         := $(patsubst %.c,$(BUILD)/%.tidy,$(CORE_SRC) $(SERVER_SRC) server/main.c schema/embed.c)
# gcc 12 sees one file at a time: what is handed out through a parameter is a leak to it, what a call has filled is not set,
# and a search may find nothing although its caller has just made sure. clang-tidy looks for NULL too, and the sanitizers for
# all of them (http-asan). Texts are measured at -O2, by the build.
ANALYZER     := -fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-use-of-uninitialized-value -Wno-format-truncation -Wno-unused-value \
                -Wno-analyzer-null-dereference -Wno-analyzer-null-argument
TOLD          = $(if $(filter core/err.c schema/embed.c,$<),,-include tests/analyzed.h)

analyze: ## read the code with gcc -fanalyzer, clang-tidy and cppcheck
	@CC=gcc docker/deps.sh build analyze
	@echo "cppcheck"; cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning -j $(JOBS) -I. \
		-D__x86_64__ -D__GNUC__=12 --library=tests/cppcheck.cfg core server schema
	@echo "gcc -fanalyzer"; $(MAKE) -s -k -j$(JOBS) VARIANT=analyze CC=gcc OPT='-O1' CORE_OPT=-O1 \
		EXTRA_CFLAGS='$(ANALYZER) -Werror $$(TOLD)' build/analyze/libserver.a build/analyze/libdescent.a build/analyze/server/main.o
	@echo "clang-tidy"; $(MAKE) -s -k -j$(JOBS) VARIANT=analyze tidy

.PHONY: tidy
tidy: $(TIDY)
$(BUILD)/%.tidy: %.c .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy-14 --quiet $< -- -std=gnu17 -I. -D_GNU_SOURCE -DDESCENTD_VERSION='"$(VERSION)"' $(PKG_CFLAGS) $(TOLD) \
		>$@.log 2>/dev/null || { cat $@.log; exit 1; }
	@touch $@

# What is undefined in the widest kernels is asked by make asan: clang takes two minutes for that, and a fuzzer's inputs do
# not get there. Inputs that a fuzzer finds worth keeping stay in build/; a crash is copied to tests/fuzz/corpus by hand.
FUZZ         ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
T            ?= 10

fuzz: ## run each fuzzer for T=10 seconds, or those of FUZZ="csv number"
	@CC=clang docker/deps.sh build fuzz
	@$(MAKE) -s -j$(JOBS) VARIANT=fuzz CC=clang $(SLOW) WIDEST='-O1 -fno-sanitize=undefined' \
		SANITIZE='-fsanitize=fuzzer-no-link,address $(SANITIZE_UB)' $(FUZZ:%=build/fuzz/tests/fuzz_%.run)

$(BUILD)/tests/fuzz_%: tests/fuzz/fuzz_%.c $(BUILD)/libserver.a $(BUILD)/libdescent.a
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) -fsanitize=fuzzer $(PKG_CFLAGS) -MMD -MP -o $@ $< $(BUILD)/libserver.a $(BUILD)/libdescent.a -pie $(PKG_LIBS) -lm

fuzz-smoke: ## run each fuzzer for 20 seconds
	@$(MAKE) -s fuzz T=20

.PHONY: $(FUZZ:%=$(BUILD)/tests/fuzz_%.run)
$(FUZZ:%=$(BUILD)/tests/fuzz_%.run): $(BUILD)/tests/fuzz_%.run: $(BUILD)/tests/fuzz_%
	@mkdir -p $(BUILD)/corpus/$*
	@echo "fuzz $*: $(T) s"
	@$< -max_total_time=$(T) -timeout=30 -artifact_prefix=$(BUILD)/crash-$*- -print_final_stats=1 \
		$(patsubst %,-dict=%,$(wildcard tests/fuzz/$*.dict)) \
		$(BUILD)/corpus/$* tests/fuzz/corpus/$* >$(BUILD)/$*.log 2>&1 \
		|| { grep -E -B 2 -A 40 'ERROR|runtime error|deadly signal' $(BUILD)/$*.log; exit 1; }
	@grep -E 'number_of_executed_units|peak_rss' $(BUILD)/$*.log

# An input is taken if it reaches a branch that no other does; of those that would do, the greedy choice of the smallest.
fuzz-merge: ## add to tests/fuzz/corpus what `make fuzz` found and the corpora do not reach, in few and small inputs
	@set -e; for what in $(FUZZ); do \
		build/fuzz/tests/fuzz_$$what -set_cover_merge=1 -use_counters=0 -max_len=1500 tests/fuzz/corpus/$$what \
			build/fuzz/corpus/$$what 2>&1 | grep -E 'new files|ERROR'; done

# ---- benchmarks: bench/X.c, bench/X.sh or bench/X.py is `make bench-X` ----

BENCH_C      := $(patsubst bench/%.c,bench-%,$(wildcard bench/*.c))
BENCH_SCRIPT := $(addprefix bench-,$(basename $(notdir $(wildcard bench/*.sh bench/*.py))))

.PHONY: bench $(BENCH_C) $(BENCH_SCRIPT)
bench: ## run every benchmark; make bench-gemm runs one (see bench/)
	@set -e; for one in $(sort $(BENCH_C) $(BENCH_SCRIPT)); do \
		echo "== $$one"; $(MAKE) -s -j$(JOBS) $$one; done

$(BENCH_C): bench-%: $(BUILD)/bench/%
	@$<

bench-predict: $(BUILD)/bench/support/bare_http
bench-serve: $(BUILD)/bench/support/bare_http $(BUILD)/bench/forward
bench-engine: $(BUILD)/bench/train $(BUILD)/bench/forward $(BUILD)/bench/support/products \
	$(if $(shell pkg-config --exists fann && echo yes),$(BUILD)/bench/support/train_fann)

# The peers' libraries: what is not installed is left out of the comparison.
XSMM_LIBS := $(shell pkg-config --libs libxsmm 2>/dev/null)
$(BUILD)/bench/support/products: bench/support/libraries.c bench/support/libraries.h
$(BUILD)/bench/support/products: BENCH_FLAGS = $(if $(XSMM_LIBS),-DHAVE_LIBXSMM)
$(BUILD)/bench/support/products: BENCH_LIBS = -ldl $(XSMM_LIBS:-lxsmm=-lxsmm -lxsmmnoblas)
$(BUILD)/bench/support/train_fann: BENCH_LIBS = -lfann
$(BENCH_SCRIPT): bench-%: all
	@export DESCENTD=$(CURDIR)/$(BUILD)/descentd BENCH_BUILD=$(CURDIR)/$(BUILD)/bench; if [ -f bench/$*.py ]; then $(PYTHON) bench/$*.py; else sh bench/$*.sh; fi

$(BUILD)/bench/%: bench/%.c $(BUILD)/libserver.a $(BUILD)/libdescent.a
	@mkdir -p $(@D)
	$(CC) $(ALL_FLAGS) $(PKG_CFLAGS) $(BENCH_FLAGS) -MMD -MP -o $@ $(filter %.c,$^) $(BUILD)/libserver.a $(BUILD)/libdescent.a \
		-pie $(PKG_LIBS) $(BENCH_LIBS) -lm

# ---- the machine around it ----

.PHONY: demo deps image-test install uninstall clean help
demo: ## install what is missing, build, and show the daemon at work on real data
	@docker/deps.sh build
	@echo "building ..."
	@$(MAKE) -s -j$(JOBS) all
	@./descentd demo

deps: ## install what building and testing need (apt-get)
	@CC='$(CC)' docker/deps.sh build test

image-test: ## build docker/Dockerfile without a container engine, start it and predict once (root)
	@docker/image-test.sh

install: all lib ## install daemon and library under PREFIX=/usr/local, below DESTDIR
	install -D -m 755 $(BUILD)/descentd $(DESTDIR)$(PREFIX)/bin/descentd
	install -D -m 644 docs/descentd.1 $(DESTDIR)$(PREFIX)/share/man/man1/descentd.1
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local|$(PREFIX)|' docker/descentd.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/descentd.service
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include/descent
	install -m 644 $(BUILD)/libdescent.a $(BUILD)/$(LIB_SO) $(DESTDIR)$(LIBDIR)
	ln -sf $(LIB_SO) $(DESTDIR)$(LIBDIR)/$(LIB_SONAME)
	ln -sf $(LIB_SONAME) $(DESTDIR)$(LIBDIR)/libdescent.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' core/descent.pc.in \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/descent.pc
	for header in $(LIB_HEADERS); do sed 's|"core/|"descent/|; s|^#ifdef DESCENT_DOUBLE|#if 0|' core/$$header.h \
		>$(DESTDIR)$(PREFIX)/include/descent/$$header.h || exit; done
	[ -n '$(DESTDIR)' ] || ldconfig 2>/dev/null || true # so that programs find the library at once

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/descentd $(DESTDIR)$(PREFIX)/share/man/man1/descentd.1 \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/descentd.service \
		$(addprefix $(DESTDIR)$(LIBDIR)/,libdescent.a libdescent.so $(LIB_SONAME) $(LIB_SO) pkgconfig/descent.pc)
	rm -rf $(DESTDIR)$(PREFIX)/include/descent

clean: ## remove what was built
	rm -rf build descentd

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
