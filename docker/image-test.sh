#!/bin/bash
# image-test.sh - builds docker/Dockerfile, starts the image, predicts once and stops it (`make image-test`).
#
# No container engine is needed, only root: debootstrap makes the tree that FROM names, buildah builds on it with
# chroot as its only isolation. Everything stays in build/image; the tree is kept there for the next run.
set -e -u -o pipefail
cd "$(dirname "$0")/.."

base=debian:bookworm-slim # as in docker/Dockerfile
mirror=${MIRROR:-http://deb.debian.org/debian}
at=$PWD/build/image
token=image-test-$$-0123456789abcdef
export BUILDAH_ISOLATION=chroot

image() { buildah --root "$at/storage" --runroot "$at/run" --storage-driver vfs "$@"; }
fail() { echo "image-test: $*" >&2; exit 1; }

# end STATUS: leaves neither a daemon nor gigabytes behind.
daemon=
end()
{
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
	image umount --all >/dev/null 2>&1 || true
	rm -rf "$at/storage" "$at/run" "$at/volume"
}

[ "$(id -u)" = 0 ] || fail "wants root: debootstrap and chroot do"
docker/deps.sh image
trap end EXIT
mkdir -p "$at"

if [ ! -e "$at/base.done" ]; then
	echo "== debootstrap, the tree of $base"
	rm -rf "$at/base"
	debootstrap --variant=minbase bookworm "$at/base" "$mirror" >"$at/debootstrap.log" 2>&1 ||
		fail "debootstrap failed, see $at/debootstrap.log"
	rm -rf "$at"/base/var/cache/apt/archives/*.deb
	touch "$at/base.done"
fi
scratch=$(image from scratch)
image add -q "$scratch" "$at/base" / >/dev/null
image commit -q --rm "$scratch" "docker.io/library/$base" >/dev/null

echo "== buildah bud"
image bud -q --format docker --pull-never --network host -f docker/Dockerfile -t descentd-image-test . >"$at/build.log" 2>&1 ||
	{ tail -n 40 "$at/build.log"; fail "the image does not build"; }

echo "== what the image says of itself"
said=$(image inspect --type image --format \
	'{{.Docker.Config.User}} {{.Docker.Config.Entrypoint}} {{.Docker.Config.Cmd}} {{.Docker.Config.Healthcheck.Test}}' \
	descentd-image-test)
echo "$said"
[ "$said" = '999:999 [descentd] [serve --db /data/descentd.db --listen 0.0.0.0:8420 --no-tls] [CMD descentd-ready]' ] ||
	fail "the image's user, command or health check changed: mend docker/Dockerfile or this test"

echo "== start it and predict"
container=$(image from --pull-never descentd-image-test)
root=$(image mount "$container")
in_image() { image run --env DESCENTD_TOKEN="$token" "$container" -- "$@"; }
! image run "$container" -- descentd serve --db x.db --listen 0.0.0.0:0 --no-tls >"$at/refused.log" 2>&1 ||
	fail "it starts on a public address without a token"
# As compose.yaml runs it: the image's user, a root that cannot be written to, and the volume. The network is this machine's, so
# a free port is asked for. Each command becomes the next one, and the last one the daemon.
volume=$at/volume
rm -rf "$volume"
cp -a "$root/data" "$volume"
# shellcheck disable=SC2016 # expanded by the inner shell
read_only='mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && mount --bind "$1" "$0/data" && shift &&
	exec chroot --userspec=999:999 "$0" "$@"'
! unshare --mount sh -c "$read_only" "$root" "$volume" touch /tmp/here /home/here 2>"$at/read-only.log" ||
	fail "the root can be written to"
env -i PATH="$PATH" DESCENTD_TOKEN="$token" unshare --mount sh -c "$read_only" "$root" "$volume" \
	descentd serve --db /data/descentd.db --listen 0.0.0.0:0 --no-tls --port-file /data/port >"$at/daemon.log" 2>&1 &
daemon=$!
for _ in $(seq 100); do
	[ ! -s "$volume/port" ] || break
	sleep 0.1
done
[ -s "$volume/port" ] || { cat "$at/daemon.log"; fail "the daemon did not start"; }
port=$(cat "$volume/port")
in_image descentd-ready "$port" || fail "the health check fails"
[ "$(stat -c %u "/proc/$daemon")" != 0 ] || fail "the daemon runs as root"

api=http://127.0.0.1:$port/v1
call() { curl -sS --fail-with-body -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "$@"; }
[ "$(curl -sS -o /dev/null -w '%{http_code}' "$api/models")" = 401 ] || fail "it answers without the token"
call -X PUT "$api/models/line" -d '{"inputs":1,"outputs":1,"layers":[],"normalize":"none"}' >/dev/null
call -X POST "$api/models/line/versions" -d '{"layers":[{"weights":[[2]],"biases":[1]}]}' >/dev/null
answer=$(call -X POST "$api/models/line:predict" -d '{"instances":[[3]]}')
echo "$answer"
[[ $answer =~ \"predictions\":\ *\[\[7(\.0*)?\]\] ]] || fail "2 * 3 + 1 is not 7"

echo "== stop it"
kill -TERM "$daemon"
runner=$daemon
daemon=
wait "$runner" || fail "the daemon did not end with 0 on SIGTERM"
[ -s "$volume/descentd.db" ] || fail "no database on the volume"
echo "1 passed, 0 failed"
