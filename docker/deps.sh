#!/bin/sh
# deps.sh - the one list of what descentd needs from the system, and how it is had.
#
#	docker/deps.sh GROUP...           installs what is missing of the groups named
#	docker/deps.sh --check GROUP...   only says what is missing, and fails when anything is
#
# The groups stand in the table. What is there is left alone, wherever it came from: a library built by hand counts
# as long as pkg-config finds it. What is missing comes from apt-get, through sudo for an ordinary user. Where that
# cannot be, the packages are named and the script fails. It lies in docker/ because the image is built with it too;
# both describe the machine around the daemon.
set -eu

# group, how a thing is looked for, the thing, the Debian package that has it
wanted='
library compiler cc               gcc
library file     stdio.h          libc6-dev
build  compiler  cc                gcc
build  file      stdio.h           libc6-dev
build  command   make              make
build  command   pkg-config        pkg-config
build  library   libmicrohttpd     libmicrohttpd-dev
build  library   gnutls            libgnutls28-dev
build  library   jansson           libjansson-dev
build  library   sqlite3           libsqlite3-dev
build  library   nettle            nettle-dev
build  library   zlib              zlib1g-dev
build  library   yaml-0.1          libyaml-dev
test   library   check             check
test   command   /usr/bin/python3  python3
test   module    pytest            python3-pytest
test   module    xdist             python3-pytest-xdist
test   module    jsonschema        python3-jsonschema
test   module    fastjsonschema    python3-fastjsonschema
test   module    yaml              python3-yaml
test   command   openssl           openssl
test   command   curl              curl
test   command   strace            strace
test   command   faketime          faketime
format command   clang-format-14   clang-format-14
ci     command   gcc               gcc
ci     command   clang             clang
ci     command   systemd-analyze   systemd
ci     command   strace            strace
analyze command  clang-tidy-14     clang-tidy-14
analyze command  cppcheck          cppcheck
coverage command gcovr             gcovr
fuzz   command   clang             clang
fuzz   runtime   clang             libclang-rt-dev
image  command   buildah           buildah
image  command   debootstrap       debootstrap
image  command   curl              curl
'

# The compiler that is asked for, or any that the Makefile would take.
compiler()
{
	if [ -n "${CC:-}" ]; then command -v "${CC%% *}"; else command -v gcc || command -v clang; fi
}

# found HOW WHAT: whether the thing is there.
found()
{
	case $1 in
	compiler) compiler ;;
	command)  command -v "$2" ;;
	file)     echo "#include <$2>" | $(compiler) -E - ;;
	library)  pkg-config --exists "$2" ;;
	module)   /usr/bin/python3 -c "import $2" ;;
	runtime)  ls "$("$2" -print-runtime-dir)"/libclang_rt.fuzzer* ;;
	esac >/dev/null 2>&1
}

# missing GROUP...: the packages of things not found, on one line.
missing()
{
	echo "$wanted" | while read -r group how what package; do
		for each; do
			[ "$each" != "$group" ] || found "$how" "$what" || printf '%s ' "$package"
		done
	done
}

refuse()
{
	echo "descentd: $1. Please install (names of Debian and Ubuntu): ${packages% }" >&2
	exit 1
}

check=
if [ "${1:-}" = --check ]; then
	check=yes
	shift
fi
packages=$(missing "$@")
[ -n "$packages" ] || exit 0
[ -z "$check" ] || refuse "something that the build needs is missing (\`make deps\` installs it)"
command -v apt-get >/dev/null || refuse "something is missing and there is no apt-get here"

as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || refuse "something is missing, and only root can install it"
	as_root=sudo
fi
echo "descentd: installing $packages"
$as_root apt-get update -qq || true # one broken source need not matter; the installation will tell
# shellcheck disable=SC2086 # a list of names
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null ||
	refuse "apt-get could not install what is missing"
packages=$(missing "$@")
[ -z "$packages" ] || refuse "apt-get installed everything, and yet not all was found"
