#!/bin/bash
# ready.sh - the health check of the image: succeeds when /readyz answers 200. Bash opens the connection by itself,
# so that the image needs no HTTP client.
set -e
exec 3<>/dev/tcp/127.0.0.1/"${1:-8420}"
printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 4 _ status _ <&3
[ "$status" = 200 ]
